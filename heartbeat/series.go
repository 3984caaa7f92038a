package heartbeat

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// A series is a run of beacons to one node that ends with the first answer or, after
// enough of them, with death. A routine beacon is a series of one that goes on only
// if it is not answered.

// tellAfter is which beacon of a series tells its receiver that it is suspected: one may be
// lost, two hardly ever are.
const tellAfter = 3

// beat begins a routine series, unless one is under way or other traffic spares it.
func (m *Monitor) beat(e env.Env, id idspace.ID) {
	l := m.links.Link(id)
	if l == nil || l.Mine == wire.Use_USE_NONE || !m.open {
		return
	}
	w := m.watch(id)
	if d := m.spared(e, l, w); d > 0 {
		m.beatIn(e, id, d)
		return
	}
	m.beatIn(e, id, env.Jitter(e, m.pace(l)))
	if w.seq == 0 {
		w.tries = 0
		m.try(e, id, w)
	}
}

// pace is the mean time between beacons to a neighbor. A backup may be dead unnoticed twice
// as long: routes take it only when the primary is suspected.
func (m *Monitor) pace(l *links.Link) time.Duration {
	if l.Mine == wire.Use_USE_SPARE && !l.Protect {
		return 2 * m.period
	}
	return m.period
}

// try sends the next beacon of id's series and sets the time by which it must be answered.
func (m *Monitor) try(e env.Env, id idspace.ID, w *watch) {
	if w.seq == 0 {
		w.since = e.Now()
	}
	w.seq = e.Rand().Uint64() | 1
	w.sent = e.Now()
	if w.tries++; w.tries == 1 {
		w.first = beaten{w.seq, w.sent}
	}
	w.told, w.life = m.use(id), lives*m.period
	b := &wire.Beacon{
		Seq: w.seq, Use: w.told, LifeS: uint32((w.life + time.Second - 1) / time.Second),
		Suspected: w.tries >= tellAfter && len(w.asks) == 0 && !m.cfg.Untold,
	}
	if w.tries == 1 {
		b.Coord = m.links.Coord() // who does not answer is most likely dead
	}
	if w.closed || len(w.asks) > 0 {
		e.SendDial(id, b)
	} else {
		e.Send(id, b)
	}
	e.SetTimer(env.TimerKey{Room: env.Heartbeat, What: timerAgain, Peer: id}, m.patience(id, w)+m.detour(w))
}

func (m *Monitor) use(id idspace.ID) wire.Use {
	if l := m.links.Link(id); l != nil {
		return max(l.Mine, l.Asked)
	}
	return wire.Use_USE_NONE
}

// patience is how long one beacon of the series waits for its answer.
func (m *Monitor) patience(id idspace.ID, w *watch) time.Duration {
	if _, known := m.links.RTT(id); !known && len(w.asks) > 0 {
		return m.dialing()
	}
	return m.links.Stretched(m.spaced(id, w))
}

// mostSpaced bounds how far the probes of a series are apart that has time.
const mostSpaced = 2 * time.Second

// spaced is how long one beacon of the series waits at a node that keeps up. Nobody waits for the
// verdict on a neighbor that others stand beside, unless somebody has asked: its probes get ever
// rarer, so that a second in the queue of its uplink is not its death. So do those of others that
// it takes more of because they speak.
func (m *Monitor) spaced(id idspace.ID, w *watch) time.Duration {
	allowed := m.allowed(id)
	awaited := len(w.asks) > 0 || w.doubt != nil && len(w.doubt.favors) > 0
	doublings := w.tries - 1
	if l := m.links.Link(id); l == nil || l.Mine >= wire.Use_USE_SOLE || awaited {
		doublings = w.tries - m.enough(id, w)
	}
	return max(allowed, min(allowed<<max(doublings, 0), mostSpaced))
}

// enoughKnown is how many round trips must be known to tell how far strangers may be.
const enoughKnown = 8

// dialing is how long a stranger may take to be dialed and to answer: three round trips to the
// farther ones of those this node knows, longer if it is slow itself. Requests wait while it finds
// out whether somebody lives without whom it would be a wrong root.
func (m *Monitor) dialing() time.Duration {
	var known []time.Duration
	for _, l := range m.links.All() {
		if rtt, ok := m.links.RTT(l.ID); ok {
			known = append(known, rtt)
		}
	}
	if len(known) < enoughKnown {
		return m.cfg.GateSpacing
	}
	slices.Sort(known)
	return min(m.links.Stretched(max(3*known[len(known)*9/10], m.cfg.GateSpacing/3)), m.cfg.GateSpacing)
}

// allowed is patience with a neighbor for a node that keeps up.
func (m *Monitor) allowed(id idspace.ID) time.Duration {
	return max(m.links.Patience(id), m.cfg.ProbeSpacing)
}

// again goes on with a series whose last beacon was not answered in time.
func (m *Monitor) again(e env.Env, id idspace.ID) {
	w := m.watches.Of(id)
	if w == nil || w.seq == 0 {
		return
	}
	m.suspect(e, id)
	m.goOn(e, id, w)
}

// goOn ends a series that is long enough, and else sends its next beacon.
func (m *Monitor) goOn(e env.Env, id idspace.ID, w *watch) {
	enough := m.enough(id, w)
	if w.tries >= enough && !m.speaks(e, id, w) {
		m.giveUp(e, id, w)
		return
	}
	if w.tries == enough-1 {
		m.inquire(e, id, w)
	}
	m.try(e, id, w)
}

