package tapestry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/publish"
)

// DefaultTimeout is the deadline of a verb whose context has none.
const DefaultTimeout = 10 * time.Second

// Node is a member of an overlay, attached to a libp2p host. Its methods may be
// called from any number of goroutines.
type Node struct {
	id       ID
	host     host.Host
	settings settings
	world    *p2p.Node
	bulletin *bulletin
	tracing  sync.WaitGroup
	kept     *kept // what is kept over a restart; nil without a datastore

	ready     chan struct{} // closed when the node is an active member
	readyOnce sync.Once
	closed    chan struct{} // closed by Close
	closeOnce sync.Once
	closeErr  error
}

// New attaches a node to h. It is a member of nothing until it has joined, but
// handlers can be set before. The host stays the caller's, to be
// closed after the node.
//
// If New returns an error, nothing that it started is left running; otherwise
// Close ends everything that it started.
func New(h host.Host, opts ...Option) (*Node, error) {
	s, err := collect(opts)
	if err != nil {
		return nil, &OpError{Op: "new", Err: err}
	}
	n := &Node{
		id: NodeIDFromPeer(h.ID()), host: h, settings: s,
		ready: make(chan struct{}), closed: make(chan struct{}),
	}
	if n.kept, err = openKept(n); err != nil {
		return nil, &OpError{Op: "new", Err: err}
	}
	if n.bulletin, err = newBulletin(h.EventBus()); err != nil {
		return nil, &OpError{Op: "new", Err: err}
	}
	n.world, err = p2p.New(h, p2p.Config{
		Network: s.network,
		Zone:    s.zone,
		Node: node.Config{
			Links: links.Config{Cap: s.maxLinks}, Roots: s.roots, Acks: s.acks, Pointers: s.limits,
			Publish: publish.Config{Kept: n.kept.left()},
		},
		Observe: n.observe,
		Seeds:   lookUp(s.seeds),
		Store:   s.store,
	})
	if err != nil {
		return nil, &OpError{Op: "new", Err: errors.Join(err, n.bulletin.close())}
	}
	n.world.Handle(string(peerApp), introduce(h))
	n.announce()
	n.trace(s.tracer)
	n.kept.start()
	return n, nil
}

// ID is this node's identifier in the overlay: NodeIDFromPeer of its host.
func (n *Node) ID() ID { return n.id }

// Join makes this node a member of the overlay that one of seeds is in, or one of those
// that WithSeeds finds; one reachable seed is enough. Without any it comes back by the
// neighbors that it remembers (WithDatastore), or else founds an overlay of its own. Join
// returns when the overlay has answered; WaitReady waits until this node answers
// for its part of it.
func (n *Node) Join(ctx context.Context, seeds ...peer.AddrInfo) error {
	ctx, cancel := n.limit(ctx)
	defer cancel()
	_, err := n.ended("join", ID{}, func() (*env.Outcome, error) { return n.world.Join(ctx, seeds) })
	return err
}

// WaitReady waits until this node is an active member: its neighbors have confirmed
// it, and it can answer for its part of the overlay. It waits as long as ctx lets it.
func (n *Node) WaitReady(ctx context.Context) error {
	select {
	case <-n.ready:
		return nil
	default:
	}
	select {
	case <-n.ready:
		return nil
	case <-n.closed:
		return &OpError{Op: "wait ready", Err: ErrClosed}
	case <-ctx.Done():
		return &OpError{Op: "wait ready", Err: ctx.Err()}
	}
}

// Leave says goodbye: it tells the overlay that nothing of what this node published is
// here any more, hands over what it held for others, and tells its neighbors. It is bounded
// by ctx. After it the node can only be closed. With a datastore what was published will be
// again when the node is started again: only UnpublishObject takes an object back for good.
func (n *Node) Leave(ctx context.Context) error {
	n.kept.stop()
	n.world.Remember()
	_, err := n.do(ctx, "leave", ID{}, func(c env.Call, _ mono.Time) env.Local {
		return &env.LeaveRequest{Call: c}
	})
	return err
}

// Close ends everything that this node does; verbs under way return ErrClosed. It
// says no goodbye: call Leave first, or the neighbors must find out by themselves.
// When it returns, no goroutine of this node is left and none of its handlers runs.
// Further calls do nothing and return the same.
func (n *Node) Close() error {
	n.closeOnce.Do(func() {
		close(n.closed)
		n.kept.stop()
		n.closeErr = n.world.Close()
		n.tracing.Wait()
		n.bulletin.wait()
	})
	return n.closeErr
}

// graceMost is how much earlier than the caller the core gives up, so that its word
// on what became of a request, which says more than that time is up, comes in time.
const graceMost = 100 * time.Millisecond

// do runs one request of the core, with the default deadline if ctx has none.
func (n *Node) do(ctx context.Context, op string, id ID, request func(env.Call, mono.Time) env.Local) (*env.Outcome, error) {
	return n.follow(ctx, op, id, request, func([]env.Replica) bool { return true })
}

// follow is do for what tells as it finds it; there is no outcome if found has returned false.
func (n *Node) follow(ctx context.Context, op string, id ID, request func(env.Call, mono.Time) env.Local, found func([]env.Replica) bool) (*env.Outcome, error) {
	ctx, cancel := n.limit(ctx)
	defer cancel()
	return n.ended(op, id, func() (*env.Outcome, error) {
		asked, err := n.ask(ctx, request)
		if err != nil {
			return nil, err
		}
		return asked.Follow(ctx, found)
	})
}

// ask gives the core a request that somebody has to wait for; ctx has a deadline.
func (n *Node) ask(ctx context.Context, request func(env.Call, mono.Time) env.Local) (*p2p.Asked, error) {
	deadline, _ := ctx.Deadline()
	grace := min(graceMost, time.Until(deadline)/10)
	return n.world.Ask(ctx, func(c env.Call, until mono.Time) env.Local { return request(c, until.Add(-grace)) })
}

func (n *Node) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, DefaultTimeout)
}

// ended makes one error of the two ways in which a request fails: it could not be
// asked, or its outcome says so.
func (n *Node) ended(op string, id ID, run func() (*env.Outcome, error)) (*env.Outcome, error) {
	select {
	case <-n.closed:
		return nil, &OpError{Op: op, ID: id, Err: ErrClosed}
	default:
	}
	out, err := run()
	switch {
	case errors.Is(err, p2p.ErrClosed):
		err = ErrClosed
	case err == nil && out != nil:
		err = outcomeError(out)
	}
	if err != nil {
		return out, &OpError{Op: op, ID: id, Err: err}
	}
	return out, nil
}

// observe is told of every event on the node's own loop; it must not block.
func (n *Node) observe(ev env.Event) {
	switch ev := ev.(type) {
	case *env.Ready:
		n.readyOnce.Do(func() { close(n.ready) })
	case *env.Behind:
		logger.Warnw("objects are published again later than they should be", "network", n.settings.network,
			"late", ev.Late, "spare", ev.Spare, "objects", ev.Served)
	}
}
