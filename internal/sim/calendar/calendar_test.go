package calendar_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/calendar"
	"pgregory.net/rapid"
)

// TestEventsComeInOrder compares the queue with a stable sort, at every scale of time,
// while events are pushed between those taken out.
func TestEventsComeInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := calendar.New()
		var plain []calendar.Event
		now, id := mono.Time(0), int32(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "push") {
				reach := rapid.SampledFrom([]time.Duration{0, time.Microsecond, 3 * time.Millisecond, 9 * time.Second, 5 * time.Hour}).Draw(t, "reach")
				id++
				e := calendar.Event{At: now.Add(time.Duration(rapid.Int64Range(0, int64(reach)).Draw(t, "in"))), Arg: id}
				q.Push(e)
				plain = append(plain, e)
				continue
			}
			got, ok := q.Pop()
			if ok != (len(plain) > 0) || q.Len() != max(0, len(plain)-1) {
				t.Fatalf("popped %v, %d left, %d were there", ok, q.Len(), len(plain))
			}
			if !ok {
				continue
			}
			slices.SortStableFunc(plain, func(a, b calendar.Event) int { return int(a.At.Sub(b.At)) })
			if got.At != plain[0].At || got.Arg != plain[0].Arg {
				t.Fatalf("event %d at %v, want %d at %v", got.Arg, got.At, plain[0].Arg, plain[0].At)
			}
			plain = plain[1:]
			now = got.At
		}
	})
}

// BenchmarkHold is the classic hold model: take one out, put one in, with a million pending.
func BenchmarkHold(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	q := calendar.New()
	for range 1_000_000 {
		q.Push(calendar.Event{At: mono.Time(rng.Int64N(int64(12 * time.Second)))})
	}
	b.ReportAllocs()
	for b.Loop() {
		e, _ := q.Pop()
		q.Push(calendar.Event{At: e.At.Add(time.Duration(rng.Int64N(int64(12 * time.Second))))})
	}
}
