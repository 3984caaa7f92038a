package messages

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// mostPause bounds what a peer can make a caller wait.
const mostPause = time.Minute

// OnReply takes the application's reply, or a refusal, upon which the next server is
// tried.
func (c *Carrier) OnReply(e env.Env, r *wire.Routed) {
	s := c.calls[env.Call(r.Call)]
	if s == nil {
		return // too late: the caller was told
	}
	if r.Refusal != wire.Refusal_REFUSAL_NONE {
		if c.raced(e, s, env.Call(r.Call)) {
			return
		}
		s.retryAfter = min(time.Duration(r.RetryAfterMs)*time.Millisecond, mostPause)
		if c.repealed(e, s, env.Call(r.Call), r.Refusal) {
			return
		}
		if r.Resent && !c.byTarget(s, r) {
			c.end(e, s, env.MaybeDelivered)
			return
		}
		c.refused(e, s, r.Refusal)
		return
	}
	o := &env.Outcome{
		Call: s.Call, Status: env.OK, Replica: s.to,
		Path: wire.IDs(r.Trail), RTT: e.Now().Sub(s.left(env.Call(r.Call)).routed),
	}
	if n := len(o.Path); n > 0 {
		o.Replica.Server = o.Path[n-1]
	}
	m, err := wire.Unpack(r.Body, new(wire.AppReply))
	if err != nil {
		// It was delivered, but what came back cannot be read.
		e.Emit(&env.Dropped{Why: "message: bad reply", Peer: o.Replica.Server})
		o.Status = env.MaybeDelivered
	} else {
		o.Reply, o.Error = m.Payload, m.Error
	}
	c.forget(e, s)
	e.Deliver(o)
}

// byTarget reports whether a refusal is the word of the very node that the message was
// for. It delivers no copy of a call that it refused; anybody else's refusal, once a
// copy was sent twice, says nothing of the other.
func (c *Carrier) byTarget(s *send, r *wire.Routed) bool {
	n := len(r.Trail)
	return s.Object && n > 0 && idspace.ID(r.Trail[n-idspace.Size:]) == s.to.Server
}

// refused goes on after an attempt that has delivered nothing.
func (c *Carrier) refused(e env.Env, s *send, why wire.Refusal) {
	delete(c.calls, s.call)
	s.call, s.last = 0, why
	switch {
	case why == wire.Refusal_REFUSAL_TOO_LARGE || why == wire.Refusal_REFUSAL_LIMIT || !s.Object:
		c.end(e, s, statusOf(why))
	default:
		c.next(e, s)
	}
}

// OnLost is told that an attempt could not leave this node.
func (c *Carrier) OnLost(e env.Env, r *wire.Routed, why wire.Refusal) {
	s := c.calls[env.Call(r.Call)]
	switch {
	case s == nil || c.raced(e, s, env.Call(r.Call)):
	case why == wire.Refusal_REFUSAL_NOT_JOINED:
		c.end(e, s, env.NotJoined)
	case why == wire.Refusal_REFUSAL_BUSY && !c.Router.Room(e) && len(s.earlier) == 0:
		c.end(e, s, env.Busy) // it has not left
	case c.repealed(e, s, env.Call(r.Call), why):
	default:
		c.refused(e, s, why)
	}
}
