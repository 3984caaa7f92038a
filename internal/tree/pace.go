package tree

import "github.com/tapestry-dolr/tapestry/internal/window"

// pace says how many pointers may be on their way at once, to all neighbors together. Tables
// change most when links carry least; if all that a change calls for were sent at once, and again
// and again until it is confirmed, the load would make more neighbors look dead, and so more changes.
//
// Invariant: open counts the pointers in all flights.
type pace struct {
	window window.Window
	open   int
}

const (
	firstWindow = 32
	mostWindow  = 2048
)

func newPace() pace { return pace{window: window.New(firstWindow, mostWindow)} }

// room is how many more may be sent.
func (p *pace) room() int { return p.window.Room(p.open) }

// sent notes that some are on their way.
func (p *pace) sent(n int) { p.open += n }

// ended notes that some are no longer. Those that had to be asked for again say nothing of how
// much comes through now.
func (p *pace) ended(f *flight) {
	if p.open -= f.pointers; f.tries == 0 {
		p.window.Came(f.pointers)
	}
}

// late notes that some were not confirmed in time: they are on their way no more. Nobody must be
// kept waiting by a neighbor that does not answer.
func (p *pace) late(f *flight) {
	if f.pointers > 0 {
		p.open -= f.pointers
		f.pointers = 0
		p.window.Cut(0.5)
	}
}
