package surrogate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/surrogate"
	"pgregory.net/rapid"
)

// half is what a node knows of some of nodes, when one other has vouched for an arc of the ring.
func half(t *rapid.T, space idspace.Space, nodes []idspace.ID) *surrogate.Tables {
	self := rapid.SampledFrom(nodes).Draw(t, "self")
	known := rapid.SliceOfDistinct(rapid.SampledFrom(nodes), rapid.ID[idspace.ID]).Draw(t, "known")
	known = slices.DeleteFunc(known, func(id idspace.ID) bool { return id == self })
	tables := know(space, self, known, source.Draw(t, "rtt"))
	of := rapid.SampledFrom(nodes).Draw(t, "who vouches")
	c := &leafset.Claim{Of: of, Named: slices.DeleteFunc(slices.Clone(nodes), func(id idspace.ID) bool { return id == of })}
	c.Reach(rapid.IntRange(0, 24).Draw(t, "up"), rapid.IntRange(0, 24).Draw(t, "down"), self)
	tables.Leaves.Vouch(c)
	return tables
}

// A node that takes itself for the root and is not has a hole for the root, and Holes names
// it: nobody on the covered span is overlooked. At a level where it knows nobody it does not.
func TestWhoIsWronglyRootIsToldWhereToAsk(t *testing.T) {
	for _, digitBits := range []int{2, 4} {
		space := newSpace(t, 8, digitBits)
		asked := 0
		rapid.Check(t, func(t *rapid.T) {
			nodes := tinyNodes.Draw(t, "nodes")
			tables := half(t, space, nodes)
			excluded := rapid.SliceOfN(rapid.SampledFrom(nodes), 0, wire.MaxExclude).Draw(t, "excluded")
			excluded = slices.DeleteFunc(excluded, func(id idspace.ID) bool { return id == tables.Self })
			others := slices.DeleteFunc(slices.Clone(nodes), func(id idspace.ID) bool { return slices.Contains(excluded, id) })
			for b := range 256 {
				key := idspace.ID{byte(b)}
				root := surrogate.Root(space, others, key)
				if tables.Next(key, surrogate.Skip{Excluded: excluded}).Rule != wire.Rule_RULE_ROOT || root == tables.Self {
					continue
				}
				level := space.CommonPrefix(tables.Self, root)
				if len(tables.Map.Row(level)) == 0 {
					continue
				}
				asked++
				hole := surrogate.Hole{Level: level, Digit: space.Digit(root, level)}
				if holes := tables.Holes(nil, key, excluded); !slices.Contains(holes, hole) || !tables.Inside(hole, root) {
					t.Fatalf("%v takes itself for the root of %v, which is %v; it would ask about %v", tables.Self, key, root, holes)
				}
			}
		})
		if asked == 0 {
			t.Errorf("radix %d: no wrong root was drawn", space.Radix())
		}
	}
}

func TestACoveredHoleIsNotAskedAbout(t *testing.T) {
	nodes := []idspace.ID{hexID(t, "10"), hexID(t, "30"), hexID(t, "50"), hexID(t, "90")}
	tables := know(idspace.Hex, nodes[1], nodes, source.Example())
	digits := func(key string) (all []idspace.Digit) {
		for _, h := range tables.Holes(nil, hexID(t, key), nil) {
			all = append(all, h.Digit)
		}
		return all
	}
	if got := digits("a"); !slices.Equal(got, []idspace.Digit{10, 11, 12, 13, 14, 15, 0, 2}) {
		t.Errorf("with nobody to vouch it asks about %v", got)
	}
	tables.Leaves.Vouch(&leafset.Claim{Of: nodes[0], Up: nodes[1], Down: nodes[0], Named: nodes[1:2]})
	if got := digits("a"); !slices.Equal(got, []idspace.Digit{10, 11, 12, 13, 14, 15, 0}) {
		t.Errorf("when its neighbor vouches for what is between them it asks about %v", got)
	}
	tables.Leaves.VouchAll()
	if got := digits("a"); len(got) > 0 {
		t.Errorf("when all is vouched for it asks about %v", got)
	}
}

// BenchmarkHoles asks one node of 10 000 about the holes before keys of its own.
func BenchmarkHoles(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	nodes := randomIDs(r, 10_000)
	for _, vouched := range []bool{true, false} {
		tables := know(idspace.Hex, nodes[0], nodes[1:], r)
		if vouched {
			tables.Leaves.VouchAll()
		}
		keys := make([]idspace.ID, 512)
		for i := range keys {
			keys[i] = randomID(r)
			for l := 0; surrogate.Root(idspace.Hex, nodes, keys[i]) != nodes[0]; l++ {
				keys[i] = idspace.Hex.WithDigit(keys[i], l, idspace.Hex.Digit(nodes[0], l))
			}
		}
		b.Run(fmt.Sprintf("vouched=%v", vouched), func(b *testing.B) {
			b.ReportAllocs()
			var holes []surrogate.Hole
			i := 0
			for b.Loop() {
				holes = tables.Holes(holes[:0], keys[i%len(keys)], nil)
				i++
			}
		})
	}
}

// Nearest and Within are what sorting everybody by distance from the arc gives.
func TestNearestToAnArc(t *testing.T) {
	space := newSpace(t, 8, 4)
	rapid.Check(t, func(t *rapid.T) {
		tables := half(t, space, tinyNodes.Draw(t, "nodes"))
		lo, hi := space.Arc(idspace.ID{rapid.Byte().Draw(t, "in the arc")}, rapid.IntRange(0, 2).Draw(t, "digits"))
		distance := func(id idspace.ID) int {
			up, down := int(id[0]-hi[0]), int(lo[0]-id[0])
			if lo[0] <= id[0] && id[0] <= hi[0] {
				return 0
			}
			return min(up, down)
		}
		var known []idspace.ID
		for b := range 256 {
			if id := (idspace.ID{byte(b)}); tables.Map.Has(id) || tables.Leaves.Has(id) {
				known = append(known, id)
			}
		}
		inside := slices.DeleteFunc(append(slices.Clone(known), tables.Self), func(id idspace.ID) bool { return distance(id) > 0 })
		got := tables.Within(lo, hi, 300)
		slices.SortFunc(got, idspace.Compare)
		slices.SortFunc(inside, idspace.Compare)
		if !slices.Equal(got, inside) {
			t.Fatalf("within %v and %v: %v, want %v", lo, hi, got, inside)
		}
		nearest, ok := tables.Nearest(lo, hi, nil)
		if ok != (len(known) > 0) {
			t.Fatalf("nearest of %v: %v", known, ok)
		}
		for _, id := range known {
			if distance(id) < distance(nearest) {
				t.Fatalf("nearest to %v–%v is %v, and %v is nearer", lo, hi, nearest, id)
			}
		}
	})
}
