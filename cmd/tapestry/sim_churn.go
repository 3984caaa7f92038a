package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/tapestry-dolr/tapestry/internal/sim"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

// churning is one call of sim churn: a scenario, and what is varied in it.
type churning struct {
	simulation
	protocols, transports, sessions []string
	parallel                        int
}

// steady is the scenario of sim churn: nothing but lookups, over links that lose packets
// and from uplinks that queue them, while everybody comes and goes.
func steady() sim.Config {
	c := sim.Default()
	c.Nodes, c.Warmup, c.Duration = 1000, 10*time.Minute, 30*time.Minute
	c.Loss, c.Bandwidth, c.ChurnSpeedup, c.Fast = 0.02, 10e6, 100, true
	c.Objects, c.LocateEvery, c.PublishEvery = 0, 0, 0
	c.LookupEvery = 0 // until it is known how many nodes there are: see one
	return c
}

func (c *cli) simChurn() *cobra.Command {
	s := &churning{simulation: simulation{cfg: steady()}}
	cmd := &cobra.Command{
		Use:   "churn",
		Short: "Play several rates of churn with several protocols",
		Long: `churn plays one scenario with each of --transports, each median session of --sessions,
and each of --protocols, and prints one table: how many lookups were answered, by the
true root and by the majority's, how far they went, and what a node sends. With
--churn-trace it plays the sessions of that file as well. --json prints an array of
reports instead; --out draws them together.

By default 1000 nodes ask for a key once in 10 s each, for half an hour after ten minutes
of warm-up; 2 % of packets are lost, uplinks carry 10 Mbit/s, and everybody leaves by
crashing. It takes the flags of tapestry sim. As many scenarios are played beside each
other as --parallel says, which changes nothing but how long it takes.`,
		Example: `  tapestry sim churn --rtt-matrix planetlab-490.rtt.csv.gz --churn-trace churn-skype.csv.gz
  tapestry sim churn --nodes 300 --sessions 0,84s --protocols tapestry,chord --warmup 1m --duration 2m`,
		Args: cobra.NoArgs,
		RunE: c.ran(func(cmd *cobra.Command, _ []string) error { return c.churn(cmd, s) }),
	}
	s.flags(cmd.Flags())
	return cmd
}

// decided are the flags of sim that others decide here, and which those are.
var decided = map[string]string{"protocol": "protocols", "transport": "transports", "session-median": "sessions"}

// singular are the flags of sim that concern one run.
var singular = []string{"trace", "cpuprofile", "memprofile"}

func (s *churning) flags(f *pflag.FlagSet) {
	s.simulation.flags(f)
	f.StringSliceVar(&s.protocols, "protocols", []string{ours, "chord", "kademlia"}, "what to play, separated by commas")
	f.StringSliceVar(&s.transports, "transports", []string{"datagram", "stream"}, "over what, separated by commas")
	f.StringSliceVar(&s.sessions, "sessions", []string{"0", "60m", "10m", "84s"}, "median sessions, separated by commas; 0: nobody comes or goes")
	f.IntVar(&s.parallel, "parallel", runtime.GOMAXPROCS(0), "scenarios to play beside each other")
	f.Lookup("lookup-every").Usage = "ten nodes look up one random key; 0: never (default: such that each node does once in 10 s)"
	for name := range decided { // in any order
		f.Lookup(name).Hidden = true
	}
	for _, name := range singular {
		f.Lookup(name).Hidden = true
	}
}

func (c *cli) churn(cmd *cobra.Command, s *churning) error {
	all, err := s.lineup(cmd.Flags())
	if err != nil {
		return usageError{err}
	}
	reports, err := c.playTogether(cmd.Context(), all, s.parallel)
	if len(reports) == 0 {
		return err
	}
	// What was played is shown even if a later one failed: it took its time.
	return errors.Join(err, c.showChurn(s.out, reports))
}

func (c *cli) showChurn(dir string, reports []report.Report) error {
	if err := drawTogether(dir, reports); err != nil {
		return err
	}
	if err := c.print(reports, func(w io.Writer) { reportTable(w, churnColumns, reports) }); err != nil {
		return err
	}
	if !c.json {
		fmt.Fprint(c.out, churnLegend)
	}
	return c.anyViolations(reports)
}

// lineup makes a simulation of each combination, and refuses what makes no sense before
// any of them has begun.
func (s *churning) lineup(f *pflag.FlagSet) (all []*simulation, err error) {
	if err := s.check(f); err != nil {
		return nil, err
	}
	if err := s.read(f); err != nil {
		return nil, err
	}
	if err := spellOut(f); err != nil {
		return nil, err
	}
	paced := f.Changed("lookup-every")
	for _, combination := range s.combinations(s.cfg.ChurnTrace) {
		one, err := s.one(f, combination, paced)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil, errors.New("--sessions: name one at least, or give --churn-trace")
	}
	return all, nil
}

