package routing_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// TestNearIsTheRootAmongThoseMeasuredToBeNear compares Near with the oracle, for each circle
// the root among this node and the neighbors within it.
func TestNearIsTheRootAmongThoseMeasuredToBeNear(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var found [len(routing.Circles) + 1]int
	for range 200 {
		self := randomID(rng)
		table := links.New(links.Config{}.WithDefaults())
		tables := &surrogate.Tables{
			Space: idspace.Hex, Self: self, Map: neighbormap.New(idspace.Hex, self, 3), Leaves: leafset.New(self, 8),
		}
		close := make([][]idspace.ID, len(routing.Circles))
		for i := range close {
			close[i] = []idspace.ID{self}
		}
		for i := range rng.IntN(20) {
			id := randomID(rng)
			table.Open(id)
			if i%4 == 0 {
				continue // never measured
			}
			rtt := time.Duration(rng.IntN(120)) * time.Millisecond
			table.Sample(id, rtt)
			for i, within := range routing.Circles {
				if rtt <= within {
					close[i] = append(close[i], id)
				}
			}
		}
		key := randomID(rng)
		var want []idspace.ID
		for _, circle := range close {
			if root := surrogate.Root(idspace.Hex, circle, key); root != self && !slices.Contains(want, root) {
				want = append(want, root)
			}
		}
		if got := routing.New(routing.Config{}.WithDefaults(), tables, table).Near(key); !slices.Equal(got, want) {
			t.Fatalf("Near = %v; the roots of those near are %v, this node %v", got, want, self)
		}
		found[len(want)]++
	}
	if slices.Contains(found[:], 0) {
		t.Fatalf("so many had none, one and two near nodes: %v; the test says nothing", found)
	}
}

// TestAloneNobodyIsNear: what near nodes do can be seen by leaving them out.
func TestAloneNobodyIsNear(t *testing.T) {
	near := func(cfg routing.Config) []idspace.ID {
		table := links.New(links.Config{}.WithDefaults())
		tables := &surrogate.Tables{Space: idspace.Hex, Map: neighbormap.New(idspace.Hex, idspace.ID{}, 3), Leaves: leafset.New(idspace.ID{}, 8)}
		next := idspace.ID{1}
		table.Open(next)
		table.Sample(next, time.Millisecond)
		return routing.New(cfg, tables, table).Near(next)
	}
	if with, without := near(routing.Config{}), near(routing.Config{Alone: true}); len(with) != 1 || len(without) != 0 {
		t.Errorf("near %v, and alone %v", with, without)
	}
}
