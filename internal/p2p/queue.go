package p2p

import (
	"sync"

	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// queue is what waits for one peer: the loop fills it, a writer empties it.
//
// Drop policy: from half full on, in frames or in bytes, messages that only keep
// tables healthy are shed; when it is full, everything that comes new is
// (docs/protocol.md §3.3). What is in the queue is sent in order.
type queue struct {
	maxFrames, maxBytes int
	wake                chan struct{} // holds one token while there may be something to write

	mu            sync.Mutex
	batches       []batch
	frames, bytes int
}

// batch is the frames of one step to one peer: one write.
type batch struct {
	data   []byte
	frames int
}

func newQueue(frames, bytes int) *queue {
	return &queue{maxFrames: frames, maxBytes: bytes, wake: make(chan struct{}, 1)}
}

// refuses says why the queue, with what the step under way adds to it, has no room
// for one more message; "" if it has.
func (q *queue) refuses(kind wire.Kind, step batch) string {
	q.mu.Lock()
	frames, bytes := q.frames+step.frames, q.bytes+len(step.data)
	q.mu.Unlock()
	switch {
	case frames >= q.maxFrames || bytes >= q.maxBytes:
		return queueFull
	case kind.Maintenance() && (2*frames >= q.maxFrames || 2*bytes >= q.maxBytes):
		return queueHalfFull
	}
	return ""
}

// push adds the frames of a step.
func (q *queue) push(b batch) {
	q.mu.Lock()
	q.batches = append(q.batches, b)
	q.frames += b.frames
	q.bytes += len(b.data)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (q *queue) take() []batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.batches
	q.batches, q.frames, q.bytes = nil, 0, 0
	return all
}

// load returns how much waits.
func (q *queue) load() (frames, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.frames, q.bytes
}

// buffers are the bytes of batches, used again once they are written.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxKept is how large a buffer may be to be used again.
const maxKept = 64 << 10

func newBuffer() []byte { return (*buffers.Get().(*[]byte))[:0] }

func freeBuffer(b []byte) {
	if cap(b) <= maxKept {
		buffers.Put(&b)
	}
}
