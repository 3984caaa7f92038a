package wire_test

import (
	"slices"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

func TestRefsSurvivePacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		refs := rapid.SliceOf(anyRef).Draw(t, "refs")
		var packed []byte
		for _, r := range refs {
			packed = wire.AppendRef(packed, r)
		}
		if len(packed) != 10*len(refs) || !slices.Equal(wire.Refs(packed), refs) {
			t.Fatalf("%d bytes: %v, want %v", len(packed), wire.Refs(packed), refs)
		}
	})
}

func TestARefMatchesItsNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, generation := idspace.ID(anyID.Draw(t, "id")), rapid.Uint64().Draw(t, "generation")
		r := wire.RefTo(id, generation)
		other := id
		other[rapid.IntRange(0, 7).Draw(t, "where")] ^= 1
		switch {
		case !r.Matches(id) || !r.Matches(r.Guess()) || r.Matches(other):
			t.Fatalf("%v: matches %v, its guess %v, another %v", r, r.Matches(id), r.Matches(r.Guess()), r.Matches(other))
		case r.Generation != uint16(generation):
			t.Fatalf("generation %x of %x", r.Generation, generation)
		case idspace.Hex.CommonPrefix(r.Guess(), id) < 16:
			t.Fatalf("%v is placed at %v", id, r.Guess())
		}
	})
}

func TestIDsSurvivePacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var packed []byte
		var want []idspace.ID
		for _, b := range rapid.SliceOf(anyID).Draw(t, "ids") {
			packed, want = append(packed, b...), append(want, wire.ID(b))
		}
		if got := wire.IDs(packed); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}