const (
	// speaking is how long ago something must have come from a node that does not answer: longer than
	// what it sent before its death can have been under way.
	speaking = 4 * time.Second
	// mostTries is how many beacons it leaves unanswered until its link is taken for one that loses
	// what goes there.
	mostTries = 10
)

// speaks reports whether something has just come from a node that has not answered. It is late, not dead.
func (m *Monitor) speaks(e env.Env, id idspace.ID, w *watch) bool {
	l := m.links.Link(id)
	return l != nil && len(w.asks) == 0 && w.tries < mostTries && w.since.Before(l.Heard) && e.Now().Sub(l.Heard) < speaking
}

// enough is how many unanswered beacons end the series: the routine beacon that began
// a suspicion counts as one more. A stranger that somebody else reaches is worth as many.
func (m *Monitor) enough(id idspace.ID, w *watch) int {
	if l := m.links.Link(id); l != nil && l.Mutual() != wire.Use_USE_NONE {
		return m.shortened(m.cfg.DeathProbes+1, w)
	}
	if w.vouched() {
		return max(m.cfg.GateProbes, m.cfg.DeathProbes+1)
	}
	return m.cfg.GateProbes
}

// suspect marks a neighbor that missed an answer; a stranger at the gate is none.
func (m *Monitor) suspect(e env.Env, id idspace.ID) {
	l := m.links.Link(id)
	if l == nil || l.Suspect || l.Mine == wire.Use_USE_NONE {
		return
	}
	l.Suspect = true
	e.Emit(&env.NeighborChanged{Peer: id, State: env.NeighborSuspected})
	e.Post(&env.Suspect{Peer: id})
}

// alive ends a series well.
func (m *Monitor) alive(e env.Env, id idspace.ID, w *watch) {
	w.seq, w.tries, w.closed = 0, 0, false
	m.tellAll(e, w, wire.Finding_FINDING_ALIVE)
	e.StopTimer(env.TimerKey{Room: env.Heartbeat, What: timerAgain, Peer: id})
	m.clear(e, id)
}

// clear takes a suspicion back.
func (m *Monitor) clear(e env.Env, id idspace.ID) {
	if l := m.links.Link(id); l != nil && l.Suspect {
		l.Suspect = false
		e.Emit(&env.NeighborChanged{Peer: id, State: env.NeighborAlive})
		e.Post(&env.Up{Peer: id})
	}
}

// dead ends a series badly, or takes a goodbye: the link is closed, whoever asked is told.
func (m *Monitor) dead(e env.Env, id idspace.ID, how env.Down) {
	w := m.watches.Of(id)
	known := false
	found := how.Why == env.Dead || how.Why == env.CutOff // by this node, not said by the other
	if l := m.links.Link(id); l != nil && found && m.unproven(l, w) {
		m.lapse(e, l, w)
		how.Why = env.Unlinked
	} else if l != nil {
		known = (l.Mine | l.Theirs) != wire.Use_USE_NONE
		watched := l.Mine != wire.Use_USE_NONE
		m.drop(e, id)
		if watched && how.Why == env.Dead {
			m.bury(e, l)
		}
	}
	if known {
		e.Emit(&env.NeighborChanged{Peer: id, State: how.Why.State()})
		how.Peer = id
		e.Post(&how)
	}
	if w == nil {
		return
	}
	w.seq = 0
	finding := wire.Finding_FINDING_UNKNOWN
	if how.Why == env.Dead {
		finding = wire.Finding_FINDING_DEAD
	}
	m.tellAll(e, w, finding)
	m.verdict(e, id, w, env.Verdict{By: how.By})
	m.rest(e, id)
}

// unproven reports whether silence does not make a node dead that this one does not use: packets may pass in one
// direction only, as they did before. It calls, or it has a connection and nobody else was asked about it.
func (m *Monitor) unproven(l *links.Link, w *watch) bool {
	return l.Mine == wire.Use_USE_NONE && (calls(l, w) || !w.closed && !m.essential(l.ID, w))
}

// lapse ends the series to such a node. If it calls it goes on pointing at this one, else its next beacon comes
// from a stranger.
func (m *Monitor) lapse(e env.Env, l *links.Link, w *watch) {
	if calls(l, w) {
		l.Asked = wire.Use_USE_NONE
		return
	}
	m.drop(e, l.ID)
}

// calls reports whether a node that did not answer points at this one and has been heard meanwhile.
func calls(l *links.Link, w *watch) bool {
	return l.Theirs != wire.Use_USE_NONE && !l.Heard.Before(w.since)
}

// bury takes the death of a neighbor into account.
func (m *Monitor) bury(e env.Env, l *links.Link) {
	m.links.Bury(l, e.Now())
	m.failures.add(e.Now())
	m.retune(e)
	if m.period > m.cfg.Slowest*3/4 {
		m.lookAround(e)
	}
}

// verdict answers everybody who asked about id.
func (m *Monitor) verdict(e env.Env, id idspace.ID, w *watch, v env.Verdict) {
	asks := w.asks
	w.asks = nil
	for _, ask := range asks {
		answer := v
		answer.Peer, answer.For = id, ask.For
		if ask.Use == wire.Use_USE_NONE {
			answer.Refused = false
		}
		e.Post(&answer)
	}
}
