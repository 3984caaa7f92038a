package membership

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/leafset"
)

// stall is what follows on a time in which this node did not run.
type stall struct {
	woke mono.Time // zero: it trusts itself
}

const (
	// lookAgain is how often a node that has stalled looks whether it may trust itself.
	lookAgain = 250 * time.Millisecond
	// settleIn is how long those who hear from it need at least to know it again: they probe
	// it before they take it back.
	settleIn = time.Second
)

// OnStalled drops this node's claims: while it did not run others may have come to stand in
// for it, or between it and its neighbors. It does not answer as root until those next to it
// on the ring have been heard, or have been found dead (design §7).
func (m *Member) OnStalled(e env.Env, _ *env.Stalled) {
	if m.phase != Active {
		return // whatever is under way has its own time limits
	}
	m.stall.woke = e.Now()
	m.router.Doubt()
	m.regain(e)
	if next := m.tables.Leaves.Nearest(1); len(next) > 0 {
		m.partition.askPast(e, next[0])
	}
}

// regain looks whether this node may trust itself again.
func (m *Member) regain(e env.Env) {
	since := e.Now().Sub(m.stall.woke)
	heard := since >= settleIn && m.heardSince(m.stall.woke)
	if m.phase != Active || heard || since >= m.cfg.JoinTimeout {
		m.stall.woke = 0
		m.trust()
		return
	}
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerStalled}, lookAgain)
}

// heardSince reports whether those next to this node on the ring have been heard since then.
func (m *Member) heardSince(then mono.Time) bool {
	nearest := leafset.New(m.tables.Self, confirmers)
	for _, id := range m.tables.Leaves.All() {
		nearest.Insert(id)
	}
	for _, id := range nearest.All() {
		if l := m.links.Link(id); l == nil || l.Heard.Before(then) {
			return false
		}
	}
	return true
}

// trust lets this node answer as root, unless there is another reason not to.
func (m *Member) trust() {
	if m.stall.woke == 0 && !m.partition.lonely {
		m.router.Trust()
	}
}
