package neighbormap

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Pin notes that id is being inserted, whether it is an entry yet or not: nodes that are
// inserted at the same time must hear of it (Hildrum et al. §4, pinned pointers).
func (m *Map) Pin(id idspace.ID) {
	if i, pinned := slices.BinarySearchFunc(m.pins, id, idspace.Compare); !pinned {
		m.pins = slices.Insert(m.pins, i, id)
	}
}

// Unpin ends what Pin began.
func (m *Map) Unpin(id idspace.ID) {
	if i, pinned := slices.BinarySearchFunc(m.pins, id, idspace.Compare); pinned {
		m.pins = slices.Delete(m.pins, i, i+1)
	}
}

// Pinned reports whether id is being inserted.
func (m *Map) Pinned(id idspace.ID) bool {
	_, pinned := slices.BinarySearchFunc(m.pins, id, idspace.Compare)
	return pinned
}

// Pins returns the nodes that are being inserted, in order of ID: a view, not to be kept
// or changed.
func (m *Map) Pins() []idspace.ID { return m.pins }
