package membership

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Recovery is when a node tells others of its tables, and asks for theirs.
type Recovery uint8

// The recoveries.
const (
	// Periodic is by the clock alone: what changes waits for the next exchange (design §6).
	Periodic Recovery = iota
	// Reactive is at once when a table has changed, as in Pastry and Tapestry before Bamboo. It
	// is here to be compared with: only the simulator sets it. When a member of the leaf set
	// goes or comes, the whole leaf set is sent to all its members, who answer with theirs;
	// when an entry of the map goes, the first of each slot in its row is asked for its row.
	// By the clock there is as little as in FreePastry. Where links are full, neighbors that
	// are late look dead, and what is done about it fills the links further: a positive
	// feedback cycle ([4], on reactive recovery).
	Reactive
)

// reactiveDefaults are the periods of FreePastry: leaf sets each minute, rows each quarter
// of an hour.
func (c Config) reactiveDefaults() Config {
	if c.Recovery == Reactive {
		if c.LeafPeriod == 0 {
			c.LeafPeriod = time.Minute
		}
		if c.RowPeriod == 0 {
			c.RowPeriod = 15 * time.Minute
		}
	}
	return c
}

// reactToLoss does what periodic recovery would not: it makes traffic of a death.
func (m *Member) reactToLoss(e env.Env, l loss) {
	if m.cfg.Recovery != Reactive || m.phase != Active {
		return
	}
	if l.inLeaves {
		m.broadcastLeaves(e)
	}
	if l.inMap {
		m.askRow(e, l.of)
	}
}

// loss is a neighbor that is gone, and the tables that it was in.
type loss struct {
	of              idspace.ID
	inMap, inLeaves bool
}

// reactToEntry does the same of a new member of the leaf set.
func (m *Member) reactToEntry(e env.Env, id idspace.ID) {
	if m.cfg.Recovery == Reactive && m.phase == Active && m.tables.Leaves.Has(id) {
		m.broadcastLeaves(e)
	}
}

// broadcastLeaves sends the leaf set to all of it, suspects too, and asks for theirs.
func (m *Member) broadcastLeaves(e env.Env) {
	for _, id := range m.tables.Leaves.All() {
		m.sendLeaves(e, id, asking)
	}
}

// askRow asks the first of each slot in the row that gone was in.
func (m *Member) askRow(e env.Env, gone idspace.ID) {
	level := m.tables.Space.CommonPrefix(m.tables.Self, gone)
	for _, n := range m.tables.Map.Row(level) {
		if _, first := m.tables.Map.Primary(n.ID); first {
			m.sendRow(e, n.ID, rowOf{level: level, ask: true})
		}
	}
}
