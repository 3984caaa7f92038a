package p2p

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/multiformats/go-multiaddr"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// ErrClosed is what calls get after Close.
var ErrClosed = errors.New("node is closed")

// Node runs one overlay node on a host.
type Node struct {
	cfg      Config
	host     host.Host
	key      crypto.PrivKey
	self     idspace.ID
	protocol protocol.ID // of links
	bodies   protocol.ID // of direct streams
	core     *node.Node  // nil if the machine is a double

	clock   clock
	life    *lifetime
	mail    *mailbox
	book    *book
	records *verifier
	own     *own
	lease   *lease.Chain // of this life's first record
	inbound *intake
	seeds   *seeds
	memory  *memory
	apps    *apps
	calls   *calls
	counts  *counts
	taps    *taps
	dialing chan struct{} // a token per dial under way

	// loop is the loop's own but for its run, step and look.
	loop   *loop
	last   sync.Mutex // held by who looks at the loop's things once it has ended
	events event.Subscription
}

// Protocol is the ID of the protocol that links of a network speak.
func Protocol(network string) protocol.ID { return protocol.ID("/tapestry/" + network + "/1.0.0") }

// BodyProtocol is the ID of the protocol of direct streams.
func BodyProtocol(network string) protocol.ID {
	return protocol.ID("/tapestry/" + network + "/stream/1.0.0")
}

// New attaches a node to h and starts it; it joins nothing yet. It starts nothing
// that outlives Close. The host stays the caller's, to be closed after the node.
func New(h host.Host, cfg Config) (*Node, error) {
	return build(h, cfg, func(n *Node) (machine, error) {
		c := n.cfg.Node
		c.Self, c.Network, c.Generation = n.self, n.cfg.Network, n.cfg.Generation
		c.Record, c.Lease, c.Forward, c.Group = n.own.current(), n.lease, n.apps.forward, n.group
		core, err := node.New(c)
		n.core, n.cfg.Node.Publish.Kept = core, nil // there may be millions, which the core has taken
		return core, err
	})
}

// build makes a node around a machine.
func build(h host.Host, cfg Config, brain func(*Node) (machine, error)) (*Node, error) {
	n, err := prepare(h, cfg)
	if err != nil {
		return nil, fmt.Errorf("p2p: %w", err)
	}
	m, err := brain(n)
	if err != nil {
		return nil, fmt.Errorf("p2p: %w", err)
	}
	n.loop = newLoop(n, m, rand.New(seed(n.cfg.Seed)))
	n.events, err = h.EventBus().Subscribe(
		[]any{new(event.EvtLocalAddressesUpdated), new(event.EvtPeerConnectednessChanged)}, eventbus.BufSize(256))
	if err != nil {
		return nil, fmt.Errorf("p2p: %w", err)
	}
	n.life.start(n.loop.run)
	n.life.start(n.listen)
	n.life.start(n.seek)
	h.SetStreamHandler(n.protocol, n.accept)
	h.SetStreamHandler(n.bodies, n.acceptBody)
	n.warn()
	return n, nil
}

// prepare makes everything but the machine and the goroutines.
func prepare(h host.Host, cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if slices.Contains(h.Mux().Protocols(), Protocol(cfg.Network)) {
		return nil, fmt.Errorf("the host carries a node of network %q already", cfg.Network)
	}
	key := h.Peerstore().PrivKey(h.ID())
	if key == nil {
		return nil, errors.New("the host has no private key")
	}
	b, err := newBook(idOf(h.ID()), cfg.Book)
	if err != nil {
		return nil, err
	}
	v, err := newVerifier(cfg.Network, cfg.Verified, b)
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, host: h, key: key, self: idOf(h.ID()),
		protocol: Protocol(cfg.Network), bodies: BodyProtocol(cfg.Network),
		clock: newClock(), life: newLifetime(), book: b, records: v,
		seeds: newSeeds(cfg.Seeds), memory: newMemory(cfg.Store, cfg.Network, idOf(h.ID())),
		apps: newApps(cfg.Handlers), calls: newCalls(), counts: newCounts(), taps: newTaps(),
		dialing: make(chan struct{}, cfg.Dials),
	}
	n.mail = newMailbox(cfg.Mailbox, n.life.over())
	n.inbound = newIntake(&n.cfg)
	return n, n.awake()
}

