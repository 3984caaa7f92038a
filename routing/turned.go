package routing

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// A node whose uplink is behind takes no more requests of applications from others: it says so in
// the acknowledgement, which costs next to nothing, and brings on what it has. Whoever sent the
// request still has it. It gives it to another node of the same slot or, if there is none, says
// busy to whom it came from, and so to the origin, which begins fewer.

// mostDelay is how far an uplink may be behind.
const mostDelay = 500 * time.Millisecond

// full reports whether a request that has come is turned away.
func (r *Router) full(e env.Env, m *wire.Routed) bool {
	return !m.Reply && paced(m.BodyKind) && r.links.Queued(e.Now()) > mostDelay && !r.met(m)
}

// met reports whether a copy of a request has been taken here before.
func (r *Router) met(m *wire.Routed) bool {
	return r.calls.find(m.Call) != nil || r.seen.find(copyKey(m)) != nil
}

// turned goes on with a request that the next hop has turned away.
func (r *Router) turned(e env.Env, t *transit) {
	t.tried = append(t.tried, t.to)
	hop := r.tables.Next(wire.ID(t.msg.Key), surrogate.Skip{Excluded: wire.IDs(t.msg.Excluded), Tried: t.tried})
	switch {
	case !e.Now().Before(t.deadline):
		drop(e, "deadline", t.from)
	case hop.Rule == wire.Rule_RULE_SLOT || hop.Rule == wire.Rule_RULE_BACKUP:
		r.send(e, t, hop)
	default:
		refused := copyOf(t.in)
		refused.Resent = t.msg.Resent
		r.refuse(e, refused, t.from, wire.Refusal_REFUSAL_BUSY)
	}
}
