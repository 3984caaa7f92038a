package routing

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/mono"
	"pgregory.net/rapid"
)

// TestCallsRememberTheLatest compares the memory of calls with a list of all that there
// were.
func TestCallsRememberTheLatest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 20).Draw(t, "size")
		c, now := newCalls(size), mono.Time(time.Hour)
		var all []remembered
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(maxLife/8)).Draw(t, "passes")))
			id := rapid.Uint64Range(0, 30).Draw(t, "call")
			if c.find(id) == nil {
				all = append(all, remembered{id, now})
			}
			c.add(id, now)
			known := 0
			for i, x := range all {
				young := now.Sub(x.since) <= maxLife && len(all)-i <= size
				if young && c.find(x.id) == nil {
					t.Fatalf("call %d of %v ago is forgotten", x.id, now.Sub(x.since))
				}
				if young {
					known++
				}
			}
			if len(c.byID) > size || len(c.line)-c.first != len(c.byID) || known > len(c.byID) {
				t.Fatalf("%d remembered of %d, %d in line", len(c.byID), known, len(c.line)-c.first)
			}
		}
	})
}