// awake takes up what there is from an earlier life, and signs this life's first record.
func (n *Node) awake() (err error) {
	if n.cfg.Generation == 0 {
		if n.cfg.Generation, err = n.memory.reborn(n.life.ctx, time.Now()); err != nil {
			return err
		}
	}
	if err := n.recall(n.life.ctx); err != nil {
		logger.Warnw("neighbors of an earlier life are forgotten", "error", err)
	}
	n.lease = newLease()
	anchor := n.lease.Anchor()
	n.own = newOwn(n.key, &wire.NodeRecord{
		Network: n.cfg.Network, Peer: []byte(n.host.ID()), Generation: n.cfg.Generation, Zone: n.cfg.Zone, Lease: anchor[:],
	})
	_, err = n.own.update(n.host.Addrs())
	return err
}

// newLease makes the chain of a lease that nobody can guess.
func newLease() *lease.Chain {
	var secret [32]byte
	crand.Read(secret[:]) // never fails
	var words [4]uint64
	for i := range words {
		words[i] = binary.BigEndian.Uint64(secret[8*i:])
	}
	return lease.New(words)
}

// seed returns the source of the machines' randomness.
func seed(fixed uint64) rand.Source {
	var s [32]byte
	if fixed != 0 {
		binary.BigEndian.PutUint64(s[:], fixed)
	} else {
		crand.Read(s[:]) // never fails
	}
	return rand.NewChaCha8(s)
}

// listen passes what the host tells to the loop.
func (n *Node) listen() {
	renew := time.NewTicker(lease.Length * lease.Period / 2)
	defer renew.Stop()
	for {
		select {
		case <-renew.C:
			n.release()
		case ev := <-n.events.Out():
			switch ev := ev.(type) {
			case event.EvtLocalAddressesUpdated:
				n.readdress()
			case event.EvtPeerConnectednessChanged:
				if ev.Connectedness != network.Connected {
					n.mail.put(disconnected{ev.Peer})
				}
			}
		case <-n.life.over():
			return
		}
	}
}

// readdress signs this node's record anew if the host's addresses have changed.
func (n *Node) readdress() {
	changed, err := n.own.update(n.host.Addrs())
	if err != nil {
		logger.Errorw("own record cannot be signed", "error", err)
	} else if changed {
		n.mail.post(&env.SelfChanged{Record: n.own.current()})
	}
}

// release begins another lease, long before this one has no tokens left.
func (n *Node) release() {
	next := newLease()
	if err := n.own.lease(next); err != nil {
		logger.Errorw("own record cannot be signed", "error", err)
		return
	}
	n.mail.post(&env.SelfChanged{Record: n.own.current(), Lease: next})
}

// ID is the node's identifier.
func (n *Node) ID() idspace.ID { return n.self }

// Peer is the host's peer ID.
func (n *Node) Peer() peer.ID { return n.host.ID() }

// Addrs are where the host can be dialed, as it knows now.
func (n *Node) Addrs() []multiaddr.Multiaddr { return n.host.Addrs() }

// Record is the node's own record as it is now.
func (n *Node) Record() *wire.SignedRecord { return n.own.current() }

// Inspect runs look on the loop and waits for it: for tests and oracles, never from
// the loop itself.
func (n *Node) Inspect(look func(*node.Node)) {
	n.loop.look(func(*loop) { look(n.core) })
}

// Close takes the node off its host. Calls under way end with ErrClosed, the
// contexts of handlers are canceled and the handlers waited for; what the loop had
// sent is still written, for half a second at most. It is idempotent, and must not be
// called from a handler or observer.
func (n *Node) Close() error {
	first := n.life.end()
	if first {
		n.host.RemoveStreamHandler(n.protocol)
		n.host.RemoveStreamHandler(n.bodies)
		n.events.Close()
	}
	n.life.wg.Wait()
	if first {
		n.Remember()
	}
	n.taps.close()
	return nil
}

// bounded is ctx with the node's own end, and its default deadline if it has none.
func (n *Node) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, n.cfg.Timeout)
}
