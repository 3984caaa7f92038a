package multicast

import (
	"bytes"
	"crypto/sha256"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// OnMulticast takes a multicast from a neighbor: it acknowledges at once, and again when
// this node's part of the tree is done.
func (c *Caster) OnMulticast(e env.Env, from idspace.ID, m *wire.Multicast) {
	if known := c.spreads[m.Call]; known != nil {
		c.repeated(e, known, from)
		return
	}
	s := &spread{call: m.Call, msg: m, from: from, deadline: e.Now().Add(c.life(m))}
	if !c.sensible(m) || !c.believable(e, from, m) || !c.take(s) {
		e.Send(from, &wire.MulticastAck{Call: m.Call, Done: true, Failed: 1})
		return
	}
	e.Send(from, &wire.MulticastAck{Call: m.Call})
	c.begin(e, s)
}

// sensible reports whether m has something to spread, and within which rows.
func (c *Caster) sensible(m *wire.Multicast) bool {
	return (m.Insertion != nil || m.Announcement != nil) && m.Level >= m.Digits && int(m.Digits) <= c.Tables.Space.Digits()
}

// believable checks an announcement that is signed: the record must be of this message.
// The signature itself is the world's to check.
func (c *Caster) believable(e env.Env, from idspace.ID, m *wire.Multicast) bool {
	a := m.Announcement
	if a == nil || a.Origin == nil {
		return true
	}
	rec, err := a.Origin.Origin()
	hash := sha256.Sum256(a.Payload)
	if err == nil && rec.Network == c.cfg.Network && rec.Call == m.Call && bytes.Equal(rec.Key, m.Prefix) &&
		rec.App == a.App && bytes.Equal(rec.PayloadHash, hash[:]) {
		return true
	}
	e.Emit(&env.Dropped{Why: "multicast: origin record of another message", Peer: from})
	return false
}

// life is how long m may take, as its sender says, within this node's bound.
func (c *Caster) life(m *wire.Multicast) time.Duration {
	if m.DeadlineMs == 0 {
		return c.cfg.Life
	}
	return min(time.Duration(m.DeadlineMs)*time.Millisecond, c.cfg.Life)
}

// repeated answers a multicast that came before: to who sent it first as far as it is, to
// anybody else when it is done, without counting anybody twice.
func (c *Caster) repeated(e env.Env, s *spread, from idspace.ID) {
	switch {
	case s.ended && from == s.from:
		e.Send(from, c.answer(s))
	case s.ended:
		e.Send(from, &wire.MulticastAck{Call: s.call, Done: true, Alone: s.sum.Alone})
	default:
		e.Send(from, &wire.MulticastAck{Call: s.call})
		if from != s.from && len(s.again) < maxAgain {
			s.again = append(s.again, from)
		}
	}
}

// maxAgain bounds who is told of the end of a multicast beside the first that sent it.
const maxAgain = 16

// begin does this node's own part and opens the branches.
func (c *Caster) begin(e env.Env, s *spread) {
	e.SetTimer(env.TimerKey{Room: env.Multicast, What: timerEnd, N: s.call}, s.deadline.Sub(e.Now()))
	switch {
	case !c.under(s.msg):
		s.local = true
		s.branches = []*branch{{kind: onward}}
	case s.msg.Pinned:
		c.own(e, s)
	case !c.Router.Active():
		s.sum.Alone = true
		c.own(e, s)
	default:
		c.own(e, s)
		s.branches = c.open(s)
	}
	for _, b := range s.branches {
		c.retry(e, s, b)
	}
	c.finish(e, s)
}

// under reports whether this node is one of those that the multicast is for.
func (c *Caster) under(m *wire.Multicast) bool {
	return c.Tables.Space.CommonPrefix(c.cfg.Self, wire.ID(m.Prefix)) >= int(m.Digits)
}

// own begins this node's own part.
func (c *Caster) own(e env.Env, s *spread) {
	s.sum.Reached++
	if m := s.msg.Insertion; m != nil {
		e.Post(&env.Inserting{Spread: s.call, Insertion: m})
		return
	}
	a := s.msg.Announcement
	c.lastTicket++
	s.ticket = c.lastTicket
	c.tickets[s.ticket] = s
	e.Deliver(&env.Upcall{
		For: env.Multicast, Ticket: s.ticket, App: a.App, Key: wire.ID(s.msg.Prefix), Call: env.Call(s.call),
		From: wire.ID(a.From), Origin: a.Origin, Payload: a.Payload, Deadline: s.deadline,
	})
}

// OnInsertingDone ends this node's own part of an insertion.
func (c *Caster) OnInsertingDone(e env.Env, d *env.InsertingDone) {
	s := c.spreads[d.Spread]
	if s == nil || s.ended || s.local {
		return
	}
	s.local = true
	if d.Failed {
		s.sum.Failed++
	} else {
		s.sum.Handled++
	}
	c.finish(e, s)
}

// OnHandlerReply ends this node's own part of an announcement.
func (c *Caster) OnHandlerReply(e env.Env, r *env.HandlerReply) {
	s := c.tickets[r.Ticket]
	delete(c.tickets, r.Ticket)
	if s == nil || s.ended || s.local {
		return
	}
	s.local = true
	if r.Refused == wire.Refusal_REFUSAL_NONE && r.Error == "" {
		s.sum.Handled++
	}
	c.finish(e, s)
}
