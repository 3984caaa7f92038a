package membership

import (
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// note takes a record that the world has verified, returns whose it is, and tells
// observers if it is a neighbor's that says more than the last: it has been started again,
// or its addresses are new (design §6, gossiped state).
func (m *Member) note(e env.Env, record *wire.SignedRecord) (idspace.ID, error) {
	before := m.book.renewals
	id, err := m.book.learn(record)
	if err != nil {
		return id, err
	}
	if _, at := m.gate.probing[id]; at {
		m.book.keep(id, inTable) // a seed is at the gate before its record is known
	}
	if m.neighbor(id) && m.book.renewals != before {
		e.Emit(&env.NeighborChanged{Peer: id, State: env.NeighborRenewed})
		if m.holds(id) {
			m.tell(e, m.useOf(id)) // started again, it must hear who points at it
		}
	}
	return id, nil
}
