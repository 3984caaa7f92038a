package multicast

import (
	"math"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// branch is a part of the tree below this node.
type branch struct {
	kind  branchKind
	level int           // of a slot
	digit idspace.Digit // of a slot
	to    idspace.ID    // who has to answer now, zero while nobody can
	tried []idspace.ID  // who did not
	alone []idspace.ID  // who has it and could not pass it on
	state branchState
}

type branchKind uint8

const (
	slot   branchKind = iota // to one node of a slot, which passes it on
	pinned                   // to a node that is being inserted, and no further
	onward                   // towards the prefix, from a node that is not under it
)

type branchState uint8

const (
	asked    branchState = iota // nothing has come yet
	heard                       // it has it
	answered                    // its tree is done, or there is nobody
)

// open lists the branches of a member: one for each slot from the level on, and one for
// each pinned node under the prefix.
func (c *Caster) open(s *spread) (branches []*branch) {
	m := c.Tables.Map
	own := func(level int) idspace.Digit { return c.Tables.Space.Digit(c.cfg.Self, level) }
	for level := int(s.msg.Level); level < m.Levels(); level++ {
		for d := range idspace.Digit(c.Tables.Space.Radix()) {
			if d != own(level) && len(m.Slot(level, d)) > 0 {
				branches = append(branches, &branch{kind: slot, level: level, digit: d})
			}
		}
	}
	for _, id := range m.Pins() {
		if c.forPinned(s, id) {
			branches = append(branches, &branch{kind: pinned, to: id})
		}
	}
	return branches
}

// forPinned reports whether a pinned node has to have the message: insertions must know
// each other (P2PSIM; Hildrum et al. §4.4).
func (c *Caster) forPinned(s *spread, id idspace.ID) bool {
	prefix := wire.ID(s.msg.Prefix)
	return s.msg.Insertion != nil && !s.about(id) && id != s.from &&
		c.Tables.Space.CommonPrefix(id, prefix) >= int(s.msg.Digits)
}

// retry gives a branch to the next node that can take it.
func (c *Caster) retry(e env.Env, s *spread, b *branch) {
	if b.to != (idspace.ID{}) {
		e.StopTimer(branchTimer(s, b))
	}
	to, left := c.next(s, b)
	if to.IsZero() && !left {
		c.close(e, s, b)
		return
	}
	b.to, b.state = to, asked
	if to.IsZero() { // only suspects are left: heartbeat will tell
		b.tried = nil
		e.SetTimer(branchTimer(s, b), c.cfg.Again)
		return
	}
	c.ask(e, s, b)
	e.SetTimer(branchTimer(s, b), c.Links.Timeout(to))
}

// branchTimer is keyed by the node asked, which is zero while a branch waits for one.
func branchTimer(s *spread, b *branch) env.TimerKey {
	return env.TimerKey{Room: env.Multicast, What: timerBranch, N: s.call, Peer: b.to}
}

func (c *Caster) ask(e env.Env, s *spread, b *branch) {
	level := s.msg.Level
	if b.kind == slot {
		level = uint32(b.level) + 1
	}
	m := &wire.Multicast{
		Call: s.call, Prefix: s.msg.Prefix, Digits: s.msg.Digits, Level: level, Pinned: b.kind == pinned,
		DeadlineMs: uint32(max(childShare(s.deadline.Sub(e.Now()))/time.Millisecond, 1)),
		Insertion:  s.msg.Insertion, Announcement: s.msg.Announcement,
	}
	if b.kind == pinned {
		e.SendDial(b.to, m) // it is no neighbor yet
		return
	}
	e.Send(b.to, m)
}

// childShare is how much of the time that is left a branch gets, so that its sum is back
// before the time is over.
func childShare(left time.Duration) time.Duration { return left - left/8 }

// next chooses who takes a branch; left says that there may be somebody later.
func (c *Caster) next(s *spread, b *branch) (to idspace.ID, left bool) {
	switch b.kind {
	case pinned:
		if len(b.tried) == 0 {
			return b.to, true
		}
		return idspace.ID{}, false // it is no member: whoever inserts it tells the joining node
	case onward:
		hop := c.Tables.Next(wire.ID(s.msg.Prefix), surrogate.Skip{Tried: b.tried})
		if hop.Rule == wire.Rule_RULE_ROOT {
			return idspace.ID{}, false // nobody has the prefix
		}
		return hop.To, true
	}
	return c.nextOfSlot(s, b)
}

// nextOfSlot prefers members: whoever is being inserted gets a copy of every insertion, and
// knows little of what is below.
func (c *Caster) nextOfSlot(s *spread, b *branch) (to idspace.ID, left bool) {
	var spare idspace.ID
	for _, n := range c.Tables.Map.Slot(b.level, b.digit) {
		switch {
		case slices.Contains(b.alone, n.ID), s.about(n.ID), s.pinned(n.ID):
		case slices.Contains(b.tried, n.ID) || n.Suspect:
			left = true
		case !c.Tables.Map.Pinned(n.ID):
			return n.ID, true
		case s.msg.Announcement != nil && spare.IsZero():
			spare, left = n.ID, true
		}
	}
	return spare, left
}

// pinned reports whether id has been given a copy for itself: it may have become a member
// since, but has answered, or will answer, for itself alone.
func (s *spread) pinned(id idspace.ID) bool {
	return slices.ContainsFunc(s.branches, func(b *branch) bool { return b.kind == pinned && b.to == id })
}

// about reports whether s inserts id, which is not told of itself.
func (s *spread) about(id idspace.ID) bool {
	return s.msg.Insertion != nil && id == wire.ID(s.msg.Prefix)
}

// late asks how far a branch is that has acknowledged, and gives up one that has not.
func (c *Caster) late(e env.Env, s *spread, b *branch) {
	switch {
	case b.to.IsZero():
		c.retry(e, s, b)
	case b.state == heard:
		e.Send(b.to, &wire.Multicast{Call: s.call, Prefix: s.msg.Prefix, Digits: s.msg.Digits, Level: s.msg.Digits})
		e.SetTimer(branchTimer(s, b), c.cfg.Poll)
	default:
		e.Post(&env.Missed{Peer: b.to})
		b.tried = append(b.tried, b.to)
		c.retry(e, s, b)
	}
}

// OnMulticastAck takes a branch's word: that it has the message, or what became of it.
func (c *Caster) OnMulticastAck(e env.Env, from idspace.ID, a *wire.MulticastAck) {
	s := c.spreads[a.Call]
	if s == nil || s.ended {
		return
	}
	i := slices.IndexFunc(s.branches, func(b *branch) bool { return b.to == from && b.state != answered })
	switch {
	case i < 0:
	case !a.Done:
		b := s.branches[i]
		b.state = heard
		e.SetTimer(branchTimer(s, b), c.cfg.Poll)
	default:
		c.add(e, s, s.branches[i], a)
	}
}

// add counts what a branch has answered. One that passed nothing on has answered for
// itself only: somebody else of its slot has the rest, if there is anybody.
func (c *Caster) add(e env.Env, s *spread, b *branch, a *wire.MulticastAck) {
	s.sum.Reached = sum(s.sum.Reached, a.Reached)
	s.sum.Handled = sum(s.sum.Handled, a.Handled)
	s.sum.Failed = sum(s.sum.Failed, a.Failed)
	if a.Alone && b.kind == slot {
		b.alone = append(b.alone, b.to)
		c.retry(e, s, b)
	} else {
		c.close(e, s, b)
	}
	c.finish(e, s)
}

// sum adds what a peer counted, which may be anything.
func sum(a, b uint32) uint32 {
	return uint32(min(uint64(a)+uint64(b), math.MaxInt32))
}

// close ends a branch.
func (c *Caster) close(e env.Env, s *spread, b *branch) {
	if !b.to.IsZero() { // those that wait for somebody share a timer
		e.StopTimer(branchTimer(s, b))
	}
	b.state = answered
}

// finish ends a multicast here when nothing of it is open.
func (c *Caster) finish(e env.Env, s *spread) {
	open := slices.ContainsFunc(s.branches, func(b *branch) bool { return b.state != answered })
	if !s.ended && s.local && !open {
		c.end(e, s)
	}
}

// expire ends a multicast at its deadline: what is still open has failed.
func (c *Caster) expire(e env.Env, s *spread) {
	for _, b := range s.branches {
		if b.state != answered {
			s.sum.Failed++
			c.close(e, s, b)
		}
	}
	if !s.local && s.msg.Insertion != nil {
		s.sum.Failed++
	}
	c.end(e, s)
}

// end tells everybody who waits.
func (c *Caster) end(e env.Env, s *spread) {
	s.ended, s.branches = true, nil
	delete(c.tickets, s.ticket)
	e.StopTimer(env.TimerKey{Room: env.Multicast, What: timerEnd, N: s.call})
	insertion := s.msg.Insertion != nil
	if insertion && c.under(s.msg) {
		e.Post(&env.Unpinned{Node: wire.ID(s.msg.Prefix)})
	}
	switch {
	case s.from != c.cfg.Self:
		c.answered(e, s)
	case insertion:
		e.Post(&env.Inserted{Node: wire.ID(s.msg.Prefix), Reached: int(s.sum.Reached), Failed: int(s.sum.Failed)})
	case s.face != 0:
		e.Deliver(&env.Outcome{Call: s.face, Spread: env.Spread{
			Reached: int(s.sum.Reached), Handled: int(s.sum.Handled), Failed: int(s.sum.Failed),
		}})
	}
	s.msg = &wire.Multicast{} // what is remembered must not hold payloads
}

// answered sends the sum to where the multicast came from, and the end to whoever sent
// it as well.
func (c *Caster) answered(e env.Env, s *spread) {
	if c.perPeer[s.from]--; c.perPeer[s.from] == 0 {
		delete(c.perPeer, s.from)
	}
	e.Send(s.from, c.answer(s))
	for _, id := range s.again {
		e.Send(id, &wire.MulticastAck{Call: s.call, Done: true, Alone: s.sum.Alone})
	}
	s.again = nil
}

func (c *Caster) answer(s *spread) *wire.MulticastAck {
	return &wire.MulticastAck{
		Call: s.call, Done: true, Alone: s.sum.Alone,
		Reached: s.sum.Reached, Handled: s.sum.Handled, Failed: s.sum.Failed,
	}
}
