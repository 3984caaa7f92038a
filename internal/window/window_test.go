package window_test

import (
	"math"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/window"
	"pgregory.net/rapid"
)

// round lets all that there is room for leave and come through.
func round(w *window.Window) {
	for range w.Room(0) {
		w.Came(1)
	}
}

// TestItDoublesUntilSomethingIsLost and grows by one per round trip from then on.
func TestItDoublesUntilSomethingIsLost(t *testing.T) {
	w := window.New(4, 100)
	for _, want := range []int{4, 8, 16, 32, 64, 100} {
		if got := w.Room(0); got != want || w.Steady() {
			t.Errorf("room for %d, want %d", got, want)
		}
		round(&w)
	}
	w.Cut(0.5)
	if got := w.Room(0); got != 50 || !w.Steady() {
		t.Errorf("after a loss there is room for %d, want half", got)
	}
	for range 20 {
		round(&w)
	}
	if got := w.Room(0); got < 69 || got > 70 {
		t.Errorf("20 round trips later there is room for %d, want one more for each", got)
	}
	w.Anew(8)
	if round(&w); w.Room(0) != 100 {
		t.Errorf("when the loss is forgiven there is room for %d, want the most", w.Room(0))
	}
}

// TestManyAtOnceCountAsManyByThemselves while it doubles.
func TestManyAtOnceCountAsManyByThemselves(t *testing.T) {
	w := window.New(4, 100)
	if w.Came(3); w.Size() != 7 {
		t.Errorf("size %v", w.Size())
	}
	w.Settle()
	if w.Came(7); w.Size() != 8 {
		t.Errorf("size %v after all seven have come, want one more", w.Size())
	}
}

// TestWhatIsUnderWayTakesRoom, and a limit does.
func TestWhatIsUnderWayTakesRoom(t *testing.T) {
	w := window.New(10, 100)
	if w.Room(4) != 6 || w.Room(10) != 0 || w.Room(11) != 0 {
		t.Errorf("room for %d, %d, %d", w.Room(4), w.Room(10), w.Room(11))
	}
	if w.Limit(20); w.Room(0) != 10 {
		t.Errorf("a limit above it leaves %d", w.Room(0))
	}
	if w.Limit(3); w.Room(0) != 3 || w.Steady() {
		t.Errorf("a limit below it leaves %d", w.Room(0))
	}
}

// TestInvariants: whatever happens, 1 <= size <= most.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 50).Draw(t, "most")
		w := window.New(rapid.IntRange(1, most).Draw(t, "first"), most)
		t.Repeat(map[string]func(*rapid.T){
			"came":   func(t *rapid.T) { w.Came(rapid.IntRange(0, 100).Draw(t, "n")) },
			"cut":    func(t *rapid.T) { w.Cut(rapid.Float64Range(0, 1).Draw(t, "share")) },
			"limit":  func(t *rapid.T) { w.Limit(rapid.IntRange(1, 100).Draw(t, "n")) },
			"anew":   func(t *rapid.T) { w.Anew(rapid.IntRange(1, 100).Draw(t, "first")) },
			"settle": func(*rapid.T) { w.Settle() },
			"": func(t *rapid.T) {
				if s := w.Size(); math.IsNaN(s) || s < 1 || s > float64(most) || w.Room(0) < 1 {
					t.Fatalf("size %v of at most %d", s, most)
				}
			},
		})
	})
}
