package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/tapestry-dolr/tapestry/internal/sim"
	"github.com/tapestry-dolr/tapestry/internal/sim/plot"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

// simulation is one call of the subcommand sim.
type simulation struct {
	cfg             sim.Config
	scenario, out   string
	trace, progress string
}

// apart are the flags of sim that say where things go, not what is simulated.
var apart = map[string]bool{"scenario": true, "out": true, "trace": true, "progress": true, "json": true, "protocols": true,
	"transports": true, "sessions": true, "parallel": true, "cpuprofile": true, "memprofile": true}

func (c *cli) sim() *cobra.Command {
	s := &simulation{cfg: sim.Default()}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Simulate an overlay of thousands of nodes",
		Long: `sim runs an overlay on virtual time, unchanged but for the network under it: delays
measured on the Internet or generated, loss, limited uplinks, nodes that come, go,
stall and are cut off. It asks for random keys and objects all the while, judges every
answer against what is true at that moment, and reports. The same flags and seed give
the same run. Times are virtual and count from when the overlay has settled, or from
--warmup later: what happens in the warm-up is not counted, though the oracles look.

--check lets oracles look at all nodes every five seconds; if one of them finds a
violation, it is printed and the exit code is 1.`,
		Example: `  tapestry sim --nodes 1000 --check
  tapestry sim --rtt-matrix planetlab-490.rtt.csv.gz --session-median 84s --duration 10m
  tapestry sim --kill 0.3@20s --duration 1m --out report
  tapestry sim --scenario storm.yaml --json
  tapestry sim --protocol chord --nodes 1000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.simulate(cmd, s) },
	}
	s.flags(cmd.Flags())
	cmd.AddCommand(c.simCompare(), c.simChurn(), c.simDraw(), c.simExplore())
	return cmd
}

func (s *simulation) flags(f *pflag.FlagSet) {
	c := &s.cfg
	f.StringVar(&c.Protocol, "protocol", c.Protocol, "what the nodes run: tapestry, or a model of kademlia, chord, central or flood")
	f.IntVar(&c.Nodes, "nodes", c.Nodes, "nodes at the beginning")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "of all random choices")
	f.DurationVar(&c.Duration, "duration", c.Duration, "of the measured part")
	f.DurationVar(&c.Warmup, "warmup", c.Warmup, "load and churn go on for so long before it")
	f.StringVar(&c.RTTMatrix, "rtt-matrix", "", "`FILE` of measured round-trip times, a CSV that may be gzipped")
	f.StringVar(&c.Coords, "coords", "", "`FILE` of coordinates")
	f.StringVar(&c.Topology, "topology", c.Topology, "generated network, if no file is given")
	f.StringVar(&c.Transport, "transport", c.Transport, "stream: what is lost comes late; datagram: it is gone")
	f.Float64Var(&c.Loss, "loss", c.Loss, "share of packets lost")
	f.Float64Var(&c.Jitter, "jitter", 0, "a packet takes up to this share of its delay longer")
	f.Float64Var(&c.Reorder, "reorder", 0, "share of datagrams that take up to twice as long")
	f.Float64Var(&c.Duplicate, "duplicate", 0, "share of datagrams that come twice")
	f.Float64Var(&c.Bandwidth, "bandwidth", c.Bandwidth, "of each node's uplink in bit/s, 0: unlimited")
	f.Float64Var(&c.Nontransitive, "nontransitive", 0, "share of pairs that cannot reach each other")
	f.Var(&c.Stall, "stall", "share of nodes that stop for a while again and again")
	f.Float64Var(&c.Deny, "deny", 0, "share of nodes that, asked for an object, answer that there is none")
	f.Float64Var(&c.DropObjects, "drop-objects", 0, "share of nodes that do nothing with publishes and locates that reach them")
	f.DurationVar(&c.SessionMedian, "session-median", 0, "of all nodes' sessions, which are exponential; 0: nobody comes or goes")
	f.StringVar(&c.ChurnTrace, "churn-trace", "", "`FILE` of measured sessions, of whose nodes the first --nodes take part")
	f.Float64Var(&c.ChurnSpeedup, "churn-speedup", c.ChurnSpeedup, "how much faster than measured they come and go")
	f.Var(&c.OneWay, "one-way", "a share of the pairs loses all that goes in one direction, for a while (may be repeated)")
	f.DurationVar(&c.JoinEvery, "join-every", c.JoinEvery, "one new node joins every so often")
	f.DurationVar(&c.LeaveEvery, "leave-every", c.LeaveEvery, "one node takes its leave every so often, until one is left")
	f.Var(&c.Kill, "kill", "a share of the nodes crashes at once (may be repeated)")
	f.Var(&c.Leave, "leave", "a share of the nodes takes its leave (may be repeated)")
	f.Var(&c.Join, "join", "as many as a share of --nodes join at once (may be repeated)")
	f.Var(&c.Partition, "partition", "a share of the nodes is cut off for a while (may be repeated)")
	f.DurationVar(&c.LookupEvery, "lookup-every", c.LookupEvery, "ten nodes look up one random key; 0: never")
	f.Var(&c.Surge, "surge", "lookups come so many times as often for a while (may be repeated)")
	f.DurationVar(&c.LocateEvery, "locate-every", c.LocateEvery, "a node looks for an object; 0: never")
	f.DurationVar(&c.PublishEvery, "publish-every", c.PublishEvery, "an object is published and, 5 s later, withdrawn; 0: never")
	f.DurationVar(&c.ShuffleEvery, "shuffle-every", c.ShuffleEvery, "a node begins or ceases to serve one of the objects; 0: never")
	f.IntVar(&c.Objects, "objects", c.Objects, "objects published at the beginning")
	f.IntVar(&c.Replicas, "replicas", c.Replicas, "servers of each object")
	f.IntVar(&c.Batch, "batch", c.Batch, "of how many objects a server publishes a batch at the beginning; 0: one by one")
	f.IntVar(&c.Roots, "roots", c.Roots, "salted roots of each object")
	f.IntVar(&c.MaxLinks, "max-links", c.MaxLinks, "of a node, whoever uses them")
	f.Var(&c.Without, "without", "parts of a node: awareness, confirmations, helpers, stalls and telling of the failure detector; caching of pointers, near nodes, doors of servers")
	f.StringVar(&c.Recovery, "recovery", c.Recovery, "periodic; reactive: tables are exchanged because they change, to see what that comes to")
	f.StringVar(&c.Warm, "warm", c.Warm, "always: begin settled, not by joins; never; auto: above 2000 nodes")
	f.Lookup("warm").NoOptDefVal = "always"
	f.BoolVar(&c.Check, "check", false, "let the oracles look")
	f.BoolVar(&c.Fast, "fast", c.Fast, "do not encode messages")
	f.StringVar(&s.scenario, "scenario", "", "YAML `FILE` of any of these flags; those on the command line win")
	f.StringVar(&s.out, "out", "", "write the report, a page and pictures into `DIR`")
	f.StringVar(&s.trace, "trace", "", "write a line for every message to `FILE`")
	f.StringVar(&c.CPUProfile, "cpuprofile", "", "write a profile of the measured part's computing time to `FILE`")
	f.StringVar(&c.MemProfile, "memprofile", "", "write a profile of the heap at its end to `FILE`")
	f.StringVar(&s.progress, "progress", "auto", "auto: a bar on a terminal; never")
}

func (c *cli) simulate(cmd *cobra.Command, s *simulation) error {
	err := s.prepare(cmd.Flags())
	if err == nil {
		err = s.alone()
	}
	if err != nil {
		return usageError{err}
	}
	if s.progress == "auto" {
		bar := c.bar()
		defer bar.clear()
		s.cfg.Progress = func(p sim.Progress) {
			bar.advance(fmt.Sprintf("%s %d nodes %.2f%%", p.Stage, p.Live, 100*p.Success), int(p.Done.Seconds()), int(p.Total.Seconds()))
		}
	}
	r, err := s.run()
	if err != nil {
		var file *sim.FileError
		if errors.As(err, &file) {
			return usageError{err}
		}
		return err
	}
	if s.out != "" {
		if err := plot.Write(s.out, &r); err != nil {
			return err
		}
	}
	if err := c.print(r, func(w io.Writer) { simTable(w, r) }); err != nil {
		return err
	}
	return c.violations(r)
}

// prepare takes what the scenario file says and checks all of it.
func (s *simulation) prepare(f *pflag.FlagSet) error {
	if err := s.read(f); err != nil {
		return err
	}
	return s.settle(f)
}

// read takes what the scenario file says.
func (s *simulation) read(f *pflag.FlagSet) error {
	if s.scenario == "" {
		return nil
	}
	return readScenario(s.scenario, f)
}

// settle writes the command that repeats the run, and checks what the flags say.
func (s *simulation) settle(f *pflag.FlagSet) error {
	if s.progress != "auto" && s.progress != "never" {
		return fmt.Errorf("--progress %q: want auto or never", s.progress)
	}
	words := []string{"tapestry", "sim"}
	f.Visit(func(flag *pflag.Flag) {
		if !apart[flag.Name] && flag.Value.String() != "" {
			for _, v := range strings.Split(flag.Value.String(), ",") {
				words = append(words, "--"+flag.Name+"="+v)
			}
		}
	})
	s.cfg.Command = strings.Join(words, " ")
	return validScenario(s.cfg)
}

func (s *simulation) run() (r report.Report, err error) {
	if s.trace == "" {
		return play(s.cfg)
	}
	f, err := os.Create(s.trace)
	if err != nil {
		return r, err
	}
	w := bufio.NewWriter(f)
	s.cfg.Trace = w
	r, err = play(s.cfg)
	return r, errors.Join(err, w.Flush(), f.Close())
}

// violations prints what the oracles have found.
func (c *cli) violations(r report.Report) error {
	total := 0
	for _, n := range r.Oracles {
		total += n
	}
	if total == 0 {
		return nil
	}
	for _, text := range r.Violations {
		fmt.Fprintln(c.err, text)
	}
	return fmt.Errorf("%s of what must always hold", count(total, "violation"))
}
