package node_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/node"
)

// uncovered demands that nobody lives on a covered span who is no member of it, and counts
// the nodes with members beyond their span.
func (n *net) uncovered() (incomplete int) {
	n.t.Helper()
	for _, h := range n.hosts {
		if h.down {
			continue
		}
		leaves := h.node.Tables().Leaves
		if !leaves.Complete() {
			incomplete++
		}
		for _, id := range n.alive() {
			if id != h.id && leaves.Covered(id, id) && !leaves.Has(id) {
				n.t.Errorf("%s does not know %s, who lives on its covered span: %v", h.id.Short(), id.Short(), leaves)
			}
		}
	}
	return incomplete
}

// Findings A.9: when half of the nodes die at once leaf sets are filled from the map, and
// have gaps; nobody says that it covers one.
func TestCoveredSpansHaveNoGaps(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		n := newNet(t, seed)
		n.config = func(c *node.Config) { c.LeafSide = 4 }
		n.overlay(60)
		n.run(30 * time.Second)
		if left := n.uncovered(); left > 0 {
			t.Errorf("seed %d: %d of 60 nodes have members that nobody vouches for", seed, left)
		}
		for i, h := range n.hosts {
			h.down = i%2 == 0
		}
		for range 60 {
			n.run(time.Second)
			n.uncovered()
		}
		if left := n.uncovered(); left > 0 {
			t.Errorf("seed %d: %d of 30 nodes have members that nobody vouches for, a minute after the others died", seed, left)
		}
		n.check(5)
	}
}
