package sim

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Config is one scenario. Times are virtual and count from the beginning of the measured
// part: when the overlay has settled, and Warmup later if there is one.
type Config struct {
	Protocol string // "tapestry"
	Nodes    int
	Seed     uint64
	Duration time.Duration
	// Warmup is how long load, sessions, stalls and those that come or go one by one go on
	// before the measured part. Nothing of it is counted, though the oracles look. Default
	// 0: they begin with the measured part.
	Warmup time.Duration

	RTTMatrix string // file; see topology.LoadMatrix
	Coords    string // file; see topology.LoadCoords
	Topology  string // "transit-stub", if neither file is given

	Transport     string // "stream" or "datagram"
	Loss          float64
	Jitter        float64
	Reorder       float64
	Duplicate     float64
	Bandwidth     float64 // bit/s of each uplink, 0: unlimited
	Nontransitive float64
	Stall         Stall
	// Deny and DropObjects are shares of the nodes that are hostile to objects; see manner.
	Deny, DropObjects float64

	SessionMedian time.Duration // 0: nobody comes or goes
	ChurnTrace    string        // file; see topology.LoadChurn
	ChurnSpeedup  float64
	Kill, Join    Moments
	Leave         Moments
	Partition     Spans
	OneWay        Spans         // a share of the pairs loses what goes in one direction
	JoinEvery     time.Duration // a new node joins every so often, 0: none does
	LeaveEvery    time.Duration // a node takes its leave every so often, until one is left

	LookupEvery  time.Duration // ten nodes ask for one key; 0: never
	Surge        Surges        // more often for a while
	LocateEvery  time.Duration
	PublishEvery time.Duration // an object is published and, 5 s later, withdrawn
	ShuffleEvery time.Duration // a node begins or ceases to serve one of the objects, 0: never
	Objects      int
	Replicas     int
	Batch        int // objects in a batch, as which those of the beginning are published; 0: one by one

	Roots    int // salted roots of an object
	MaxLinks int // a node takes part in at most
	Without  Without

	// Recovery is "periodic", or "reactive" to see what that would come to: tables are
	// exchanged because they have changed; see membership.Reactive.
	Recovery string

	Warm  string // "auto" (above 2 000 nodes), "always" or "never"
	Check bool   // the oracles look, every 5 s
	Fast  bool   // messages are not encoded

	// Command is the line that repeats the run, for the report and for violations.
	Command string
	// CPUProfile and MemProfile name files for profiles of the measured part, in the form
	// of runtime/pprof; empty: none.
	CPUProfile, MemProfile string
	// Trace gets a line for every message, if not nil.
	Trace io.Writer
	// Progress is told every five virtual seconds, if not nil.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Stage       string        // "growing", "publishing", "warming up" or "running"
	Done, Total time.Duration // of the warm-up while it lasts, of the measured part otherwise
	Live        int
	Success     float64 // of the lookups judged so far: true
}

// Default returns the scenario that `tapestry sim` runs without flags.
func Default() Config {
	return Config{
		Protocol: "tapestry", Nodes: 500, Seed: 1, Duration: time.Minute, Topology: "transit-stub",
		Transport: "stream", ChurnSpeedup: 1, LookupEvery: 200 * time.Millisecond,
		LocateEvery: 100 * time.Millisecond, PublishEvery: time.Second,
		Objects: 100, Replicas: 4, Roots: salts, MaxLinks: 160, Recovery: "periodic", Warm: "auto",
	}
}

// Blank is the report of a run of which nothing is known yet but its scenario.
func (c *Config) Blank() report.Report {
	r := report.Report{
		Protocol: c.Protocol, Nodes: c.Nodes, Seed: c.Seed, Command: c.Command, Transport: c.Transport,
		SessionMedianS: c.SessionMedian.Seconds(), ChurnTrace: c.ChurnTrace, BandwidthBitS: c.Bandwidth,
		WarmupS: c.Warmup.Seconds(), VirtualS: c.Duration.Seconds(), Oracles: map[string]int{},
	}
	if c.Protocol == Default().Protocol { // a model repairs itself in its own way
		r.Recovery = c.Recovery
	}
	return r
}

