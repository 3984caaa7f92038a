package idspace_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"pgregory.net/rapid"
)

// TestTableIsAMap compares the table with a map, under a random history.
func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table idspace.Table[*int]
		plain := map[byte]*int{}
		for n := range rapid.IntRange(1, 100).Draw(t, "steps") {
			who := rapid.ByteRange(0, 20).Draw(t, "who")
			id := idspace.ID{0: who % 3, 19: who}
			if rapid.Bool().Draw(t, "set") {
				plain[who] = &n
				table.Set(id, &n)
			} else {
				delete(plain, who)
				table.Delete(id)
			}
			if table.Len() != len(plain) {
				t.Fatalf("%d kept, want %d", table.Len(), len(plain))
			}
			for b := range byte(21) {
				if got := table.Of(idspace.ID{0: b % 3, 19: b}); got != plain[b] {
					t.Fatalf("of %d: %v, want %v", b, got, plain[b])
				}
			}
		}
	})
}
