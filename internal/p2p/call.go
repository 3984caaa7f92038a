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
	waiting map[env.Call]waiter
}

// waiter is who waits for a call.
type waiter struct {
	answer chan *env.Outcome
	found  chan []env.Replica
}

// mostFound is how often a call tells what it has found: for each answer to the questions that a
// locate asks, of which there are at most three for each root, once.
const mostFound = 64

func newCalls() *calls { return &calls{waiting: map[env.Call]waiter{}} }

// begin names a new call, by 64 random bits.
func (c *calls) begin() (env.Call, waiter) {
	w := waiter{answer: make(chan *env.Outcome, 1), found: make(chan []env.Replica, mostFound)}
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		call := env.Call(rand.Uint64())
		if _, taken := c.waiting[call]; !taken && call != 0 {
			c.waiting[call] = w
			return call, w
		}
	}
}

// end forgets a call, and returns who waits for it.
func (c *calls) end(call env.Call) chan *env.Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := c.waiting[call].answer
	delete(c.waiting, call)
	return answer
}

// found tells who waits for a call what it has found so far.
func (c *calls) found(f *env.Found) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case c.waiting[f.Call].found <- f.Replicas:
	default: // nobody waits
	}
}

// Asked is a request that the machines have been given.
type Asked struct {
	node  *Node
	call  env.Call
	waits waiter
}

// Do gives the machines a request and waits for its outcome. The deadline that
// request is given is that of ctx, or Config.Timeout from now. When ctx is canceled
// Do returns at once, and the machines are told that nobody waits any more.
func (n *Node) Do(ctx context.Context, request func(call env.Call, deadline mono.Time) env.Local) (*env.Outcome, error) {
	return n.Follow(ctx, request, func([]env.Replica) bool { return true })
}

// Follow is Do for a request that tells what it finds: see Asked.Follow.
func (n *Node) Follow(ctx context.Context, request func(call env.Call, deadline mono.Time) env.Local, found func([]env.Replica) bool) (*env.Outcome, error) {
	a, err := n.Ask(ctx, request)
	if err != nil {
		return nil, err
	}
	return a.Follow(ctx, found)
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
	call, waits := n.calls.begin()
	select {
	case n.mail.tasks <- local{request(call, n.clock.of(deadline))}:
		return &Asked{n, call, waits}, nil
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
	return a.Follow(ctx, func([]env.Replica) bool { return true })
}

// Follow is Wait for a request that tells what it finds as it finds it: found is called with that,
// on the caller's goroutine, before Follow returns. If it returns false Follow cancels the request, and
// there is no outcome.
func (a *Asked) Follow(ctx context.Context, found func([]env.Replica) bool) (*env.Outcome, error) {
	for {
		select {
		case some := <-a.waits.found:
			if !found(some) {
				a.cancel()
				return nil, nil
			}
		case out := <-a.waits.answer:
			rest(a.waits.found, found)
			return out, nil
		case <-ctx.Done():
			a.cancel()
			return nil, ctx.Err()
		case <-a.node.life.over():
			a.node.calls.end(a.call)
			return nil, ErrClosed
		}
	}
}

// cancel tells the machines that nobody waits any more.
func (a *Asked) cancel() {
	a.node.calls.end(a.call)
	a.node.cancel(a.call)
}

// rest tells what was found just before a request ended.
func rest(from <-chan []env.Replica, found func([]env.Replica) bool) {
	for {
		select {
		case some := <-from:
			if !found(some) {
				return
			}
		default:
			return
		}
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
