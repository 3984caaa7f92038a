package p2p

import (
	"container/heap"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// timers are the machines' named timers, earliest first; those of the same time in
// the order they were set. The loop owns them.
type timers struct {
	queue timerQueue
	byKey map[env.TimerKey]*timer
	set   uint64 // how many were ever set
}

type timer struct {
	key  env.TimerKey
	at   mono.Time
	seq  uint64
	slot int // index in the queue
}

func newTimers() *timers { return &timers{byKey: map[env.TimerKey]*timer{}} }

// start sets the timer of key k, instead of an earlier one of that key.
func (t *timers) start(k env.TimerKey, at mono.Time) {
	t.stop(k)
	t.set++
	e := &timer{key: k, at: at, seq: t.set}
	t.byKey[k] = e
	heap.Push(&t.queue, e)
}

func (t *timers) stop(k env.TimerKey) {
	if e, ok := t.byKey[k]; ok {
		heap.Remove(&t.queue, e.slot)
		delete(t.byKey, k)
	}
}

// next is when the earliest timer is due, if there is one.
func (t *timers) next() (at mono.Time, ok bool) {
	if len(t.queue) == 0 {
		return 0, false
	}
	return t.queue[0].at, true
}

// due takes the earliest timer if its time has come and it was not set after the
// timer number last: one that is set anew for no time at all waits its turn.
func (t *timers) due(now mono.Time, last uint64) (k env.TimerKey, ok bool) {
	if len(t.queue) == 0 || now.Before(t.queue[0].at) || t.queue[0].seq > last {
		return k, false
	}
	k = t.queue[0].key
	t.stop(k)
	return k, true
}

// timerQueue is a heap.Interface.
type timerQueue []*timer

func (q timerQueue) Len() int { return len(q) }

func (q timerQueue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at.Before(q[j].at)
	}
	return q[i].seq < q[j].seq
}

func (q timerQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].slot, q[j].slot = i, j
}

func (q *timerQueue) Push(x any) {
	e := x.(*timer)
	e.slot = len(*q)
	*q = append(*q, e)
}

func (q *timerQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return e
}
