package published

import "github.com/tapestry-dolr/tapestry/internal/window"

// pace says how many objects may be laid at once. It begins low and grows slowly: many nodes
// may have been started together.
type pace struct {
	window window.Window
	next   uint64 // number of the next to be laid
	blamed uint64 // failures of those numbered below have been answered for
}

const (
	firstWindow = 4
	maxWindow   = 32
)

func newPace() pace {
	p := pace{window: window.New(firstWindow, maxWindow)}
	p.window.Settle()
	return p
}

// room reports whether one more may be laid beside open others.
func (p *pace) room(open int) bool { return p.window.Room(open) > 0 }

// begin numbers one that is laid now.
func (p *pace) begin() uint64 {
	p.next++
	return p.next - 1
}

// placed notes that one came through.
func (p *pace) placed() { p.window.Came(1) }

// failed notes that one did not, and reports whether that is news: those that were laid
// beside one that failed are not blamed again.
func (p *pace) failed(number uint64) bool {
	if number < p.blamed {
		return false
	}
	p.window.Cut(0.5)
	p.blamed = p.next
	return true
}
