package neighbormap

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Wants reports whether Insert would take a node at this distance.
func (m *Map) Wants(id idspace.ID, rtt time.Duration) bool {
	slot, at := m.find(id)
	if _, _, ok := m.place(id); !ok || at >= 0 {
		return false
	}
	return len(slot) < m.bound || clearlyNearer(rtt, slot[len(slot)-1].RTT)
}

// Insert takes n into its slot, unless it is there already (see Update) or the slot
// is full of nodes that are not clearly farther. If the farthest had to go for it,
// evicted is that one; it is the zero ID if none had to.
func (m *Map) Insert(n Neighbor) (evicted idspace.ID, ok bool) {
	if !m.Wants(n.ID, n.RTT) {
		return idspace.ID{}, false
	}
	if slot, _ := m.find(n.ID); len(slot) >= m.bound {
		evicted = slot[len(slot)-1].ID
		m.Remove(evicted)
	}
	m.insert(n)
	return evicted, true
}

// Replace puts n, which is not there, into its slot in the place of another of that slot.
func (m *Map) Replace(old idspace.ID, n Neighbor) {
	m.Remove(old)
	m.insert(n)
}

func (m *Map) insert(n Neighbor) {
	level, d, _ := m.place(n.ID)
	for len(m.rows) <= level {
		m.rows = append(m.rows, make([][]Neighbor, m.space.Radix()))
	}
	m.changes++
	slot := m.rows[level][d]
	at, _ := slices.BinarySearchFunc(slot, n, compare)
	m.rows[level][d] = slices.Insert(slot, at, n)
	m.count++
	m.noteAll(m.rows[level][d])
}

// Remove takes id out and reports whether it was there; a backup moves up.
func (m *Map) Remove(id idspace.ID) bool {
	slot, at := m.find(id)
	if at < 0 {
		return false
	}
	m.changes++
	m.noteAll(slot)
	level, d, _ := m.place(id)
	m.rows[level][d] = slices.Delete(slot, at, at+1)
	m.count--
	for len(m.rows) > 0 && emptyRow(m.rows[len(m.rows)-1]) {
		m.rows = m.rows[:len(m.rows)-1]
	}
	return true
}

func emptyRow(row [][]Neighbor) bool {
	return !slices.ContainsFunc(row, func(slot []Neighbor) bool { return len(slot) > 0 })
}

// Update sets the distance of a neighbor and reports whether that changed the order of
// its slot.
func (m *Map) Update(id idspace.ID, rtt time.Duration) (reordered bool) {
	slot, at := m.find(id)
	if at < 0 || slot[at].RTT == rtt {
		return false
	}
	m.changes++
	slot[at].RTT = rtt
	if slices.IsSortedFunc(slot, compare) {
		return false
	}
	slices.SortFunc(slot, compare)
	m.noteAll(slot)
	return true
}

// SetState sets whether a neighbor is under suspicion; it keeps its place.
func (m *Map) SetState(id idspace.ID, s State) {
	if slot, at := m.find(id); at >= 0 {
		slot[at].Suspect = s == Suspect
	}
}
