package p2p

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/tapestry-dolr/tapestry/internal/env"
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

// Asked is a request that the machines have been given.
type Asked struct {
	node   *Node
	call   env.Call
	answer <-chan *env.Outcome
}

// Do gives the machines a request and waits for its outcome. The deadline that
// request is given is that of ctx, or Config.Timeout from now. When ctx is canceled
// Do returns at once, and the machines are told that nobody waits any more.
func (n *Node) Do(ctx context.Context, request func(call env.Call, deadline mono.Time) env.Local) (*env.Outcome, error) {
	a, err := n.Ask(ctx, request)
	if err != nil {
		return nil, err
	}
	return a.Wait(ctx)
}

// Ask is the first half of Do: it gives the machines a request. What is asked after it has
// returned comes after it. Whoever asks must wait.
func (n *Node) Ask(ctx context.Context, request func(call env.Call, deadline mono.Time) env.Local) (*Asked, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	timed, cancel := n.bounded(ctx)
	defer cancel()
	deadline, _ := timed.Deadline()
	call, answer := n.calls.begin()
	select {
	case n.mail.tasks <- local{request(call, n.clock.of(deadline))}:
		return &Asked{n, call, answer}, nil
	case <-ctx.Done():
		n.calls.end(call)
		return nil, ctx.Err()
	case <-n.life.over():
		n.calls.end(call)
		return nil, ErrClosed
	}
}

// Wait is the second half of Do: it waits for the outcome.
func (a *Asked) Wait(ctx context.Context) (*env.Outcome, error) {
	n := a.node
	select {
	case out := <-a.answer:
		return out, nil
	case <-ctx.Done():
		n.calls.end(a.call)
		n.cancel(a.call)
		return nil, ctx.Err()
	case <-n.life.over():
		n.calls.end(a.call)
		return nil, ErrClosed
	}
}

// cancel tells the machines that nobody waits for call any more, before they are told of
// what is asked next, unless they are so busy that the caller would have to wait.
func (n *Node) cancel(call env.Call) {
	l := &env.Cancel{Call: call}
	if !n.mail.offer(local{l}) {
		n.life.start(func() { n.mail.post(l) })
	}
}
