package p2p

import (
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// taps are the subscribers to events that may be slow: each has a bounded queue, and
// what does not fit is counted and lost.
type taps struct {
	lost atomic.Uint64

	mu     sync.Mutex
	open   map[chan env.Event]func(env.Event) bool // which events a subscriber wants
	closed bool
}

func newTaps() *taps { return &taps{open: map[chan env.Event]func(env.Event) bool{}} }

// Subscribe returns the node's events from now on that want picks, in a queue of the
// given length; nil picks all. The channel is closed by stop, and when the node closes.
func (n *Node) Subscribe(length int, want func(env.Event) bool) (events <-chan env.Event, stop func()) {
	c := make(chan env.Event, length)
	if want == nil {
		want = func(env.Event) bool { return true }
	}
	n.taps.mu.Lock()
	defer n.taps.mu.Unlock()
	if n.taps.closed {
		close(c)
	} else {
		n.taps.open[c] = want
	}
	return c, func() { n.taps.shut(c) }
}

// Who returns the peer ID of a node, and its record as it is known now, nil if it is not.
func (n *Node) Who(id idspace.ID) (peer.ID, *wire.NodeRecord) {
	p, _ := n.book.peer(id)
	return p, n.book.record(id)
}

func (t *taps) shut(c chan env.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[c] != nil {
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
	for c, want := range t.open {
		if !want(ev) {
			continue
		}
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
