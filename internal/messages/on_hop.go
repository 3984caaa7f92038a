package messages

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// OnHop hands a message that has arrived to the application, and shows it one that
// passes if it wants to see those (Common API: deliver, forward).
func (c *Carrier) OnHop(e env.Env, r *wire.Routed, at routing.At) routing.Verdict {
	if stays := c.stays(e, r, at); !stays {
		return c.forward(e, r, at)
	}
	u, why := c.read(e, r, at)
	switch {
	case why != wire.Refusal_REFUSAL_NONE:
	case r.Exact && u.Key != c.cfg.Self:
		why = wire.Refusal_REFUSAL_NO_ROUTE
	case !u.GUID.IsZero() && !c.Served.Has(pointers.Key{GUID: u.GUID, App: u.App}):
		why = wire.Refusal_REFUSAL_STALE
	case len(c.inbound) >= c.cfg.Inbound || c.perPeer[at.From] >= c.cfg.PerPeer && at.From != c.cfg.Self:
		why = wire.Refusal_REFUSAL_BUSY
	}
	if why != wire.Refusal_REFUSAL_NONE {
		c.Router.Answer(e, r, nil, why)
		return routing.Consumed
	}
	if !c.taken.add(u.Race, c.cfg.Taken) {
		c.Router.Answer(e, r, nil, wire.Refusal_REFUSAL_DUPLICATE)
		return routing.Consumed
	}
	c.handOver(e, u, inbound{r, at.From})
	return routing.Consumed
}

// stays reports whether a message ends here: at the root of its key, and where there is a server
// if it is raced, or if it should not go on.
func (c *Carrier) stays(e env.Env, r *wire.Routed, at routing.At) bool {
	if at.Root || r.Exact {
		return at.Root
	}
	m, err := wire.Unpack(r.Body, new(wire.AppMessage))
	if err != nil || m.Race == 0 || len(m.Guid) == 0 {
		return false
	}
	return m.Here && at.From != c.cfg.Self || c.Served.Has(pointers.Key{GUID: wire.ID(m.Guid), App: m.App})
}

// handOver gives a message to the application, until its caller's deadline.
func (c *Carrier) handOver(e env.Env, u *env.Upcall, in inbound) {
	c.ticket++
	u.For, u.Ticket = env.Messages, c.ticket
	c.inbound[u.Ticket] = in
	c.perPeer[in.from]++
	left := time.Duration(in.request.DeadlineMs) * time.Millisecond
	if left == 0 {
		left = c.cfg.GiveUp
	}
	left = min(left, c.cfg.MaxLife)
	u.Deadline = e.Now().Add(left)
	e.SetTimer(inboundTimer(u.Ticket), left)
	e.Deliver(u)
}

// handBack takes a message off the application's hands; nil if it has none of that ticket.
func (c *Carrier) handBack(e env.Env, ticket uint64) *wire.Routed {
	in, ok := c.inbound[ticket]
	if !ok {
		return nil
	}
	delete(c.inbound, ticket)
	if c.perPeer[in.from]--; c.perPeer[in.from] == 0 {
		delete(c.perPeer, in.from)
	}
	e.StopTimer(inboundTimer(ticket))
	return in.request
}

func inboundTimer(ticket uint64) env.TimerKey {
	return env.TimerKey{Room: env.Messages, What: timerInbound, N: ticket}
}

// forward shows a message that passes to the application, which may stop it.
func (c *Carrier) forward(e env.Env, r *wire.Routed, at routing.At) routing.Verdict {
	if c.cfg.Forward == nil || at.From == c.cfg.Self {
		return routing.Continue
	}
	u, why := c.read(e, r, at)
	if why == wire.Refusal_REFUSAL_NONE {
		if c.cfg.Forward(u) {
			return routing.Continue
		}
		why = wire.Refusal_REFUSAL_NO_ROUTE
	}
	c.Router.Answer(e, r, nil, why)
	return routing.Consumed
}

// read puts a request as the application sees it.
func (c *Carrier) read(e env.Env, r *wire.Routed, at routing.At) (*env.Upcall, wire.Refusal) {
	m, err := wire.Unpack(r.Body, new(wire.AppMessage))
	if err == nil {
		err = c.checkOrigin(r, m)
	}
	if err != nil {
		e.Emit(&env.Dropped{Why: "message: bad request", Peer: at.From})
		return nil, wire.Refusal_REFUSAL_NO_ROUTE
	}
	u := &env.Upcall{
		App: m.App, Key: wire.ID(r.Key), Call: env.Call(r.Call), From: c.origin(r),
		Origin: m.Origin, Payload: m.Payload, Race: m.Race,
	}
	if len(m.Guid) > 0 {
		u.GUID = wire.ID(m.Guid)
	}
	return u, wire.Refusal_REFUSAL_NONE
}

// origin is the node that says to have sent the request.
func (c *Carrier) origin(r *wire.Routed) idspace.ID {
	if len(r.Path) < idspace.Size {
		return c.cfg.Self
	}
	return idspace.ID(r.Path[:idspace.Size])
}

// checkOrigin checks that the record by which the origin signed is of this very
// message. The signature itself, and whose it is, are the world's to check.
func (c *Carrier) checkOrigin(r *wire.Routed, m *wire.AppMessage) error {
	if m.Origin == nil {
		return nil
	}
	rec, err := m.Origin.Origin()
	if err != nil {
		return err
	}
	call, key := r.Call, r.Key
	if m.Race != 0 { // one signature for all copies
		call, key = m.Race, m.Guid
	}
	if rec.Network != c.cfg.Network || rec.Call != call || !bytes.Equal(rec.Key, key) ||
		rec.App != m.App || !bytes.Equal(rec.PayloadHash, hash(m.Payload)) {
		return fmt.Errorf("origin record of another message")
	}
	return nil
}

// hash is what an origin record says of the payload: its SHA-256.
func hash(payload []byte) []byte {
	sum := sha256.Sum256(payload)
	return sum[:]
}
