package membership

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/neighbormap"
)

// Diversity of networks (design §6; go-libp2p-kbucket's peerdiversity): whoever owns one
// network can run nodes there by the thousand and choose among their IDs. So of a side of
// the leaf set, and of a slot of the map, that is full, one IP group takes its share and no
// more away from others: beyond it a node takes the place of one of its own group, or none.
// A place that would stay empty is anybody's, so that a hole still means that there is no
// such node; and where everybody is of one group, or of none, nothing changes.

// groupShare is how many of size places one IP group may take away from others.
func groupShare(size int) int { return max(2, size/2) }

// groupOf is the label of a known node's network, "" if it has none.
func (m *Member) groupOf(id idspace.ID) string {
	p := m.book.find(id)
	if p == nil {
		return ""
	}
	if !p.labeled {
		p.labeled, p.group = true, m.group(id, p.record)
	}
	return p.group
}

// relabel looks again in which network a node is: now there is a connection, which tells
// more than what it says of itself.
func (m *Member) relabel(id idspace.ID) {
	if p := m.book.find(id); p != nil && m.group != nil {
		p.labeled, p.group = true, m.group(id, p.record)
	}
}

// yields says who has to go for id of those that fill a place, nearest first: the farthest,
// or, if id's group has its share already, the farthest of that group.
func (m *Member) yields(id idspace.ID, rivals []idspace.ID) (at int) {
	last := len(rivals) - 1
	if m.group == nil || m.groupOf(id) == "" {
		return last
	}
	group, have, farthest := m.groupOf(id), 0, last
	for i, rival := range rivals {
		if m.groupOf(rival) == group {
			have, farthest = have+1, i
		}
	}
	if have < groupShare(len(rivals)) {
		return last
	}
	return farthest
}

// wantsLeaf reports whether the leaf set has a place for id.
func (m *Member) wantsLeaf(id idspace.ID) bool {
	if !m.tables.Leaves.Wants(id) {
		return false
	}
	if m.group == nil {
		return true
	}
	for _, c := range m.tables.Leaves.Contests(id) {
		if m.yields(id, c.Side) < c.At {
			return false
		}
	}
	return true
}

// enterLeaves puts id into the leaf set if there is a place for it.
func (m *Member) enterLeaves(id idspace.ID) bool {
	if !m.wantsLeaf(id) {
		return false
	}
	if m.group != nil {
		for _, c := range m.tables.Leaves.Contests(id) {
			if at := m.yields(id, c.Side); at < len(c.Side)-1 {
				m.tables.Leaves.Remove(c.Side[at])
			}
		}
	}
	_, ok := m.tables.Leaves.Insert(id)
	return ok
}

// wantsSlot reports whether the neighbor map has a place for id at this distance.
func (m *Member) wantsSlot(id idspace.ID, rtt time.Duration) bool {
	if !m.tables.Map.Wants(id, rtt) {
		return false
	}
	rival, contested := m.rival(id)
	return !contested || rival.YieldsTo(rtt)
}

// rival is the neighbor that has to go if id enters its slot.
func (m *Member) rival(id idspace.ID) (n neighbormap.Neighbor, contested bool) {
	slot := m.tables.Map.Contest(id)
	if m.group == nil || len(slot) == 0 {
		return n, false
	}
	ids := make([]idspace.ID, len(slot))
	for i := range slot {
		ids[i] = slot[i].ID
	}
	return slot[m.yields(id, ids)], true
}

// enterSlot puts n into its slot if there is a place for it.
func (m *Member) enterSlot(n neighbormap.Neighbor) bool {
	if !m.wantsSlot(n.ID, n.RTT) {
		return false
	}
	if rival, contested := m.rival(n.ID); contested {
		m.tables.Map.Replace(rival.ID, n)
		return true
	}
	_, ok := m.tables.Map.Insert(n)
	return ok
}
