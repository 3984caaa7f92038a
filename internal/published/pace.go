package published

// pace says how many objects may be laid at once: what came through shows how many do, as in
// TCP [4]. It begins low and grows slowly: many nodes may have been started together.
//
// Invariant: 1 <= window <= maxWindow.
type pace struct {
	window float64
	next   uint64 // number of the next to be laid
	blamed uint64 // failures of those numbered below have been answered for
}

const (
	firstWindow = 4
	maxWindow   = 32
)

func newPace() pace { return pace{window: firstWindow} }

// room reports whether one more may be laid beside open others.
func (p *pace) room(open int) bool { return open < int(p.window) }

// begin numbers one that is laid now.
func (p *pace) begin() uint64 {
	p.next++
	return p.next - 1
}

// placed notes that one came through: the window grows by one per round.
func (p *pace) placed() { p.window = min(p.window+1/p.window, maxWindow) }

// failed notes that one did not, and reports whether that is news: those that were laid
// beside one that failed are not blamed again.
func (p *pace) failed(number uint64) bool {
	if number < p.blamed {
		return false
	}
	p.window, p.blamed = max(p.window/2, 1), p.next
	return true
}
