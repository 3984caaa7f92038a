package heartbeat

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// maxLife bounds how long a peer may ask to be kept as a backpointer.
const maxLife = 10 * time.Minute

// OnBeacon answers a beacon, and keeps or refuses the backpointer that it renews.
func (m *Monitor) OnBeacon(e env.Env, from idspace.ID, b *wire.Beacon) {
	refused := !m.accept(e, from, b)
	if b.Suspected {
		m.suspected()
	}
	m.links.Claim(from, wire.CoordIn(b.Coord))
	e.Send(from, &wire.BeaconAck{
		Seq: b.Seq, Refused: refused, Coord: m.links.Coord(), DeadRefs: m.links.Hints(from, e.Now()),
	})
	m.links.Hinted(from)
}

// accept notes what from uses this node for, if there is room for it.
func (m *Monitor) accept(e env.Env, from idspace.ID, b *wire.Beacon) bool {
	if b.Use == wire.Use_USE_NONE {
		if l := m.links.Link(from); l != nil && l.Theirs != wire.Use_USE_NONE {
			l.Theirs = wire.Use_USE_NONE
			m.settle(e, from)
		}
		return true
	}
	if !m.open || !m.makeRoom(e, from, b.Use) {
		return false
	}
	l := m.links.Open(from)
	before := l.Theirs
	l.Theirs = b.Use
	l.Life = min(time.Duration(b.LifeS)*time.Second, maxLife)
	l.Until = e.Now().Add(l.Life)
	l.Heard = e.Now()
	if before != b.Use {
		m.settle(e, from)
	}
	if before == wire.Use_USE_NONE {
		e.Post(&env.Pointed{Peer: from})
	}
	return true
}

// OnLinkOpened notes that a beacon which has waited for a dial leaves only now: its answer
// measures one round trip, not three.
func (m *Monitor) OnLinkOpened(e env.Env, x *env.LinkOpened) {
	if w := m.watches.Of(x.Peer); w != nil && w.seq != 0 {
		w.sent = e.Now()
		w.first = beaten{w.seq, w.sent}
		e.SetTimer(env.TimerKey{Room: env.Heartbeat, What: timerAgain, Peer: x.Peer}, m.patience(x.Peer, w))
	}
}

// OnBeaconAck ends the series that its beacon belongs to. Every beacon of a series has
// its own number, so a late answer is never taken for that of a later beacon; that of the
// first is known when it comes late.
func (m *Monitor) OnBeaconAck(e env.Env, from idspace.ID, a *wire.BeaconAck) {
	w := m.watches.Of(from)
	if w == nil || w.seq == 0 || w.seq != a.Seq && w.first.seq != a.Seq {
		// Too late for its series. It may have been given up meanwhile, and yet it lives.
		e.Post(&env.Verdict{Peer: from, For: env.Heartbeat, Alive: true})
		return
	}
	m.heed(e, from, a.DeadRefs)
	rtt := e.Now().Sub(w.sent)
	if w.seq != a.Seq {
		rtt = e.Now().Sub(w.first.sent)
	}
	m.answered(from, rtt)
	m.links.Took(from, rtt, e.Now())
	w.sampled = e.Now()
	coord := wire.CoordIn(a.Coord)
	m.links.Met(from, coord, rtt)
	e.Emit(&env.Measured{Peer: from, RTT: rtt})
	m.alive(e, from, w)
	if a.Refused {
		m.refused(e, from, w)
		return
	}
	m.verdict(e, from, w, env.Verdict{Alive: true, RTT: rtt, Coord: coord})
	m.rest(e, from)
}

// refused takes a neighbor's word that it has no room for this node.
func (m *Monitor) refused(e env.Env, id idspace.ID, w *watch) {
	if l := m.links.Link(id); l != nil {
		used := l.Mine != wire.Use_USE_NONE
		l.Mine, l.Asked, l.Suspect = wire.Use_USE_NONE, wire.Use_USE_NONE, false
		m.settle(e, id)
		if used {
			e.Post(&env.Down{Peer: id, Why: env.Unlinked})
		}
	}
	m.verdict(e, id, w, env.Verdict{Alive: true, Refused: true})
	m.rest(e, id)
}

// OnUnlink takes a neighbor's word that it let go of the link, for both sides.
func (m *Monitor) OnUnlink(e env.Env, from idspace.ID) {
	switch {
	case !m.open:
		e.Post(&env.Released{Peer: from}) // it answers this node's goodbye
	case m.links.Linked(from):
		m.dead(e, from, env.Down{Why: env.Unlinked})
	}
}

// OnLeave takes a neighbor's goodbye, and says so.
func (m *Monitor) OnLeave(e env.Env, from idspace.ID, l *wire.Leave) {
	e.Send(from, &wire.Unlink{})
	m.dead(e, from, env.Down{Why: env.Left, Heirs: l.Refs})
}
