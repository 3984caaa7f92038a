// Package window says how much may be under way at once where nobody knows how much the
// way carries: as much as comes through, as TCP finds that out [4]. The window doubles with
// each round trip until something is lost; from then on it grows by one per round trip, and is
// cut with each loss.
//
// What is counted, what is a loss, and how often losses of what was under way together count,
// is for the room to say that has a window: routing counts requests of applications and cuts
// for those who are busy, tree counts pointers and cuts for neighbors that do not answer,
// published counts objects and cuts for those that were not placed.
//
// Invariant: 1 <= size <= most.
//
// Layer 0: imports no other room.
package window

// Window is how much may be under way.
type Window struct {
	size, most float64
	steady     bool // something was lost: it grows by one per round trip, not by all that came through
}

// New returns a window that is first large and never more than most, both at least 1.
func New(first, most int) Window {
	return Window{size: float64(first), most: float64(most)}
}

// Room is how many more may leave beside those under way.
func (w *Window) Room(underWay int) int { return max(int(w.size)-underWay, 0) }

// Size is how many may be under way. What is behind the point has come through of one more.
func (w *Window) Size() float64 { return w.size }

// Steady reports whether it grows by one per round trip only.
func (w *Window) Steady() bool { return w.steady }

// Came notes that n have come through.
func (w *Window) Came(n int) {
	more := float64(n)
	if w.steady {
		more /= w.size
	}
	w.size = min(w.size+more, w.most)
}

// Cut leaves a share of it because something was lost, and has it grow slowly from now on.
func (w *Window) Cut(share float64) {
	w.size = max(share*w.size, 1)
	w.Settle()
}

// Limit takes away what is above n, at least 1.
func (w *Window) Limit(n int) { w.size = min(w.size, float64(n)) }

// Settle has it grow by one per round trip from now on, as if something had been lost.
func (w *Window) Settle() { w.steady = true }

// Anew has it double again with each round trip, from first at least: what was lost is long past.
func (w *Window) Anew(first int) {
	w.steady, w.size = false, min(max(w.size, float64(first)), w.most)
}
