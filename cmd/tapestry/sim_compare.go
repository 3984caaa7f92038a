package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/tapestry-dolr/tapestry/internal/sim"
	"github.com/tapestry-dolr/tapestry/internal/sim/plot"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

func (c *cli) simCompare() *cobra.Command {
	s := &simulation{cfg: sim.Default()}
	var protocols []string
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Play one scenario with several protocols",
		Long: `compare plays the same scenario, one after another, with each of the protocols:
tapestry, which is run, and models of Kademlia, Chord, a central index (Napster) and
flooding (Gnutella), which follow their papers. It prints one table, or with --json an
array of reports; --out draws them together.

It takes the flags of tapestry sim. --check and --trace concern tapestry alone, for
there are no oracles for models. The overlay of a model always begins settled.`,
		Example: `  tapestry sim compare --nodes 500
  tapestry sim compare --protocols tapestry,chord --session-median 84s --duration 5m --out report`,
		Args: cobra.NoArgs,
		RunE: c.ran(func(cmd *cobra.Command, _ []string) error { return c.compare(cmd, s, protocols) }),
	}
	f := cmd.Flags()
	s.flags(f)
	f.StringSliceVar(&protocols, "protocols", []string{ours, "kademlia", "chord", "central", "flood"}, "what to compare, separated by commas")
	// A scenario file may name the protocol; here --protocols decides.
	f.Lookup("protocol").Hidden = true
	return cmd
}

