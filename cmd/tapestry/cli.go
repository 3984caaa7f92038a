package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/config"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

// cli is one run of the command.
type cli struct {
	out, err io.Writer
	json     bool
	timeout  time.Duration // 0: the subcommand's own
	running  bool          // the arguments were understood
	showing  sync.Mutex    // held while a message is printed
}

// run runs the command and returns its exit code.
func run(args []string) int {
	c := &cli{out: os.Stdout, err: os.Stderr}
	root := c.root()
	root.SetArgs(args)
	root.SetOut(c.out)
	root.SetErr(c.err)
	err := root.ExecuteContext(context.Background())
	if err != nil && !c.running {
		err = usageError{err}
	}
	if err != nil {
		c.complain(err)
	}
	return int(exitCode(err))
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "tapestry",
		Short: "Find the nearest copy of anything, without a server",
		Long: `tapestry runs a node of a decentralized overlay for object location and routing.

Start a daemon on each machine, publish files in some, and fetch them from the
nearest copy anywhere else. Every subcommand but daemon, demo, sim, id, version and
completion speaks to the daemon whose state directory is given by --state.`,
		Example: `  tapestry demo
  tapestry daemon --seed /ip4/192.0.2.7/udp/4160/quic-v1/p2p/12D3KooW…
  tapestry publish photos
  tapestry get 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c -o photo.jpg`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&c.json, "json", false, "print JSON")
	flags.DurationVar(&c.timeout, "timeout", 0, "how long to wait for the overlay (default: as long as fits the subcommand)")
	flags.String("config", "", "config file (default: config.yaml in the state directory, if there is one)")
	flags.String("state", "", "state directory (default: tapestry in $XDG_DATA_HOME or ~/.local/share)")
	flags.String("socket", "", "control socket (default: control.sock in the state directory)")
	root.AddCommand(
		c.daemon(), c.publish(), c.unpublish(), c.locate(), c.get(), c.route(), c.multicast(), c.explain(),
		c.status(), c.peers(), c.id(), c.version(), c.demo(), c.sim(),
	)
	for _, sub := range root.Commands() {
		sub.RunE = c.ran(sub.RunE)
	}
	return root
}

// ran marks that the arguments were understood: errors from here on are no usage errors.
func (c *cli) ran(do func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c.running = true
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
		defer stop()
		cmd.SetContext(ctx)
		return do(cmd, args)
	}
}

// settings are those of the subcommand: from flags and all other sources.
func (c *cli) settings(cmd *cobra.Command) (config.Config, error) {
	set := map[string]any{}
	known := map[string]bool{"config": true}
	for _, key := range config.Keys() {
		known[key] = true
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		key := strings.ReplaceAll(f.Name, "-", "_")
		if !known[key] {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			set[key] = list.GetSlice()
		} else {
			set[key] = f.Value.String()
		}
	})
	cfg, err := config.Load(config.Sources{Environ: os.Environ(), Home: config.HomeDir(), Flags: set})
	if err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// client speaks to the daemon, with patience for each request unless the user said
// how much.
func (c *cli) client(cmd *cobra.Command, patience time.Duration) (*control.Client, error) {
	cfg, err := c.settings(cmd)
	if err != nil {
		return nil, err
	}
	if c.timeout != 0 {
		patience = c.timeout
	}
	return control.NewClient(cfg.ControlSocket(), patience), nil
}

// appFlag adds the flag that says which application is meant.
func appFlag(cmd *cobra.Command, app *string) {
	cmd.Flags().StringVar(app, "app", "content", "the application that the object or message is of")
}
