package p2p

import (
	"context"
	"sync"
)

// lifetime counts the goroutines of a node, so that Close can wait for all of them
// and none starts behind its back.
type lifetime struct {
	ctx    context.Context // canceled when the node closes
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func newLifetime() *lifetime {
	l := &lifetime{}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// enter counts the calling goroutine in, until it calls leave. It refuses once the
// node is closing.
func (l *lifetime) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.wg.Add(1)
	return true
}

func (l *lifetime) leave() { l.wg.Done() }

// start runs f in a goroutine of the node, unless it is closing.
func (l *lifetime) start(f func()) bool {
	if !l.enter() {
		return false
	}
	go func() {
		defer l.leave()
		f()
	}()
	return true
}

// end begins the close. It reports whether this is the first call.
func (l *lifetime) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.closed
	l.closed = true
	l.cancel()
	return first
}

// over is closed when the node begins to close.
func (l *lifetime) over() <-chan struct{} { return l.ctx.Done() }
