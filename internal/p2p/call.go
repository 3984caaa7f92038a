package p2p

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// calls are the requests whose outcome somebody waits for.
type calls struct {
	mu      sync.Mutex
	waiting map[env.Call]chan *env.Outcome
}

func newCalls() *calls { return &calls{waiting: map[env.Call]chan *env.Outcome{}} }

// begin names a new call, by 64 random bits.
func (c *calls) begin() (env.Call, <-chan *env.Outcome) {
	answer := make(chan *env.Outcome, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		call := env.Call(rand.Uint64())
		if _, taken := c.waiting[call]; !taken && call != 0 {
			c.waiting[call] = answer
			return call, answer
		}
	}
}

// end forgets a call, and returns who waits for it.
func (c *calls) end(call env.Call) chan *env.Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := c.waiting[call]
	delete(c.waiting, call)
	return answer
}

// Do gives the machines a request and waits for its outcome. The deadline that
// request is given is that of ctx, or Config.Timeout from now. When ctx is canceled
// Do returns at once, and the machines are told that nobody waits any more.
func (n *Node) Do(ctx context.Context, request func(call env.Call, deadline mono.Time) env.Local) (*env.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	timed, cancel := n.bounded(ctx)
	defer cancel()
	deadline, _ := timed.Deadline()
	call, answer := n.calls.begin()
	select {
	case n.mail.tasks <- local{request(call, n.clock.of(deadline))}:
	case <-ctx.Done():
		n.calls.end(call)
		return nil, ctx.Err()
	case <-n.life.over():
		n.calls.end(call)
		return nil, ErrClosed
	}
	select {
	case out := <-answer:
		return out, nil
	case <-ctx.Done():
		n.calls.end(call)
		n.life.start(func() { n.mail.post(&env.Cancel{Call: call}) })
		return nil, ctx.Err()
	case <-n.life.over():
		n.calls.end(call)
		return nil, ErrClosed
	}
}

// Join makes the node a member of the overlay that one of seeds belongs to, or of a
// new one if there are none.
func (n *Node) Join(ctx context.Context, seeds []peer.AddrInfo) (*env.Outcome, error) {
	ids := make([]idspace.ID, 0, len(seeds))
	for _, s := range seeds {
		if s.ID == n.host.ID() {
			continue
		}
		n.book.seed(s)
		n.forgive(s.ID)
		ids = append(ids, idOf(s.ID))
	}
	return n.Do(ctx, func(call env.Call, _ mono.Time) env.Local {
		return &env.JoinRequest{Call: call, Seeds: ids}
	})
}
