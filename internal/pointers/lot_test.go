package pointers_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// TestALotIsLetGoAsItsPointersAre takes pointers off one after the other: those that stay are still proven, and what is kept
// of the lot is never twice what they count for.
func TestALotIsLetGoAsItsPointersAre(t *testing.T) {
	const objects = 300
	s := pointers.New(named("s0"), pointers.Limits{})
	lot, rec, held := putBatch(t, s, 0, objects)
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
			if d, err := pointers.Alone(idspace.Hex, p.Record(), rec, uint32(under), proof); err != nil || d.Key() != p.Key {
				t.Fatalf("%v reads %v: %v", p, d.Key(), err)
			}
		}
	}
	if after := s.Stats().Bytes; after > before/50 {
		t.Errorf("%d bytes of one of %d objects, which took %d", after, objects, before)
	}
}
