package membership

import (
	"encoding/binary"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// What a joining node is told of others: a row by each node on the way of its join, the
// records nearest to it by its surrogate and then the rest of its tables, and by
// whoever the multicast reaches those that fill its holes.

// loan is the row of this node that a joining one can use: the level up to which they
// share digits.
func (m *Member) loan(joiner idspace.ID) *wire.Loan {
	l := &wire.Loan{Lender: m.book.find(m.tables.Self).record}
	for _, n := range m.tables.Map.Row(m.tables.Space.CommonPrefix(m.tables.Self, joiner)) {
		if n.ID != joiner && len(l.Refs) < wire.MaxRefs*10 {
			l.Refs = wire.AppendRef(l.Refs, m.book.ref(n.ID))
		}
	}
	return l
}

// ahead is how many of the leaf set on each side come with the reply to a join, so that the
// joining node dials them while its surrogate dials it.
const ahead = 4

// closest lists the records of this node and of the nearest of its leaf set.
func (m *Member) closest(joiner idspace.ID) []*wire.SignedRecord {
	records := []*wire.SignedRecord{m.book.find(m.tables.Self).record}
	for _, id := range m.tables.Leaves.Nearest(ahead) {
		if p := m.book.find(id); p != nil && id != joiner {
			records = append(records, p.record)
		}
	}
	return records
}

// lend lists the records that a node joining next to this one needs most, after closest:
// the rest of its leaf set, then its rows from the longest prefix down, one per slot first.
func (m *Member) lend(joiner idspace.ID) (records []*wire.SignedRecord) {
	ids := m.tables.Leaves.All()
	var spares []idspace.ID
	for level := m.tables.Map.Levels() - 1; level >= 0; level-- {
		for _, n := range m.tables.Map.Row(level) {
			if _, primary := m.tables.Map.Primary(n.ID); primary {
				ids = append(ids, n.ID)
			} else {
				spares = append(spares, n.ID)
			}
		}
	}
	seen := map[idspace.ID]bool{joiner: true}
	for _, id := range m.tables.Leaves.Nearest(ahead) {
		seen[id] = true
	}
	for _, id := range append(ids, spares...) {
		p := m.book.find(id)
		if p == nil || seen[id] || len(records) == wire.MaxRecords {
			continue
		}
		seen[id] = true
		records = append(records, p.record)
	}
	return records
}

// holes lists the digits of the levels up to one for which this node knows nobody: those
// are the joining node's holes too, of which the multicast may reach somebody who knows.
func (m *Member) holes(level int) (masks []byte) {
	s := m.tables.Space
	for l := range level + 1 {
		var mask uint16
		for d := range idspace.Digit(s.Radix()) {
			if d != s.Digit(m.tables.Self, l) && len(m.tables.Map.Slot(l, d)) == 0 {
				mask |= 1 << d
			}
		}
		masks = binary.BigEndian.AppendUint16(masks, mask)
	}
	return masks
}

// fill tells a joining node of those here that would fill its holes, the watch list of
// P2PSIM, and of those that are being inserted as near to it as this node is. All below the
// level that its surrogate shares are holes, for the surrogate could lend nobody there.
func (m *Member) fill(e env.Env, joiner idspace.ID, holes []byte) {
	s := m.tables.Space
	var refs []byte
	fits := func(id idspace.ID) bool {
		l := s.CommonPrefix(id, joiner)
		return id != joiner && l < s.Digits() && len(holes) > 0 &&
			(2*l+2 > len(holes) || binary.BigEndian.Uint16(holes[2*l:])&(1<<s.Digit(id, l)) != 0)
	}
	for _, id := range m.tables.Map.Pins() {
		if id != joiner && s.CommonPrefix(id, joiner) >= s.CommonPrefix(m.tables.Self, joiner) {
			refs = wire.AppendRef(refs, m.book.ref(id))
		}
	}
	for _, n := range m.tables.Map.All() {
		if fits(n.ID) && !m.tables.Map.Pinned(n.ID) && len(refs) < maxFillers*10 {
			refs = wire.AppendRef(refs, m.book.ref(n.ID))
		}
	}
	if len(refs) > 0 {
		e.SendDial(joiner, &wire.Row{Refs: refs})
	}
}

// maxFillers bounds what one node tells a joining one.
const maxFillers = 64