// warmAbove is the number of nodes above which an overlay begins settled by default.
const warmAbove = 2000

func (c *Config) warm() bool { return c.Warm == "always" || c.Warm == "auto" && c.Nodes > warmAbove }

// leafSide is how large a leaf set leaves room for the map, as nodes decide themselves.
func (c *Config) leafSide() int { return min(8, max(2, c.MaxLinks/10)) }

// Validate names the flag that makes no sense.
func (c *Config) Validate() error {
	shares := []struct {
		flag  string
		value float64
	}{
		{"loss", c.Loss}, {"reorder", c.Reorder}, {"duplicate", c.Duplicate}, {"nontransitive", c.Nontransitive},
		{"deny", c.Deny}, {"drop-objects", c.DropObjects}, {"deny and --drop-objects", c.Deny + c.DropObjects},
	}
	for _, s := range shares {
		if !(s.value >= 0 && s.value < 1) {
			return fmt.Errorf("--%s %v: want a share from 0 to below 1", s.flag, s.value)
		}
	}
	durations := []struct {
		flag  string
		value time.Duration
	}{
		{"session-median", c.SessionMedian}, {"lookup-every", c.LookupEvery}, {"locate-every", c.LocateEvery},
		{"publish-every", c.PublishEvery}, {"shuffle-every", c.ShuffleEvery}, {"join-every", c.JoinEvery},
		{"leave-every", c.LeaveEvery}, {"warmup", c.Warmup},
	}
	for _, d := range durations {
		if d.value < 0 {
			return fmt.Errorf("--%s %v: must not be negative", d.flag, d.value)
		}
	}
	if err := c.validateShape(); err != nil {
		return err
	}
	return c.validateNames()
}

func (c *Config) validateShape() error {
	switch {
	case c.Nodes < 1 || c.Nodes > 1_000_000:
		return fmt.Errorf("--nodes %d: want 1 to 1000000", c.Nodes)
	case c.Duration <= 0:
		return fmt.Errorf("--duration %v: must be positive", c.Duration)
	case !(c.Jitter >= 0 && c.Jitter <= 100):
		return fmt.Errorf("--jitter %v: want 0 to 100 times the delay", c.Jitter)
	case !(c.Bandwidth >= 0) || c.Bandwidth > 0 && c.Bandwidth < 1000:
		return fmt.Errorf("--bandwidth %v: want 0 or at least 1000 bit/s", c.Bandwidth)
	case c.MaxLinks < 8:
		return fmt.Errorf("--max-links %d: want at least 8", c.MaxLinks)
	case c.Objects < 0 || c.Replicas < 1:
		return fmt.Errorf("--objects %d --replicas %d: want no objects or more, with a replica each", c.Objects, c.Replicas)
	case c.Batch < 0 || c.Batch == 1 || c.Batch > wire.MaxItems:
		return fmt.Errorf("--batch %d: want 2 to %d objects, or 0", c.Batch, wire.MaxItems)
	case c.Roots < 1 || c.Roots > idspace.Hex.Radix():
		return fmt.Errorf("--roots %d: want 1 to %d", c.Roots, idspace.Hex.Radix())
	case !(c.ChurnSpeedup > 0):
		return fmt.Errorf("--churn-speedup %v: must be positive", c.ChurnSpeedup)
	}
	return nil
}

func (c *Config) validateNames() error {
	switch {
	case c.Protocol != "tapestry":
		return fmt.Errorf("--protocol %q: want tapestry", c.Protocol)
	case c.Transport != "stream" && c.Transport != "datagram":
		return fmt.Errorf("--transport %q: want stream or datagram", c.Transport)
	case c.Topology != "transit-stub":
		return fmt.Errorf("--topology %q: want transit-stub, or give --rtt-matrix or --coords", c.Topology)
	case c.RTTMatrix != "" && c.Coords != "":
		return errors.New("--rtt-matrix and --coords: give one of them")
	case c.SessionMedian > 0 && c.ChurnTrace != "":
		return errors.New("--session-median and --churn-trace: give one of them")
	case c.Recovery != "periodic" && c.Recovery != "reactive":
		return fmt.Errorf("--recovery %q: want periodic or reactive", c.Recovery)
	case c.Warm != "auto" && c.Warm != "always" && c.Warm != "never":
		return fmt.Errorf("--warm %q: want auto, always or never", c.Warm)
	}
	return nil
}

