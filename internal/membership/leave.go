package membership

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// A departure that is announced (JSAC §III-C.2; design §6) goes in steps, all of them
// within LeaveTimeout: what this node published is withdrawn; the pointers of which it is
// the root go to their heirs; everybody linked is told, with replacements for this node
// in his table; and when all have acknowledged, or farewellTime has passed, it is gone.

// farewellTime is how long those who were told have to acknowledge, and may ask for the
// records that the goodbye named.
const farewellTime = time.Second

// OnLeave begins an announced departure.
func (m *Member) OnLeave(e env.Env, l *env.LeaveRequest) {
	if m.phase == Idle || m.phase == Leaving {
		e.Deliver(&env.Outcome{Call: l.Call, Status: env.NotJoined})
		return
	}
	if m.phase == Joining {
		e.Deliver(&env.Outcome{Call: m.join.call, Status: env.NotJoined, Error: "left while joining"})
		e.StopTimer(env.TimerKey{Room: env.Membership, What: timerJoin})
		m.join = joining{}
	}
	m.phase, m.leaving = Leaving, leaving{call: l.Call}
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerLeave}, m.cfg.LeaveTimeout)
	e.Post(&env.Withdraw{})
}

// leaving is a departure under way.
type leaving struct {
	call env.Call
	told []idspace.ID // who has not acknowledged the goodbye; nil until it is said
}

// OnWithdrawn goes on with the departure once nothing of this node's is published.
func (m *Member) OnWithdrawn(e env.Env) {
	if m.phase == Leaving && m.leaving.told == nil {
		e.Post(&env.HandOver{})
	}
}

// sayGoodbye tells everybody linked.
func (m *Member) sayGoodbye(e env.Env) {
	if m.phase != Leaving || m.leaving.told != nil {
		return
	}
	m.leaving.told = []idspace.ID{}
	for _, l := range m.links.All() {
		m.leaving.told = append(m.leaving.told, l.ID)
		e.Send(l.ID, &wire.Leave{Refs: m.replacements(l.ID)})
	}
	e.Post(&env.Departing{})
	wait := farewellTime
	if len(m.leaving.told) == 0 {
		wait = 0
	}
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerLeave}, wait)
}

// maxReplacements is how many nodes at most are named for one slot.
const maxReplacements = 4

// replacements names, for the node to, who may stand where this one does: in its slot all
// who share one digit more with this node than to does; and this node's leaf set.
func (m *Member) replacements(to idspace.ID) []byte {
	refs := m.leafRefs()
	level, named := m.tables.Space.CommonPrefix(m.tables.Self, to)+1, 0
	for ; level < m.tables.Map.Levels(); level++ {
		for _, n := range m.tables.Map.Row(level) {
			if named < maxReplacements && !m.tables.Leaves.Has(n.ID) {
				refs = wire.AppendRef(refs, m.book.ref(n.ID))
				named++
			}
		}
	}
	return refs
}

// OnReleased takes a neighbor's word that it has this node's goodbye.
func (m *Member) OnReleased(e env.Env, r *env.Released) {
	i := slices.Index(m.leaving.told, r.Peer)
	if m.phase != Leaving || i < 0 {
		return
	}
	m.leaving.told = slices.Delete(m.leaving.told, i, i+1)
	if len(m.leaving.told) == 0 {
		// What they may still ask for, and what is on its way here, gets a moment.
		e.SetTimer(env.TimerKey{Room: env.Membership, What: timerLeave}, farewellTime/4)
	}
}

// leaveLate ends a wait of the departure: nobody is waited for any longer.
func (m *Member) leaveLate(e env.Env) {
	switch {
	case m.phase != Leaving:
	case m.leaving.told == nil:
		m.sayGoodbye(e)
	default:
		m.goodbye(e)
	}
}

// goodbye ends the departure.
func (m *Member) goodbye(e env.Env) {
	m.forgetAll(e)
	e.Deliver(&env.Outcome{Call: m.leaving.call})
	m.leaving = leaving{}
}

// forgetAll empties the tables of a node that is no member any more.
func (m *Member) forgetAll(e env.Env) {
	m.phase = Idle
	for _, u := range m.uses() {
		m.tables.Map.Remove(u.Peer)
		m.tables.Leaves.Remove(u.Peer)
	}
	clear(m.away)
	m.tables.Away = nil
	m.settle(e, &env.Changed{})
	e.Post(&env.Departed{})
}
