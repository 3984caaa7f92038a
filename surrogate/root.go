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
	if k <= 0 {
		return nil
	}
	heirs := make([]idspace.ID, 0, k+1)
	consider := func(id idspace.ID) {
		if !t.Space.Closer(t.Self, id, key) || len(heirs) == k && !t.Space.Closer(id, heirs[k-1], key) || slices.Contains(heirs, id) {
			return
		}
		at := len(heirs)
		for at > 0 && t.Space.Closer(id, heirs[at-1], key) {
			at--
		}
		heirs = slices.Insert(heirs, at, id)
		heirs = heirs[:min(k, len(heirs))]
	}
	for _, id := range t.Leaves.All() {
		consider(id)
	}
	for _, n := range t.Map.All() {
		consider(n.ID)
	}
	return heirs
}
