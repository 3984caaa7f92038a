package routing

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Answer sends the reply to a request that this node consumed, or refuses it, along the
// path that it came. The answer is remembered: a duplicate of the call gets it again.
func (r *Router) Answer(e env.Env, request *wire.Routed, body []byte, why wire.Refusal) {
	reply := &wire.Routed{Body: body, Refusal: why}
	if why == wire.Refusal_REFUSAL_BUSY {
		reply.RetryAfterMs = uint32(r.RetryAfter(e) / time.Millisecond)
	}
	r.conclude(e, request, reply)
}

// Decline refuses a request that this node consumed because of a limit, and says when there may be
// room.
func (r *Router) Decline(e env.Env, request *wire.Routed, limit wire.Limit, again time.Duration) {
	r.conclude(e, request, &wire.Routed{
		Refusal: wire.Refusal_REFUSAL_LIMIT, Limit: limit, RetryAfterMs: uint32(again / time.Millisecond),
	})
}

// conclude sends what reply says as the reply to a request, and remembers it.
func (r *Router) conclude(e env.Env, request, reply *wire.Routed) {
	c := r.calls.add(request.Call, e.Now())
	if c.note == nil {
		c.note = r.asking
	}
	reply.Call, reply.BodyKind, reply.Reply, reply.Resent = request.Call, request.BodyKind, true, request.Resent
	reply.Trail = append(slices.Clone(request.Path), r.tables.Self[:]...)
	reply.Explain, reply.Notes = request.Explain, request.Notes
	c.reply = reply
	if c.note != nil {
		if c.note.Rule != wire.Rule_RULE_ROOT {
			c.note.Rule = wire.Rule_RULE_POINTER
		}
		c.note.RttUs = 0 // it goes nowhere from here
		c.reply.Notes = append(slices.Clone(request.Notes), c.note)
	}
	r.sendBack(e, c.reply, request)
}

// pause is the mean time after which whoever was refused as busy may try again.
const pause = time.Second

// RetryAfter draws when to try again what this node has no room for: those who were refused
// together should not come back together, nor soon to a node that is slow.
func (r *Router) RetryAfter(e env.Env) time.Duration { return env.Jitter(e, r.Stretched(pause)) }

// again answers a duplicate of a call that was consumed here, if it has been answered.
func (r *Router) again(e env.Env, duplicate *wire.Routed, c *call) {
	if c.reply != nil {
		r.sendBack(e, c.reply, duplicate)
	}
}

// sendBack sends a reply along the path of request.
func (r *Router) sendBack(e env.Env, reply, request *wire.Routed) {
	out := copyOf(reply)
	out.Path, out.HopsLeft = request.Path, wire.MaxHops
	out.Key = r.tables.Self[:]
	if len(request.Path) > 0 {
		out.Key = request.Path[:idspace.Size] // the origin: where to route to if the path is broken
	}
	out.DeadlineMs = uint32(r.cfg.Life / time.Millisecond)
	r.reply(e, out, r.tables.Self)
}

// reply takes a reply at this node: for a call that began here, or on its way back. A
// refusal of a call that was sent more than once from here is marked: another copy may
// have been delivered.
func (r *Router) reply(e env.Env, m *wire.Routed, from idspace.ID) {
	if m.Refusal != wire.Refusal_REFUSAL_NONE && !m.Resent && r.resent.find(m.Call) != nil {
		m = copyOf(m)
		m.Resent = true
	}
	if r.awaits(m.Call) {
		delete(r.passed, m.Call)
		r.drained(e)
	}
	switch {
	case len(m.Path) == 0:
		r.concluded(e, m, m.Refusal)
		defer r.admit(e)
		if u := r.upcall(m.BodyKind); u != nil {
			u.OnReply(e, m)
		}
	case m.HopsLeft == 0:
		drop(e, "hop limit", from)
	case r.Pending() >= r.cfg.Pending:
		drop(e, "router full", from)
	default:
		out := copyOf(m)
		out.HopsLeft--
		r.nextBack(e, &transit{msg: out, from: from, deadline: r.deadline(e, m)})
	}
}

// nextBack sends a reply to the last node of its path that is not suspected, or routes
// it to the origin's ID if none is left (design §5).
func (r *Router) nextBack(e env.Env, t *transit) {
	rest := t.msg.Path
	for len(rest) > 0 {
		last := idspace.ID(rest[len(rest)-idspace.Size:])
		rest = rest[:len(rest)-idspace.Size]
		if last != r.tables.Self && !r.links.Suspect(last) && !slices.Contains(t.tried, last) {
			t.msg = copyOf(t.msg)
			t.msg.Path = rest
			r.send(e, t, surrogate.Hop{To: last})
			return
		}
	}
	origin := wire.ID(t.msg.Key)
	hop := r.tables.Next(origin, surrogate.Skip{Tried: t.tried})
	switch {
	case hop.Wait:
		r.park(e, t)
	case hop.Rule == wire.Rule_RULE_ROOT:
		drop(e, "no way back", t.from)
	default:
		t.msg = copyOf(t.msg)
		t.msg.Path = nil
		if hop.To != origin {
			t.msg.Path = origin[:]
		}
		r.send(e, t, hop)
	}
}

// deadline is when m is given up, on this node's clock.
func (r *Router) deadline(e env.Env, m *wire.Routed) mono.Time {
	return e.Now().Add(min(time.Duration(m.DeadlineMs)*time.Millisecond, maxLife))
}

// maxLife bounds how long a peer may ask this node to keep an envelope.
const maxLife = 2 * time.Minute
