package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry/internal/sim/explore"
)

func (c *cli) simExplore() *cobra.Command {
	o := explore.Options{}
	cmd := &cobra.Command{
		Use:   "explore",
		Short: "Draw scenarios with faults and look for violations",
		Long: `explore draws scenarios from a seed: 10 to 60 nodes for half a minute to some
minutes, with some of loss, jitter, reordering, duplication, crashes, joins,
departures, partitions, stalls and churn. It plays each with all oracles. One that an
oracle objects to is shrunk to a small one that still fails, and printed with the
command that repeats it; the exit code is 1 then.`,
		Example: `  tapestry sim explore --runs 200 --seed 7`,
		Args:    cobra.NoArgs,
		RunE: c.ran(func(*cobra.Command, []string) error {
			if o.Runs < 1 {
				return usageError{fmt.Errorf("--runs %d: want at least 1", o.Runs)}
			}
			return c.exploreSim(o)
		}),
	}
	cmd.Flags().IntVar(&o.Runs, "runs", 50, "scenarios to draw")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "of the drawing")
	return cmd
}

func (c *cli) exploreSim(o explore.Options) error {
	bar := c.bar()
	o.Progress = func(p explore.Progress) {
		stage := "exploring"
		if p.Shrinking {
			stage = "shrinking"
		}
		bar.advance(stage, p.Done, p.Runs)
	}
	r, err := explore.Run(o)
	bar.clear()
	if err != nil {
		return err
	}
	if err := c.print(r, func(w io.Writer) { exploreTable(w, r) }); err != nil {
		return err
	}
	if len(r.Failures) > 0 {
		return fmt.Errorf("%s of %d failed", count(len(r.Failures), "scenario"), r.Runs)
	}
	return nil
}

func exploreTable(w io.Writer, r explore.Result) {
	row(w, "scenarios", fmt.Sprintf("%d, seed %d", r.Runs, r.Seed))
	row(w, "events", r.Events)
	for _, name := range slices.Sorted(maps.Keys(r.Faults)) {
		row(w, "with "+name, r.Faults[name])
	}
	row(w, "failed", len(r.Failures))
	for _, f := range r.Failures {
		fmt.Fprintf(w, "\nscenario %d breaks %s; the smallest of %d tried that still does:\n  %s\n%s\n",
			f.Run, f.Oracle, f.Tries, f.Command, strings.Join(f.Violations, "\n"))
	}
}
