package publish

// pace says how many pushes may wait for their acknowledgement at once: as many as come
// through, as TCP finds that out [4]. Tables change most when links carry least; if all
// that a change calls for were sent at once, and again and again until it is
// acknowledged, the load would make more neighbors look dead, and so more changes.
//
// Invariants: 1 <= window <= maxWindow; open counts the pushes among the attempts.
type pace struct {
	window float64
	open   int
	steady bool // something was lost: the window grows by one per round trip, not per push
	waits  bool // the sweep or a hand-over has stopped for want of room
}

const (
	firstWindow = 16
	maxWindow   = 512
)

func newPace() pace { return pace{window: firstWindow} }

// room reports whether another pointer may be pushed.
func (c *pace) room() bool {
	c.waits = c.waits || c.open >= int(c.window)
	return c.open < int(c.window)
}

// acked notes that a push was acknowledged. One that had to be repeated says nothing of
// how much comes through now.
func (c *pace) acked(a attempt) {
	switch {
	case a.tries > 1:
	case c.steady:
		c.window = min(c.window+1/c.window, maxWindow)
	default:
		c.window = min(c.window+1, maxWindow)
	}
}

// late notes that pushes sent together were not acknowledged in time.
func (c *pace) late() { c.window, c.steady = max(c.window/2, 1), true }
