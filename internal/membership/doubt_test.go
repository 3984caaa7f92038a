package membership

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"pgregory.net/rapid"
)

// TestALiarMakesANodeDoubtForTwoMinutesInTen: whatever is claimed, and when.
func TestALiarMakesANodeDoubtForTwoMinutesInTen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d doubting
		now := mono.Time(time.Hour)
		var doubted time.Duration
		for end := now.Add(hearsaySpan); now < end; {
			claimed := time.Duration(rapid.Int64Range(1, int64(10*time.Second)).Draw(t, "claimed"))
			if left := d.grant(now, claimed); left > 0 {
				until := max(d.until, now.Add(left))
				doubted += until.Sub(max(d.until, now))
				d.until = until
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(15*time.Second)).Draw(t, "later")))
		}
		if doubted > hearsayDoubt {
			t.Fatalf("%v in %v", doubted, hearsaySpan)
		}
	})
}

func TestTheLostAreBoundedAndTakeTurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l lostList
		now := mono.Time(time.Hour)
		most := rapid.IntRange(1, 5).Draw(t, "most")
		t.Repeat(map[string]func(*rapid.T){
			"lose": func(t *rapid.T) {
				l.add(lostNode{id: idspace.ID{rapid.Byte().Draw(t, "id")}, at: now}, most)
			},
			"find": func(t *rapid.T) { l.drop(idspace.ID{rapid.Byte().Draw(t, "id")}) },
			"look": func(*rapid.T) {
				if n := l.next(); n != nil {
					n.tries++
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Minute)
				l.expire(now, 5*time.Minute)
			},
			"": func(t *rapid.T) {
				seen := map[idspace.ID]bool{}
				for _, n := range l {
					if seen[n.id] || now.Sub(n.at) > 5*time.Minute {
						t.Fatalf("%v twice or too old", n.id)
					}
					seen[n.id] = true
					if next := l.next(); n.tries < next.tries {
						t.Fatalf("%v was looked for %d times, %v is next with %d", n.id, n.tries, next.id, next.tries)
					}
				}
				if len(l) > most || l.since(now, 5*time.Minute) != len(l) {
					t.Fatalf("%d lost, at most %d", len(l), most)
				}
			},
		})
	})
}
