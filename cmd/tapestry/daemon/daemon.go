// Package daemon runs one node of an overlay as a process: it keeps an identity in
// a state directory, publishes files and serves their bytes, and does what the
// command asks of it over the control socket.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/ipfs/go-datastore"
	leveldb "github.com/ipfs/go-ds-leveldb"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/config"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/content"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

// joinEvery is how long the daemon waits before it tries its seeds again.
const joinEvery = time.Second

// Daemon is a running node and what belongs to it.
type Daemon struct {
	cfg     config.Config
	version string
	log     *slog.Logger
	started time.Time
	shelf   content.Shelf

	unlock func() error
	store  datastore.Batching
	files  *files
	host   host.Host
	node   *tapestry.Node
	server http.Server
}

// Options are what a Daemon is started with besides its settings.
type Options struct {
	Version string
	Log     *slog.Logger
	// Show is told of messages for people that reach this node.
	Show func(m tapestry.Message)
}

// Start makes a daemon of the settings: it locks the state directory, attaches a
// node to a host and opens the control socket. Run makes it a member. If Start
// returns an error, nothing is left running; otherwise Close ends the daemon.
func Start(cfg config.Config, opts Options) (*Daemon, error) {
	d := &Daemon{cfg: cfg, version: opts.Version, log: opts.Log, started: time.Now()}
	for _, step := range []func() error{
		d.openState, d.openStore, d.openHost, func() error { return d.openNode(opts.Show) }, d.openSocket,
	} {
		if err := step(); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	return d, nil
}

func (d *Daemon) openState() (err error) {
	d.unlock, err = openState(d.cfg.State)
	return err
}

// openStore opens what is remembered over a restart.
func (d *Daemon) openStore() error {
	store, err := leveldb.NewDatastore(d.storePath(), nil)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", d.storePath(), tapestry.ErrDatastore, err)
	}
	d.store, d.files = store, newFiles(store, d.cfg.Network)
	return nil
}

func (d *Daemon) storePath() string { return filepath.Join(d.cfg.State, storeDir) }

func (d *Daemon) openHost() error {
	key, err := openKey(d.cfg.State)
	if err != nil {
		return err
	}
	d.host, err = libp2p.New(
		libp2p.Identity(key), libp2p.ListenAddrStrings(d.cfg.Listen...), tapestry.HostOptions(d.cfg.MaxLinks))
	if errors.Is(err, tapestry.ErrOption) {
		return fmt.Errorf("max_links: %w", err)
	}
	return err
}

func (d *Daemon) openNode(show func(tapestry.Message)) (err error) {
	options := []tapestry.Option{
		tapestry.WithNetwork(d.cfg.Network), tapestry.WithMaxLinks(d.cfg.MaxLinks), tapestry.WithZone(d.cfg.Zone),
		tapestry.WithDatastore(d.store), tapestry.WithLimits(tapestry.Limits{Pointers: d.cfg.MaxPointers, PointerBytes: d.cfg.MaxPointerBytes}),
	}
	sources, err := d.cfg.Sources()
	if err != nil {
		return err
	}
	options = append(options, tapestry.WithSeeds(sources...))
	if d.node, err = tapestry.New(d.host, options...); err == nil {
		d.node.Handle(content.App, &content.Server{Node: d.node.ID(), Shelf: &d.shelf, Show: show})
		err = d.fillShelf(context.Background())
	}
	if errors.Is(err, tapestry.ErrDatastore) {
		err = fmt.Errorf("%s: %w", d.storePath(), err)
	}
	return err
}

// openSocket serves the control API. The lock is ours, so a socket that is there
// already belongs to a daemon that died.
func (d *Daemon) openSocket() error {
	path := d.cfg.ControlSocket()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("control socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("control socket: %w", err), listener.Close())
	}
	d.server.Handler = control.Serve(&api{d})
	go func() {
		if err := d.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("control socket", "error", err)
		}
	}()
	return nil
}

// Join makes the daemon a member, trying its seeds until ctx ends.
func (d *Daemon) Join(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.JoinTimeout)
	defer cancel()
	for {
		err := d.tryJoin(ctx)
		if err == nil {
			return d.node.WaitReady(ctx)
		}
		d.log.Warn("join", "error", err)
		select {
		case <-time.After(joinEvery):
		case <-ctx.Done():
			return err
		}
	}
}

func (d *Daemon) tryJoin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tapestry.DefaultTimeout)
	defer cancel()
	return d.node.Join(ctx)
}

// Leave says goodbye to the overlay, within the time that the settings allow.
func (d *Daemon) Leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.LeaveTimeout)
	defer cancel()
	return d.node.Leave(ctx)
}

// Close ends everything, in the reverse order of Start.
func (d *Daemon) Close() error {
	err := d.server.Close()
	if d.node != nil {
		err = errors.Join(err, d.node.Close())
	}
	if d.host != nil {
		err = errors.Join(err, d.host.Close())
	}
	if d.store != nil {
		err = errors.Join(err, d.store.Close())
	}
	if d.unlock != nil {
		err = errors.Join(err, d.unlock())
	}
	return err
}

// ID is the node's identifier.
func (d *Daemon) ID() tapestry.ID { return d.node.ID() }

// Peer is the host's identifier.
func (d *Daemon) Peer() peer.ID { return d.host.ID() }

// Addrs are the addresses that others can take as seeds.
func (d *Daemon) Addrs() []string {
	var all []string
	for _, a := range d.host.Addrs() {
		all = append(all, a.String()+"/p2p/"+d.host.ID().String())
	}
	return all
}
