package neighbormap_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"pgregory.net/rapid"
)

// What Contest foretells is what Insert does: with no contest there is room, else the
// farthest of the slot goes if it yields.
func TestContestForetellsInsertions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.Custom(func(t *rapid.T) neighbormap.Neighbor {
			return neighbormap.Neighbor{
				ID:  idspace.ID{rapid.ByteRange(0x10, 0x2f).Draw(t, "id")},
				RTT: time.Duration(rapid.IntRange(0, 50).Draw(t, "ms")) * time.Millisecond,
			}
		})
		m := neighbormap.New(idspace.Hex, idspace.ID{}, rapid.IntRange(1, 4).Draw(t, "slot"))
		for _, n := range rapid.SliceOfN(draw, 0, 12).Draw(t, "neighbors") {
			m.Insert(n)
		}
		n := draw.Draw(t, "n")
		slot, had := m.Contest(n.ID), m.Has(n.ID)
		want := !had && (len(slot) == 0 || slot[len(slot)-1].YieldsTo(n.RTT))
		var farthest idspace.ID
		if len(slot) > 0 {
			farthest = slot[len(slot)-1].ID
		}
		if evicted, ok := m.Insert(n); ok != want || ok && evicted != farthest {
			t.Fatalf("taken %v, want %v; %v went, want %v", ok, want, evicted, farthest)
		}
	})
}
