package wire_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

func TestADigestDoesNotDependOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		refs := rapid.SliceOf(anyRef).Draw(t, "refs")
		var forth, back []byte
		for i := range refs {
			forth, back = wire.AppendRef(forth, refs[i]), wire.AppendRef(back, refs[len(refs)-1-i])
		}
		if a, b := wire.Digest(forth), wire.Digest(back); a != b || a == 0 {
			t.Fatalf("%d one way, %d the other", a, b)
		}
	})
}

func TestADigestTellsSetsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		refs, more := anyRefs.Draw(t, "refs"), anyRef.Draw(t, "one more")
		if a := wire.Digest(refs); a == wire.Digest(wire.AppendRef(refs, more)) && len(refs) > 0 {
			t.Fatalf("%d with and without %v", a, more)
		}
	})
}

func TestAListIsWholeUnlessItsDigestIsOfAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		refs := anyRefs.Draw(t, "refs")
		d := wire.Digest(refs)
		if !(&wire.LeafSet{Refs: refs, Digest: d}).Whole() || !(&wire.Row{Refs: refs, Digest: d}).Whole() {
			t.Fatal("a list with its own digest is not whole")
		}
		if !(&wire.LeafSet{Refs: refs}).Whole() || !(&wire.Row{Refs: refs}).Whole() {
			t.Fatal("a list of a sender that knows no digests is not whole")
		}
		if (&wire.LeafSet{Digest: d ^ 8}).Whole() || (&wire.Row{Digest: d ^ 8}).Whole() {
			t.Fatal("a digest alone is whole")
		}
	})
}
