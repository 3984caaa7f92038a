package node

import (
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Neighborhood returns the records of up to most neighbors by whom this node would find
// back if it were started again: the leaf set, then the primaries of the map from the
// lowest level up, which lie all over the overlay.
func (n *Node) Neighborhood(most int) (records []*wire.SignedRecord) {
	seen := map[idspace.ID]bool{}
	add := func(id idspace.ID) {
		r := n.membership.Record(id)
		if r != nil && !seen[id] && len(records) < most {
			seen[id] = true
			records = append(records, r)
		}
	}
	for _, id := range n.tables.Leaves.Nearest(most / 4) {
		add(id)
	}
	for _, nb := range n.tables.Map.All() {
		if _, primary := n.tables.Map.Primary(nb.ID); primary {
			add(nb.ID)
		}
	}
	for _, id := range n.tables.Leaves.All() {
		add(id)
	}
	return records
}
