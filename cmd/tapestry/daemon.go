package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/config"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/daemon"
)

func (c *cli) daemon() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "daemon",
		Short: "Run a node of the overlay",
		Long: `daemon runs a node until it is told to stop. It joins the overlay of its seeds. If it
has none it comes back by the neighbors that its state directory remembers, or founds
an overlay. It prints its identifiers and addresses when it is a member, and publishes
again what it served before and was not told to unpublish. SIGTERM and SIGINT have it
leave: it tells the overlay that its files are not here for now, and hands over what it
holds. A second signal ends it at once.

Settings come from flags, then TAPESTRY_* in the environment, then the config file
(YAML), then defaults: --max-links, TAPESTRY_MAX_LINKS and max_links are the same.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings(cmd)
			if err != nil {
				return err
			}
			if err := cfg.CheckSeedFile(); err != nil {
				return usageError{err}
			}
			return c.serve(cmd.Context(), cfg)
		},
	}
	flags := cmd.Flags()
	flags.String("network", "", "name of the overlay (default: default)")
	flags.StringArray("listen", nil, "multiaddr to listen on, again for more (default: port 4160, QUIC and TCP)")
	flags.StringArray("seed", nil, "multiaddr with peer ID of a node to join by, or /dnsaddr, again for more (default: found an overlay)")
	flags.String("seed-file", "", "file with one such multiaddr per line; read again whenever the overlay is lost")
	flags.String("zone", "", "this node's place, for example eu/frankfurt/rack7")
	flags.Int("max-links", 0, "most links to other nodes (default: 160)")
	flags.Int("max-pointers", 0, "most pointers kept for others (default: 500000)")
	flags.Int("max-pointer-bytes", 0, "most bytes of their records (default: 256 MiB)")
	flags.Duration("join-timeout", 0, "how long to try to become a member (default: 1m)")
	flags.Duration("leave-timeout", 0, "how long to take for leaving (default: 10s)")
	flags.String("log-level", "", "debug, info, warn or error (default: info)")
	return cmd
}

// serve runs a daemon until a signal or ctx ends it.
func (c *cli) serve(ctx context.Context, cfg config.Config) error {
	log := c.logger(cfg)
	ctx, stop := untilSignal(ctx, log)
	defer stop()
	d, err := daemon.Start(cfg, daemon.Options{Version: buildVersion(), Log: log, Show: c.show})
	if err != nil {
		return err
	}
	defer func() {
		if err := d.Close(); err != nil {
			log.Warn("close", "error", err)
		}
	}()
	switch err := d.Join(ctx); {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	if err := c.ready(d, cfg); err != nil {
		return err
	}
	<-ctx.Done()
	if err := d.Leave(); err != nil {
		log.Warn("leave", "error", err)
	}
	return nil
}

// untilSignal ends with the first signal to stop, or with ctx; a second signal ends
// the process at once.
func untilSignal(ctx context.Context, log *slog.Logger) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		first := true
		for s := range signals {
			if !first {
				os.Exit(int(exitError))
			}
			first = false
			log.Info("leaving", "signal", s.String())
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

func (c *cli) logger(cfg config.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Level()}
	if c.json {
		return slog.New(slog.NewJSONHandler(c.err, options))
	}
	return slog.New(slog.NewTextHandler(c.err, options))
}

// ready says that the daemon is a member, and where it can be reached.
func (c *cli) ready(d *daemon.Daemon, cfg config.Config) error {
	about := struct {
		Event  string      `json:"event"`
		ID     tapestry.ID `json:"id"`
		Peer   string      `json:"peer"`
		Addrs  []string    `json:"addrs"`
		Socket string      `json:"socket"`
	}{"ready", d.ID(), d.Peer().String(), d.Addrs(), cfg.ControlSocket()}
	return c.print(about, func(w io.Writer) {
		row(w, "node", about.ID)
		row(w, "peer", about.Peer)
		row(w, "address", lines(about.Addrs))
		row(w, "ready")
	})
}

// show prints a message that somebody routed here.
func (c *cli) show(m tapestry.Message) {
	about := struct {
		Event         string        `json:"event"`
		From          tapestry.ID   `json:"from"`
		Authenticated bool          `json:"authenticated"`
		GUID          tapestry.GUID `json:"guid"`
		Message       string        `json:"message"`
	}{"message", m.From, m.Authenticated, m.GUID, string(m.Payload)}
	c.showing.Lock()
	defer c.showing.Unlock()
	// A daemon whose output nobody reads any more serves on.
	_ = c.print(about, func(w io.Writer) { fmt.Fprintf(w, "message from %s: %q\n", about.From, about.Message) })
}
