package routing

import (
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Guard is asked before this node answers as root: whether the holes that a route to the
// key passes over here are holes (design §3, the witness).
type Guard interface {
	Judge(e env.Env, key idspace.ID) Standing
}

// Standing is what is known of such holes. Later ones outweigh earlier ones.
type Standing uint8

// The standings.
const (
	Sure    Standing = iota // nobody lives there
	Waiting                 // it will be known, and posted as Witnessed
	Unsure                  // nobody can tell
)

// Heed has the router ask g before it lets this node answer as root. Called once, by node.
func (r *Router) Heed(g Guard) { r.guard = g }

// barred says why this node must not answer as root now; wait if it will be known soon.
// Only who looks for its own ID is answered by a node that doubts itself.
func (r *Router) barred(e env.Env, m *wire.Routed) (why wire.Refusal, wait bool) {
	switch {
	case !r.active:
		return wire.Refusal_REFUSAL_NOT_JOINED, false
	case m.BodyKind == wire.BodyKind_BODY_SELF_PROBE:
		return wire.Refusal_REFUSAL_NONE, false
	case r.unsure:
		return wire.Refusal_REFUSAL_UNSURE, false
	case r.guard == nil:
		return wire.Refusal_REFUSAL_NONE, false
	}
	switch r.guard.Judge(e, wire.ID(m.Key)) {
	case Waiting:
		return wire.Refusal_REFUSAL_UNSURE, m.HopsLeft > 0
	case Unsure:
		return wire.Refusal_REFUSAL_UNSURE, false
	}
	return wire.Refusal_REFUSAL_NONE, false
}

// await parks a request until it is known whether this node is the root. Its machine has
// not seen it yet: it may have to go on.
func (r *Router) await(e env.Env, m *wire.Routed, from idspace.ID) {
	r.forward(e, m, passage{from: from, hop: surrogate.Hop{Wait: true}, unseen: true})
}

// OnWitnessed looks again at what waits for a way: it may be known by now who is the root.
func (r *Router) OnWitnessed(e env.Env) { r.unpark(e) }
