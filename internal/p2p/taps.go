package p2p

import (
	"sync"
	"sync/atomic"

	"github.com/tapestry-dolr/tapestry/internal/env"
)

// taps are the subscribers to events that may be slow: each has a bounded queue, and
// what does not fit is counted and lost.
type taps struct {
	lost atomic.Uint64

	mu     sync.Mutex
	open   map[chan env.Event]bool
	closed bool
}

func newTaps() *taps { return &taps{open: map[chan env.Event]bool{}} }

// Subscribe returns the node's events from now on, in a queue of the given length.
// The channel is closed by stop, and when the node closes.
func (n *Node) Subscribe(length int) (events <-chan env.Event, stop func()) {
	c := make(chan env.Event, length)
	n.taps.mu.Lock()
	defer n.taps.mu.Unlock()
	if n.taps.closed {
		close(c)
	} else {
		n.taps.open[c] = true
	}
	return c, func() { n.taps.shut(c) }
}

func (t *taps) shut(c chan env.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[c] {
		delete(t.open, c)
		close(c)
	}
}

func (t *taps) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for c := range t.open {
		delete(t.open, c)
		close(c)
	}
}

func (t *taps) put(ev env.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.open {
		select {
		case c <- ev:
		default:
			t.lost.Add(1)
		}
	}
}

// observe tells everybody who listens of an event.
func (l *loop) observe(ev env.Event) {
	if l.cfg.Observe != nil {
		l.cfg.Observe(ev)
	}
	l.taps.put(ev)
}
