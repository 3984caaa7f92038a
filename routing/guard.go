package routing

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Guard is asked before this node answers as root: whether the holes that a route to the
// key passes over here are holes (design §3, the witness).
type Guard interface {
	// Judge returns what is known, and if it is Relayed, who reaches the one that stands there.
	// Of nodes that the request excludes it is as if they did not live.
	Judge(e env.Env, key idspace.ID, excluded []idspace.ID) (s Standing, by idspace.ID)
}

// Standing is what is known of such holes. Later ones outweigh earlier ones.
type Standing uint8

// The standings.
const (
	Sure    Standing = iota // nobody lives there
	Relayed                 // somebody does whom another node reaches, and not this one
	Waiting                 // it will be known, and posted as Witnessed
	Unsure                  // nobody can tell
)

// Heed has the router ask g before it lets this node answer as root. Called once, by node.
func (r *Router) Heed(g Guard) { r.guard = g }

// bar is why this node must not answer as root.
type bar struct {
	why  wire.Refusal // REFUSAL_NONE if it may
	wait bool         // it will be known soon
	by   idspace.ID   // who reaches the root, zero if nobody has to be asked to
}

// barred says whether this node must not answer as root now. Only who looks for its own ID is
// answered by a node that doubts itself, though never across a slot that may not be empty: it would
// take the neighbors of a wrong root for strangers.
func (r *Router) barred(e env.Env, m *wire.Routed) bar {
	switch {
	case !r.active:
		return bar{why: wire.Refusal_REFUSAL_NOT_JOINED}
	case r.unsure && m.BodyKind != wire.BodyKind_BODY_SELF_PROBE:
		return bar{why: wire.Refusal_REFUSAL_UNSURE}
	case r.guard == nil:
		return bar{}
	}
	unsure := wire.Refusal_REFUSAL_UNSURE
	switch s, by := r.guard.Judge(e, wire.ID(m.Key), wire.IDs(m.Excluded)); s {
	case Relayed:
		return bar{why: unsure, wait: m.HopsLeft > 0 && r.links.Suspect(by), by: by}
	case Waiting:
		return bar{why: unsure, wait: m.HopsLeft > 0}
	case Unsure:
		return bar{why: unsure}
	}
	return bar{}
}

// relayed is m as it goes on through a node that reaches the root, which this one does not: by
// one hop, from where it is routed as if this node were not there (design §5). It is nil if
// there is no such node any more, or no room to say so.
func (r *Router) relayed(m *wire.Routed, b bar) *wire.Routed {
	excluded := wire.IDs(m.Excluded)
	if b.by.IsZero() || !r.links.Linked(b.by) || len(excluded) == wire.MaxExclude || slices.Contains(excluded, r.tables.Self) {
		return nil
	}
	out := copyOf(m)
	out.Excluded = append(slices.Clone(m.Excluded), r.tables.Self[:]...)
	return out
}

// await parks a request until it is known whether this node is the root. Its machine has
// not seen it yet: it may have to go on.
func (r *Router) await(e env.Env, m *wire.Routed, from idspace.ID) {
	r.forward(e, m, passage{from: from, hop: surrogate.Hop{Wait: true}, unseen: true})
}

// OnWitnessed looks again at what waits for a way: it may be known by now who is the root.
func (r *Router) OnWitnessed(e env.Env) { r.unpark(e) }