// check refuses what only sim churn can be told wrongly.
func (s *churning) check(f *pflag.FlagSet) error {
	for _, name := range slices.Sorted(maps.Keys(decided)) {
		if f.Changed(name) {
			return fmt.Errorf("--%s: say --%s here", name, decided[name])
		}
	}
	for _, name := range singular {
		if f.Changed(name) {
			return fmt.Errorf("--%s: it is of one run; repeat that with tapestry sim, as its report's command says", name)
		}
	}
	for _, name := range s.protocols {
		if err := knownProtocol("protocols", name); err != nil {
			return err
		}
	}
	for _, name := range s.transports {
		if name != "datagram" && name != "stream" {
			return fmt.Errorf("--transports %q: want datagram or stream", name)
		}
	}
	for _, text := range s.sessions {
		if d, err := time.ParseDuration(text); err != nil || d < 0 {
			return fmt.Errorf("--sessions %q: want a median such as 84s, or 0 if nobody comes or goes", text)
		}
	}
	switch {
	case len(s.protocols) == 0:
		return errors.New("--protocols: name one at least")
	case len(s.transports) == 0:
		return errors.New("--transports: name one at least")
	case s.parallel < 1:
		return fmt.Errorf("--parallel %d: want 1 or more", s.parallel)
	}
	return nil
}

// spellOut sets every flag that has another default here than tapestry sim gives it, so
// that the command in a report repeats the run there.
func spellOut(f *pflag.FlagSet) (err error) {
	plain := pflag.NewFlagSet("sim", pflag.ContinueOnError)
	(&simulation{cfg: sim.Default()}).flags(plain)
	plain.VisitAll(func(there *pflag.Flag) {
		here := f.Lookup(there.Name)
		if value := here.Value.String(); !here.Changed && value != there.Value.String() && there.Name != "lookup-every" {
			err = errors.Join(err, f.Set(here.Name, value))
		}
	})
	return err
}

// combinations are the flags that differ between the runs, in the order of the table.
func (s *churning) combinations(trace string) (all []map[string]string) {
	type churn struct{ median, trace string }
	var rows []churn
	for _, median := range s.sessions {
		rows = append(rows, churn{median: median})
	}
	if trace != "" {
		rows = append(rows, churn{"0", trace})
	}
	for _, transport := range s.transports {
		for _, row := range rows {
			for _, protocol := range s.protocols {
				all = append(all, map[string]string{
					"transport": transport, "session-median": row.median, "churn-trace": row.trace, "protocol": protocol,
				})
			}
		}
	}
	return all
}

// askedOnceIn is how often each node looks a key up unless --lookup-every says otherwise.
const askedOnceIn = 10 * time.Second

// one is the simulation of a combination.
func (s *churning) one(f *pflag.FlagSet, combination map[string]string, paced bool) (*simulation, error) {
	for name, value := range combination { // in any order: they are different flags
		if err := f.Set(name, value); err != nil {
			return nil, err
		}
	}
	err := validScenario(s.cfg)
	if err == nil && !paced {
		if err = s.cfg.PaceLookups(askedOnceIn); err == nil {
			err = f.Set("lookup-every", s.cfg.LookupEvery.String())
		}
	}
	if err == nil {
		err = s.settle(f)
	}
	one := s.simulation
	if one.cfg.Protocol != ours {
		one.cfg.Check = false
	}
	return &one, err
}

// keepAlivePerLink is what a transport sends on each link to keep it open, in bytes per
// second: go-libp2p has QUIC probe an idle connection every 15 s and yamux every 30 s,
// which makes about 500 B/s at 130 links (design §6).
const keepAlivePerLink = 500.0 / 130

var churnColumns = []column{
	{"TRANSPORT", func(r *report.Report) string { return r.Transport }},
	{"SESSIONS", (*report.Report).Sessions},
	{"PROTOCOL", func(r *report.Report) string { return protocolName(r.Protocol) }},
	{"TRUE %", func(r *report.Report) string {
		return ifAny(r.Lookups.Total, "%.3f", inPercent(r.Lookups.TrueRatio, 3))
	}},
	{"CONSISTENT %", func(r *report.Report) string {
		return ifAny(r.Lookups.Total, "%.3f", inPercent(r.Lookups.ConsistentRatio, 3))
	}},
	{"DONE %", func(r *report.Report) string {
		return ifAny(r.Lookups.Total, "%.3f", inPercent(r.Lookups.PromptRatio, 3))
	}},
	{"STRETCH", func(r *report.Report) string { return ifAny(r.Lookups.Total, "%.2f", r.Lookups.Stretch.P50) }},
	{"NODE B/s", func(r *report.Report) string { return fmt.Sprintf("%.0f", r.Traffic.BytesPerNodeS) }},
	{"KEEP-ALIVE B/s", func(r *report.Report) string { return fmt.Sprintf("%.0f", keepAlivePerLink*r.State.LinksMean) }},
	{"LINKS", func(r *report.Report) string { return fmt.Sprintf("%.1f", r.State.LinksMean) }},
}

const churnLegend = `
SESSIONS: their median, or the trace; DONE: of all lookups, answered within 10 s; TRUE and
CONSISTENT: of those answered at all, by the true root and by the majority's of ten;
STRETCH: median; NODE B/s: overlay bytes sent, lookups and packet headers included;
KEEP-ALIVE B/s: what the transport would send besides to keep that many LINKS open.
`
