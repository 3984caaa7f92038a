package leafset_test

import (
	"slices"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/leafset"
	"pgregory.net/rapid"
)

// What Contests foretells is what Insert does: who enters nowhere contests nothing, and
// of each contested side the farthest member goes, at the place that was named.
func TestContestsForetellInsertions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.Custom(func(t *rapid.T) idspace.ID { return idspace.ID{rapid.Byte().Draw(t, "id")} })
		self := draw.Draw(t, "self")
		s := leafset.New(self, rapid.IntRange(1, 4).Draw(t, "side"))
		for _, id := range rapid.SliceOfN(draw, 0, 12).Draw(t, "members") {
			s.Insert(id)
		}
		id := draw.Draw(t, "id")
		contests, wanted := s.Contests(id), s.Wants(id)
		var want [][]idspace.ID
		for _, c := range contests {
			want = append(want, slices.Insert(slices.Clone(c.Side[:len(c.Side)-1]), c.At, id))
		}
		if _, ok := s.Insert(id); !ok && len(contests) > 0 || ok != wanted {
			t.Fatalf("%v would contest %v, and is not taken", id, contests)
		}
		for _, side := range want {
			if !slices.Equal(side, s.CW()) && !slices.Equal(side, s.CCW()) {
				t.Fatalf("want a side %v, have %v", side, s)
			}
		}
	})
}
