package surrogate

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Root returns the root of key among nodes, the one with the smallest δ, by looking
// at all of them: the oracle beside Next. Of no nodes it is the zero ID.
func Root(space idspace.Space, nodes []idspace.ID, key idspace.ID) idspace.ID {
	var root idspace.ID
	for i, id := range nodes {
		if i == 0 || space.Closer(id, root, key) {
			root = id
		}
	}
	return root
}

// Heirs returns up to k known nodes that come next after Self in δ order: at the root
// of key, those that become root one after the other when it dies (design §3).
// Suspects are among them.
func (t *Tables) Heirs(key idspace.ID, k int) []idspace.ID {
	heirs := t.Leaves.All()
	for _, n := range t.Map.All() {
		heirs = append(heirs, n.ID)
	}
	heirs = slices.DeleteFunc(heirs, func(id idspace.ID) bool { return !t.Space.Closer(t.Self, id, key) })
	slices.SortFunc(heirs, func(a, b idspace.ID) int {
		switch {
		case t.Space.Closer(a, b, key):
			return -1
		case t.Space.Closer(b, a, key):
			return 1
		}
		return 0
	})
	heirs = slices.Compact(heirs)
	return heirs[:min(k, len(heirs))]
}
