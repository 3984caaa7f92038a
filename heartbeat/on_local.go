package heartbeat

import (
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// OnProbe asks a node whether it is alive and, with a use, whether this node may use
// it: the gate that every candidate passes (design §4).
func (m *Monitor) OnProbe(e env.Env, p *env.Probe) {
	if p.Use != wire.Use_USE_NONE {
		if !m.makeRoom(e, p.Peer, p.Use) {
			e.Post(&env.Verdict{Peer: p.Peer, For: p.For, Alive: true, Refused: true})
			return
		}
		l := m.links.Open(p.Peer)
		l.Asked = max(l.Asked, p.Use)
	}
	w := m.watch(p.Peer)
	w.asks = append(w.asks, *p)
	if w.seq == 0 {
		w.tries = 0
	} else if p.Use == wire.Use_USE_NONE {
		return // the series under way will tell
	}
	m.try(e, p.Peer, w)
}

// makeRoom makes room for a link, letting go of one of lower worth if it must.
func (m *Monitor) makeRoom(e env.Env, id idspace.ID, use wire.Use) bool {
	victim, ok := m.links.Room(id, use)
	if victim != nil {
		m.evict(e, victim.ID)
	}
	return ok
}

// evict ends the relation with a neighbor for both sides.
func (m *Monitor) evict(e env.Env, id idspace.ID) {
	e.Send(id, &wire.Unlink{})
	m.dead(e, id, env.Down{Why: env.Unlinked})
}

// OnUse notes what membership now uses a neighbor for.
func (m *Monitor) OnUse(e env.Env, u *env.Use) {
	l := m.links.Link(u.Peer)
	if l == nil {
		return // it went down in the same step; membership has been told
	}
	was, again := l.Mine, l.Generation != u.Generation
	l.Mine, l.Asked, l.Protect, l.Generation = u.Use, wire.Use_USE_NONE, u.Protect, u.Generation
	switch {
	case was == wire.Use_USE_NONE && u.Use != wire.Use_USE_NONE:
		m.begin(e, u.Peer)
	case was != wire.Use_USE_NONE && u.Use == wire.Use_USE_NONE:
		l.Suspect = false
		e.StopTimer(env.TimerKey{Room: env.Heartbeat, What: timerBeat, Peer: u.Peer})
		e.Send(u.Peer, &wire.Beacon{Seq: e.Rand().Uint64() | 1, Use: wire.Use_USE_NONE})
	case again:
		m.greet(e, u.Peer)
	case was != u.Use:
		m.sooner(e, u.Peer)
	}
	m.settle(e, u.Peer)
}

// begin watches a new neighbor.
func (m *Monitor) begin(e env.Env, id idspace.ID) {
	m.links.Exhume(id)
	if !m.failures.watching {
		m.failures.watching, m.failures.since = true, e.Now()
	}
	if w := m.watch(id); w.told == wire.Use_USE_NONE && w.life > 0 { // see Warm
		w.told, w.sampled = m.use(id), e.Now()
	}
	m.beatIn(e, id, env.Jitter(e, m.period))
}

// greet sends a beacon at once to a neighbor that was started again: it knows nothing of this
// node, and may wait to hear from it before it is a member.
func (m *Monitor) greet(e env.Env, id idspace.ID) {
	if w := m.watch(id); w.seq == 0 {
		w.tries, w.life = 0, 0
		m.try(e, id, w)
	}
}

// settle tells the world what a link is used for now and closes one of no use.
func (m *Monitor) settle(e env.Env, id idspace.ID) {
	l := m.links.Link(id)
	if l == nil {
		return
	}
	if l.Worth() == wire.Use_USE_NONE {
		m.drop(e, id)
		m.rest(e, id)
		return
	}
	e.Emit(&env.LinkUsed{Peer: id, Mine: l.Mine, Theirs: l.Theirs, Protect: l.Protect})
}

// drop closes a link and tells the world.
func (m *Monitor) drop(e env.Env, id idspace.ID) {
	m.links.Close(id)
	e.Emit(&env.LinkUsed{Peer: id})
}

// OnHeard takes the acknowledgement of a routed message: it proves that the neighbor lives.
func (m *Monitor) OnHeard(e env.Env, h *env.Heard) {
	if m.links.Linked(h.Peer) {
		m.answered(h.Peer, h.RTT)
	}
	m.links.Took(h.Peer, h.RTT, e.Now())
	w := m.watches.Of(h.Peer)
	if w != nil {
		w.sampled = e.Now()
	}
	if w != nil && len(w.asks) == 0 {
		m.alive(e, h.Peer, w)
		return
	}
	m.clear(e, h.Peer)
}

// OnMissed begins to probe a neighbor that did not acknowledge a routed message.
func (m *Monitor) OnMissed(e env.Env, x *env.Missed) {
	if !m.links.Suspect(x.Peer) {
		m.links.Lost(x.Peer) // once per flight: all that was under way was lost together
	}
	m.doubt(e, x.Peer)
}

// OnLinkClosed begins to probe a neighbor whose connection has gone.
func (m *Monitor) OnLinkClosed(e env.Env, x *env.LinkClosed) {
	if m.links.Linked(x.Peer) {
		m.watch(x.Peer).closed = true
		m.doubt(e, x.Peer)
	}
}

// doubt suspects a neighbor and probes it, unless that is under way.
func (m *Monitor) doubt(e env.Env, id idspace.ID) {
	if !m.links.Linked(id) {
		return
	}
	m.suspect(e, id)
	if w := m.watch(id); w.seq == 0 {
		w.tries = 1
		m.try(e, id, w)
	}
}

// OnUnreachable counts a beacon that could not be sent as one that was not answered.
func (m *Monitor) OnUnreachable(e env.Env, x *env.Unreachable) {
	w := m.watches.Of(x.Peer)
	if w == nil || w.seq == 0 {
		return
	}
	m.suspect(e, x.Peer)
	if w.tries >= m.enough(x.Peer, w) {
		m.giveUp(e, x.Peer, w)
		return
	}
	e.SetTimer(env.TimerKey{Room: env.Heartbeat, What: timerAgain, Peer: x.Peer}, m.cfg.ProbeSpacing)
}

// nextSweep sets the time of the next sweep.
func (m *Monitor) nextSweep(e env.Env) {
	m.running.due = e.Now().Add(m.cfg.Fastest)
	e.SetTimer(env.TimerKey{Room: env.Heartbeat, What: timerSweep}, m.cfg.Fastest)
}

// sweep forgets backpointers that were not renewed.
func (m *Monitor) sweep(e env.Env) {
	m.nextSweep(e)
	m.retune(e)
	for _, l := range m.links.Expired(e.Now()) {
		l.Theirs = wire.Use_USE_NONE
		m.settle(e, l.ID)
	}
}
