package membership

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Seat is a node for the tables of an overlay that begins settled, and its distance.
type Seat struct {
	Peer idspace.ID
	RTT  time.Duration
}

// Warm makes this node an active member whose tables hold those of the seats that fit,
// without a join: a simulated overlay may begin so. It admits as the gate does, after
// the verdict; links to the seats are open and their records known.
func (m *Member) Warm(e env.Env, seats []Seat) {
	for _, s := range seats {
		m.put(s.Peer, s.RTT)
	}
	m.tables.Leaves.VouchAll()
	for _, s := range seats {
		if !m.tables.Map.Has(s.Peer) && !m.tables.Leaves.Has(s.Peer) {
			e.Post(&env.Use{Peer: s.Peer})
		}
	}
	m.settle(e, &env.Changed{})
	m.phase, m.activated = Active, e.Now().Add(-m.cfg.EagerFor)
	e.Post(&env.Activated{})
	e.Emit(&env.Ready{})
	m.schedule(e, timerLeaf, m.cfg.LeafPeriod)
	m.schedule(e, timerRow, m.cfg.RowPeriod)
	m.partition.begin(e)
}