// FileError is a file that the scenario names and that cannot be used.
type FileError struct{ error }

// NewFileError says of err that it is about such a file: for those who play a scenario
// in another way, as internal/sim/model/tournament does.
func NewFileError(err error) *FileError { return &FileError{err} }

// Unwrap returns what is wrong with it.
func (e *FileError) Unwrap() error { return e.error }

// Moment is something that happens to a share of the nodes at one time.
type Moment struct {
	Share float64
	At    time.Duration
}

// Moments is a flag that can be given again and again.
type Moments []Moment

// Set reads FRACTION@T.
func (m *Moments) Set(text string) error {
	share, at, ok := strings.Cut(text, "@")
	when, err := time.ParseDuration(at)
	x, err2 := parseShare(share)
	if !ok || err != nil || err2 != nil || when < 0 {
		return fmt.Errorf("%q: want FRACTION@T, such as 0.3@20s", text)
	}
	*m = append(*m, Moment{x, when})
	return nil
}

// String is what Set reads.
func (m *Moments) String() string {
	var all []string
	for _, x := range *m {
		all = append(all, fmt.Sprintf("%v@%v", x.Share, x.At))
	}
	return strings.Join(all, ",")
}

// Type names the flag's argument.
func (*Moments) Type() string { return "FRACTION@T" }

// Span is something that holds for a share of the nodes for a time.
type Span struct {
	Share    float64
	From, To time.Duration
}

// Spans is a flag that can be given again and again.
type Spans []Span

// Set reads FRACTION@T1-T2.
func (s *Spans) Set(text string) error {
	share, when, _ := strings.Cut(text, "@")
	from, to, ok := strings.Cut(when, "-")
	a, err := time.ParseDuration(from)
	b, err2 := time.ParseDuration(to)
	x, err3 := parseShare(share)
	if !ok || errors.Join(err, err2, err3) != nil || a < 0 || b <= a {
		return fmt.Errorf("%q: want FRACTION@T1-T2, such as 0.5@20s-40s", text)
	}
	*s = append(*s, Span{x, a, b})
	return nil
}

// String is what Set reads.
func (s *Spans) String() string {
	var all []string
	for _, x := range *s {
		all = append(all, fmt.Sprintf("%v@%v-%v", x.Share, x.From, x.To))
	}
	return strings.Join(all, ",")
}

// Type names the flag's argument.
func (*Spans) Type() string { return "FRACTION@T1-T2" }

// Stall says that a share of the nodes stop for Min to Max, run for as long, and stop
// again, as on a starved machine.
type Stall struct {
	Share    float64
	Min, Max time.Duration
}

// Set reads FRACTION:MIN-MAX.
func (s *Stall) Set(text string) error {
	share, span, _ := strings.Cut(text, ":")
	low, high, ok := strings.Cut(span, "-")
	a, err := time.ParseDuration(low)
	b, err2 := time.ParseDuration(high)
	x, err3 := parseShare(share)
	if !ok || errors.Join(err, err2, err3) != nil || a <= 0 || b < a {
		return fmt.Errorf("%q: want FRACTION:MIN-MAX, such as 0.05:1s-3s", text)
	}
	*s = Stall{x, a, b}
	return nil
}

// String is what Set reads.
func (s *Stall) String() string {
	if s.Share == 0 {
		return ""
	}
	return fmt.Sprintf("%v:%v-%v", s.Share, s.Min, s.Max)
}

// Type names the flag's argument.
func (*Stall) Type() string { return "FRACTION:MIN-MAX" }

func parseShare(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err == nil && !(x >= 0 && x <= 1) {
		err = errors.New("want a share from 0 to 1")
	}
	return x, err
}
