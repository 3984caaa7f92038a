package neighbormap

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Moved returns, and forgets, whose place may not be what it was when this was last asked:
// who came and went, and all of their slots. Each once, in no order.
func (m *Map) Moved() []idspace.ID {
	moved := m.moved
	m.moved = nil
	return moved
}

// note remembers that id has moved.
func (m *Map) note(id idspace.ID) {
	if !slices.Contains(m.moved, id) {
		m.moved = append(m.moved, id)
	}
}

func (m *Map) noteAll(slot []Neighbor) {
	for i := range slot {
		m.note(slot[i].ID)
	}
}