func (c *cli) compare(cmd *cobra.Command, s *simulation, protocols []string) error {
	all, err := s.lineup(cmd.Flags(), protocols)
	if err != nil {
		return usageError{err}
	}
	bar := c.bar()
	defer bar.clear()
	var reports []report.Report
	for _, one := range all {
		r, err := c.playOne(one, bar)
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	bar.clear()
	if err := drawTogether(s.out, reports); err != nil {
		return err
	}
	if err := c.print(reports, func(w io.Writer) { reportTable(w, compareColumns, reports) }); err != nil {
		return err
	}
	if !c.json {
		fmt.Fprint(c.out, compareLegend)
	}
	return c.anyViolations(reports)
}

// anyViolations is violations of several runs, of which only tapestry's have oracles.
func (c *cli) anyViolations(reports []report.Report) error {
	for _, r := range reports {
		if err := c.violations(r); err != nil {
			return err
		}
	}
	return nil
}

// lineup makes a simulation of each protocol, and refuses what makes no sense before
// any of them has begun.
func (s *simulation) lineup(f *pflag.FlagSet, protocols []string) (all []*simulation, err error) {
	if f.Changed("protocol") {
		return nil, errors.New("--protocol: say --protocols here")
	}
	if len(protocols) == 0 {
		return nil, errors.New("--protocols: name one at least")
	}
	for _, name := range protocols {
		err := knownProtocol("protocols", name)
		if err == nil {
			err = f.Set("protocol", name)
		}
		if err == nil {
			err = s.prepare(f)
		}
		if err != nil {
			return nil, err
		}
		one := *s
		if name != ours {
			one.trace, one.cfg.Check = "", false
		}
		all = append(all, &one)
	}
	return all, nil
}

// playOne runs one of several simulations.
func (c *cli) playOne(s *simulation, bar *bar) (report.Report, error) {
	if s.progress == "auto" {
		s.cfg.Progress = func(p sim.Progress) {
			bar.advance(s.cfg.Protocol+" "+p.Stage, int(p.Done.Seconds()), int(p.Total.Seconds()))
		}
	}
	r, err := s.run()
	var file *sim.FileError
	if errors.As(err, &file) {
		return r, usageError{err}
	}
	return r, err
}

func drawTogether(dir string, reports []report.Report) error {
	if dir == "" {
		return nil
	}
	var all []*report.Report
	for i := range reports {
		all = append(all, &reports[i])
	}
	return plot.Write(dir, all...)
}

// column is one figure of each run.
type column struct {
	name string
	cell func(r *report.Report) string
}

// nothing stands where nothing was measured.
const nothing = "-"

var compareColumns = []column{
	{"PROTOCOL", func(r *report.Report) string { return protocolName(r.Protocol) }},
	{"TRUE/DONE %", func(r *report.Report) string {
		return ifAny(r.Lookups.Total, "%.2f/%.2f", inPercent(r.Lookups.TrueRatio, 2), inPercent(r.Lookups.CompletedRatio, 2))
	}},
	{"HOPS", func(r *report.Report) string { return ifAny(r.Lookups.Total, "%.2f", r.Lookups.HopsMean) }},
	{"LOOKUP ms", func(r *report.Report) string {
		return ifAny(r.Lookups.Total, "%.0f/%.0f", r.Lookups.LatencyMs.P50, r.Lookups.LatencyMs.P99)
	}},
	{"FOUND %", func(r *report.Report) string {
		return ifAny(r.Locates.Total, "%.2f", inPercent(r.Locates.FoundRatio, 2))
	}},
	{"ANSWER ms", func(r *report.Report) string {
		return ifAny(r.Locates.Total, "%.0f/%.0f", r.Locates.FirstAnswerMs.P50, r.Locates.FirstAnswerMs.P99)
	}},
	{"REPLY/RTT", func(r *report.Report) string {
		return ifAny(r.Locates.Total, "%.2f/%.2f", r.Locates.RoundtripOverRTT.P50, r.Locates.RoundtripOverRTT.P90)
	}},
	{"TRIP ms", func(r *report.Report) string {
		return ifAny(r.Locates.Total, "%.0f/%.0f", r.Locates.RoundtripMs.P50, r.Locates.RoundtripMs.P90)
	}},
	{"NEAREST %", func(r *report.Report) string {
		return ifAny(r.Locates.Total, "%.2f", inPercent(r.Locates.NearestRatio, 2))
	}},
	{"RPCS", func(r *report.Report) string { return fmt.Sprintf("%.1f", r.Publish.RequestsPerObject) }},
	{"PUBLISH", func(r *report.Report) string { return fmt.Sprintf("%.1f", r.Publish.MessagesPerObject) }},
	{"BYTES", func(r *report.Report) string { return fmt.Sprintf("%.0f", r.Publish.BytesPerObject) }},
	{"NODE B/s", func(r *report.Report) string { return fmt.Sprintf("%.0f", r.Traffic.BytesPerNodeS) }},
	{"DIALS", func(r *report.Report) string { return fmt.Sprint(r.Traffic.Dials) }},
	{"LINKS", func(r *report.Report) string { return fmt.Sprintf("%.1f", r.State.LinksMean) }},
}

const compareLegend = `
TRUE of the lookups that are DONE; LOOKUP and ANSWER: median/p99; TRIP and REPLY/RTT:
p50/p90 of an at-most-once message and its reply, itself and over the round trip to the
nearest replica; RPCS, PUBLISH, BYTES: requests, messages and bytes per copy. Of tapestry
these are its publish messages without packet headers and acknowledgements, of a (model)
all that it sent more than when idle. DIALS: connections opened, for whatever.
`

// reportTable lays the runs below one another.
func reportTable(w io.Writer, columns []column, reports []report.Report) {
	var names []string
	for _, col := range columns {
		names = append(names, col.name)
	}
	row(w, strings.Join(names, "\t"))
	for i := range reports {
		var cells []string
		for _, col := range columns {
			cells = append(cells, col.cell(&reports[i]))
		}
		row(w, strings.Join(cells, "\t"))
	}
}

// inPercent is a share for so many decimals, of which only all becomes 100.
func inPercent(share float64, decimals int) float64 {
	if share == 1 {
		return 100
	}
	return min(100*share, 100-math.Pow10(-decimals))
}

// ifAny prints figures unless nothing was counted.
func ifAny(total int, format string, figures ...any) string {
	if total == 0 {
		return nothing
	}
	return fmt.Sprintf(format, figures...)
}
