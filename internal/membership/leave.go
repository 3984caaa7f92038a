package membership

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// flushTime is how long a node that said goodbye stays to let it go out and to lend
// the records that its goodbye made others ask for.
const flushTime = 300 * time.Millisecond

// OnLeave begins an announced departure: what this node published is withdrawn, then
// everybody linked is told, with the leaf set as replacements.
func (m *Member) OnLeave(e env.Env, l *env.LeaveRequest) {
	if m.phase == Idle || m.phase == Leaving {
		e.Deliver(&env.Outcome{Call: l.Call, Status: env.NotJoined})
		return
	}
	m.phase, m.leave = Leaving, l.Call
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerLeave}, m.cfg.LeaveTimeout)
	e.Post(&env.Withdraw{})
}

// OnWithdrawn goes on with the departure once nothing of this node's is published.
func (m *Member) OnWithdrawn(e env.Env) {
	if m.phase != Leaving {
		return
	}
	for _, l := range m.links.All() {
		e.Send(l.ID, &wire.Leave{Refs: m.leafRefs()})
	}
	e.Post(&env.Departing{})
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerLeave}, flushTime)
}

// goodbye ends the departure.
func (m *Member) goodbye(e env.Env) {
	if m.phase != Leaving {
		return
	}
	m.phase = Idle
	for _, u := range m.uses() {
		m.tables.Map.Remove(u.Peer)
		m.tables.Leaves.Remove(u.Peer)
	}
	m.settle(e, &env.Changed{})
	e.Post(&env.Departed{})
	e.Deliver(&env.Outcome{Call: m.leave})
}
