package pointers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// lotOf is a lot of so many objects under one salt.
func lotOf(t testing.TB, objects int) (*pointers.Lot, *wire.BatchRecord) {
	t.Helper()
	var guids []idspace.ID
	for i := range objects {
		guids = append(guids, named(fmt.Sprint("object ", i)))
	}
	part, err := batch.Build(idspace.Hex, guids, 1)
	if err != nil {
		t.Fatal(err)
	}
	server := named("s1")
	rec := &wire.BatchRecord{App: "a", Server: server[:], Generation: 1, Counter: 1, LifeS: 7200}
	part.Commit(rec)
	return pointers.NewLot(envtest.Pointer("s1", rec), rec, part.Runs()[0]), rec
}

// TestALotIsLetGoAsItsPointersAre takes pointers off one after the other: those that stay are still proven, and what is kept
// of the lot is never twice what they count for.
func TestALotIsLetGoAsItsPointersAre(t *testing.T) {
	const objects = 300
	s := pointers.New(named("s0"), pointers.Limits{})
	lot, rec := lotOf(t, objects)
	var held []*pointers.Pointer
	for item := range lot.Objects() {
		result := s.Put(pointers.Deposit{
			Signed: lot.Signed, Record: rec, Lot: lot, Item: item, Server: meet(t, s, "s1", 1), Copy: wire.Copy_COPY_PATH, Roots: 1,
			From: named("peer"), Left: time.Hour, Until: mono.Time(time.Hour),
		}, 1)
		held = append(held, result.Pointer)
	}
	before := s.Stats().Bytes
	for len(held) > 1 {
		i := len(held) * 7 / 11
		s.TakeOff(held[i].Laid()[0])
		held = append(held[:i], held[i+1:]...)
		demandSound(t, s)
		if most := 3 * len(held) * 20; len(held) > 50 && lot.Len()*20 > most {
			t.Fatalf("a lot of %d items for %d pointers", lot.Len(), len(held))
		}
		for _, p := range held {
			proof, under := p.Proof()
			if d, err := pointers.Alone(idspace.Hex, p.Record, rec, uint32(under), proof); err != nil || d.Key() != p.Key {
				t.Fatalf("%v reads %v: %v", p, d.Key(), err)
			}
		}
	}
	if after := s.Stats().Bytes; after > before/50 {
		t.Errorf("%d bytes of one of %d objects, which took %d", after, objects, before)
	}
}
