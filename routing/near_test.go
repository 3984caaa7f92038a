package routing_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// TestNearIsTheRootAmongThoseMeasuredToBeNear compares Near with the oracle, the root among
// this node and the neighbors within reach.
func TestNearIsTheRootAmongThoseMeasuredToBeNear(t *testing.T) {
	const within = 10 * time.Millisecond
	rng := rand.New(rand.NewPCG(1, 2))
	random := func() (id idspace.ID) {
		for i := range id {
			id[i] = byte(rng.Uint32())
		}
		return id
	}
	found := 0
	for range 200 {
		self := random()
		table := links.New(links.Config{}.WithDefaults())
		tables := &surrogate.Tables{
			Space: idspace.Hex, Self: self, Map: neighbormap.New(idspace.Hex, self, 3), Leaves: leafset.New(self, 8),
		}
		close := []idspace.ID{self}
		for i := range rng.IntN(20) {
			id := random()
			table.Open(id)
			if i%4 == 0 {
				continue // never measured
			}
			rtt := time.Duration(rng.IntN(20)) * time.Millisecond
			table.Sample(id, rtt)
			if rtt <= within {
				close = append(close, id)
			}
		}
		key := random()
		want := surrogate.Root(idspace.Hex, close, key)
		got, ok := routing.New(routing.Config{}.WithDefaults(), tables, table).Near(key, within)
		if got != want || ok != (want != self) {
			t.Fatalf("Near = %v, %v; the root of those near is %v, this node %v", got, ok, want, self)
		}
		if ok {
			found++
		}
	}
	if found == 0 || found == 200 {
		t.Fatalf("%d of 200 found a near node: the test says nothing", found)
	}
}
