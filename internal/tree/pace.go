package tree

// pace says how many pointers may be on their way at once, to all neighbors together: as many
// as come through, as TCP finds that out [4]. Tables change most when links carry least; if all
// that a change calls for were sent at once, and again and again until it is confirmed, the load
// would make more neighbors look dead, and so more changes.
//
// Invariants: 1 <= window <= most; open counts the pointers in all flights.
type pace struct {
	window float64
	open   int
	steady bool // something was lost: the window grows by one per round trip, not per pointer
}

const (
	firstWindow = 32
	mostWindow  = 2048
)

// room is how many more may be sent.
func (p *pace) room() int { return max(int(p.window)-p.open, 0) }

// sent notes that some are on their way.
func (p *pace) sent(n int) { p.open += n }

// ended notes that some are no longer. Those that had to be asked for again say nothing of how
// much comes through now.
func (p *pace) ended(f *flight) {
	p.open -= f.pointers
	switch {
	case f.tries > 0:
	case p.steady:
		p.window = min(p.window+float64(f.pointers)/p.window, mostWindow)
	default:
		p.window = min(p.window+float64(f.pointers), mostWindow)
	}
}

// late notes that some were not confirmed in time: they are on their way no more. Nobody must be
// kept waiting by a neighbor that does not answer.
func (p *pace) late(f *flight) {
	if f.pointers > 0 {
		p.open -= f.pointers
		f.pointers = 0
		p.window, p.steady = max(p.window/2, 1), true
	}
}
