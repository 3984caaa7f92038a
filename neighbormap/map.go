package neighbormap

import (
	"cmp"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// State is whether a neighbor may be used as a next hop.
type State uint8

// The states.
const (
	Alive   State = iota
	Suspect       // routed around until heartbeat has decided (design §7)
)

// Neighbor is one entry of the map.
type Neighbor struct {
	ID      idspace.ID
	RTT     time.Duration // measured by this node, never claimed by others
	Suspect bool
}

// Map is one node's neighbor map. It is not safe for concurrent use.
type Map struct {
	space   idspace.Space
	self    idspace.ID
	perSlot int
	bound   int // see Bound

	// Invariant: rows[l][d] holds only nodes that share exactly l digits with self and
	// have digit d next, so rows[l][self[l]] is empty; at most perSlot of them, sorted
	// by compare. The last row is not empty.
	rows [][][]Neighbor
	// Invariant: the number of neighbors in rows.
	count int

	pins    []idspace.ID // see Pin; in order of ID
	moved   []idspace.ID // see Moved
	changes uint64       // see Changes
}

// New returns the empty map of node self, with room for perSlot nodes (at least 1)
// in every slot: a primary and perSlot−1 backups.
func New(space idspace.Space, self idspace.ID, perSlot int) *Map {
	if perSlot < 1 {
		panic("neighbormap: a slot needs room for its primary")
	}
	return &Map{space: space, self: self, perSlot: perSlot, bound: perSlot}
}

// Bound sets how many nodes a slot takes from now on, 1 to perSlot. Slots that have more
// keep them until they go of their own. It reports whether that is a change.
func (m *Map) Bound(most int) (changed bool) {
	if most = min(max(most, 1), m.perSlot); m.bound == most {
		return false
	}
	m.bound = most
	m.changes++
	return true
}

// compare orders the neighbors of a slot: nearest first, ties by ID so that the
// order does not depend on history.
func compare(a, b Neighbor) int {
	return cmp.Or(cmp.Compare(a.RTT, b.RTT), idspace.Compare(a.ID, b.ID))
}

// clearlyNearer reports whether a is worth giving up b for: replacing for less than
// a tenth would follow the noise of the measurements (design §6, issue 3).
func clearlyNearer(a, b time.Duration) bool { return a < b-b/10 }

// Levels returns how many levels have any neighbor: rows 0 to Levels()−1 may have one.
func (m *Map) Levels() int { return len(m.rows) }

// Len returns how many neighbors the map has.
func (m *Map) Len() int { return m.count }

// Slot returns the neighbors for digit d at a level, nearest first: a view, not to
// be kept or changed.
func (m *Map) Slot(level int, d idspace.Digit) []Neighbor {
	if level >= len(m.rows) {
		return nil
	}
	return m.rows[level][d]
}

// Row returns the neighbors of a level by digit, those of a digit nearest first.
func (m *Map) Row(level int) []Neighbor {
	if level >= len(m.rows) {
		return nil
	}
	return slices.Concat(m.rows[level]...)
}

// All returns every neighbor by level and digit, those of a slot nearest first.
func (m *Map) All() []Neighbor {
	all := make([]Neighbor, 0, m.count)
	for _, row := range m.rows {
		for _, slot := range row {
			all = append(all, slot...)
		}
	}
	return all
}

// place returns the level and digit of the slot that id belongs into; ok is false
// for self, and for an ID that the space cannot tell from self.
func (m *Map) place(id idspace.ID) (level int, d idspace.Digit, ok bool) {
	level = m.space.CommonPrefix(m.self, id)
	if level == m.space.Digits() {
		return 0, 0, false
	}
	return level, m.space.Digit(id, level), true
}

// find returns the slot that id belongs into and its index there, −1 if it is not.
func (m *Map) find(id idspace.ID) (slot []Neighbor, at int) {
	level, d, ok := m.place(id)
	if !ok {
		return nil, -1
	}
	slot = m.Slot(level, d)
	for i := range slot {
		if slot[i].ID == id {
			return slot, i
		}
	}
	return slot, -1
}

// Has reports whether id is a neighbor.
func (m *Map) Has(id idspace.ID) bool {
	_, at := m.find(id)
	return at >= 0
}

// Suspected reports whether id is a neighbor under suspicion.
func (m *Map) Suspected(id idspace.ID) bool {
	slot, at := m.find(id)
	return at >= 0 && slot[at].Suspect
}

// FillsHole reports whether id's slot is empty, so that the map cannot do without it.
func (m *Map) FillsHole(id idspace.ID) bool {
	level, d, ok := m.place(id)
	return ok && len(m.Slot(level, d)) == 0
}

// Sole reports whether id is the only entry of its slot.
func (m *Map) Sole(id idspace.ID) bool {
	slot, at := m.find(id)
	return at == 0 && len(slot) == 1
}

// Primary reports whether id is the first of its slot, and that slot's level.
func (m *Map) Primary(id idspace.ID) (level int, ok bool) {
	if _, at := m.find(id); at != 0 {
		return 0, false
	}
	return m.space.CommonPrefix(m.self, id), true
}
