package neighbormap

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Contest returns the slot that id would enter at the cost of a member, nearest first;
// nil if there is room in it, or id is in it already. It is a view, not to be kept or
// changed.
func (m *Map) Contest(id idspace.ID) []Neighbor {
	slot, at := m.find(id)
	if at >= 0 || len(slot) < m.bound {
		return nil
	}
	return slot
}

// Room returns how many more neighbors the slot of id takes without giving one up.
func (m *Map) Room(id idspace.ID) int {
	slot, _ := m.find(id)
	return max(m.bound-len(slot), 0)
}

// YieldsTo reports whether a node at this distance is worth giving up n for.
func (n Neighbor) YieldsTo(rtt time.Duration) bool { return clearlyNearer(rtt, n.RTT) }
