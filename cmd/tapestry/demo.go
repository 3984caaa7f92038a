package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/demo"
	"github.com/tapestry-dolr/tapestry/docs"
)

func (c *cli) demo() *cobra.Command {
	cfg := demo.Config{Files: docs.Files}
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show an overlay of real hosts in this process",
		Long: `demo starts hosts on loopback, publishes every regular file of a folder from some
of them, fetches each file from others and checks its bytes, stops a third of the
hosts without a goodbye, and fetches again what still has a living server. Without
--dir it uses this project's own documents. It ends with exit code 0 only if every
file that had a living server arrived whole.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir != "" {
				if info, err := os.Stat(dir); err != nil || !info.IsDir() {
					return usageError{fmt.Errorf("--dir %s: not a folder", dir)}
				}
				cfg.Files = os.DirFS(dir)
			}
			if err := cfg.Validate(); err != nil {
				return usageError{err}
			}
			if !cmd.Flags().Changed("seed") {
				cfg.Seed = rand.Uint64()
			}
			bar := c.bar()
			cfg.Progress = bar.advance
			r, err := demo.Run(cmd.Context(), cfg)
			bar.clear()
			if err != nil {
				return err
			}
			if err := c.print(r, func(w io.Writer) { demoTable(w, r) }); err != nil {
				return err
			}
			for _, f := range r.Failures {
				fmt.Fprintln(c.err, f)
			}
			if !r.Complete() {
				return fmt.Errorf("not every file arrived (random choices: --seed %d)", cfg.Seed)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&cfg.Nodes, "nodes", 24, "hosts to start")
	cmd.Flags().IntVar(&cfg.Replicas, "replicas", 3, "servers of each file")
	cmd.Flags().StringVar(&dir, "dir", "", "folder of files to publish (default: this project's documents)")
	cmd.Flags().Uint64Var(&cfg.Seed, "seed", 0, "repeat the random choices of an earlier run")
	return cmd
}

func demoTable(w io.Writer, r demo.Report) {
	row(w, "nodes", r.Nodes)
	row(w, "objects", fmt.Sprintf("%d, %s, each on %s", r.Objects, size(r.Bytes), count(r.Replicas, "server")))
	row(w, "fetched", fmt.Sprintf("%d, verified %d", r.Fetched, r.Verified))
	row(w, "from the nearest", fmt.Sprintf("%.1f %%", 100*r.NearestRatio))
	row(w, "message and back", fmt.Sprintf("%.2f times the round trip to the nearest, 9 of 10 within %.2f", r.Stretch.P50, r.Stretch.P90))
	row(w, "hops, mean", fmt.Sprintf("%.2f", r.HopsMean))
	row(w, "killed", fmt.Sprintf("%s; %s with a living server", count(r.Killed, "node"), count(r.Surviving, "object")))
	row(w, "fetched again", fmt.Sprintf("%d, verified %d", r.AfterKill.Fetched, r.AfterKill.Verified))
	row(w, "time", fmt.Sprintf("%.1f s", r.WallS))
}
