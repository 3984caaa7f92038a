// Package calendar is the event queue of the simulator: a calendar queue of three
// reaches (Varghese and Lauck's hierarchical timing wheels) with a small heap for the
// present millisecond.
//
// Departure from a plain heap: with a million timers pending, a heap spends its time on
// cache misses; here an event is moved twice at most before it is due.
//
// Invariants: events come out in order of (At, order of Push); an event pushed for a
// time that has passed comes out next, never out of order with its equals; nothing is
// allocated per event once the queue has been as long before.
//
// Layer 7, part of the room internal/sim: imports mono.
package calendar

import (
	"math/bits"

	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// Event is something due. What Kind, Host and Arg mean is the user's affair.
type Event struct {
	At   mono.Time
	seq  uint64
	Host int32
	Arg  int32
	next int32 // in a list
	Kind uint8
}

func (e Event) before(o Event) bool { return e.At < o.At || e.At == o.At && e.seq < o.seq }

// The reaches: a tick is about a millisecond, a page 4096 ticks or 4.3 s, a year 1024
// pages or 73 min. Events of later years wait in one list.
const (
	tickBits = 20
	pageBits = 12
	yearBits = 10
)

// Queue holds events. The zero Queue is not usable; see New.
type Queue struct {
	now   []Event // 4-ary heap: due in the present tick or before
	tick  int64   // the present tick
	seq   uint64
	count int

	pool []Event // those that are not in now, in lists
	free int32
	days [1 << pageBits]int32 // lists of the present page, by tick
	busy [1 << pageBits / 64]uint64
	page [1 << yearBits]int32 // lists of the present year, by page
	far  int32                // list of everything later
}

const none = -1

// New returns an empty queue that begins at time 0.
func New() *Queue {
	q := &Queue{free: none, far: none}
	for i := range q.days {
		q.days[i] = none
	}
	for i := range q.page {
		q.page[i] = none
	}
	return q
}

// Len returns how many events are pending.
func (q *Queue) Len() int { return q.count }

// Push adds an event.
func (q *Queue) Push(e Event) {
	q.seq++
	e.seq = q.seq
	q.count++
	q.file(e)
}

func (q *Queue) file(e Event) {
	tick := int64(e.At) >> tickBits
	switch {
	case tick <= q.tick:
		q.heapPush(e)
	case tick>>pageBits == q.tick>>pageBits:
		day := tick & (1<<pageBits - 1)
		q.days[day] = q.add(e, q.days[day])
		q.busy[day/64] |= 1 << (day % 64)
	case tick>>(pageBits+yearBits) == q.tick>>(pageBits+yearBits):
		p := tick >> pageBits & (1<<yearBits - 1)
		q.page[p] = q.add(e, q.page[p])
	default:
		q.far = q.add(e, q.far)
	}
}

func (q *Queue) add(e Event, list int32) int32 {
	i := q.free
	if i == none {
		q.pool = append(q.pool, Event{})
		i = int32(len(q.pool) - 1)
	} else {
		q.free = q.pool[i].next
	}
	e.next = list
	q.pool[i] = e
	return i
}

// refile files every event of a list anew.
func (q *Queue) refile(list int32) {
	for list != none {
		e := q.pool[list]
		q.pool[list].next = q.free
		q.free = list
		q.file(e)
		list = e.next
	}
}

// Peek returns the time of the next event.
func (q *Queue) Peek() (mono.Time, bool) {
	if q.count == 0 {
		return 0, false
	}
	for len(q.now) == 0 {
		q.advance()
	}
	return q.now[0].At, true
}

// Pop takes the next event out.
func (q *Queue) Pop() (Event, bool) {
	if _, ok := q.Peek(); !ok {
		return Event{}, false
	}
	q.count--
	return q.heapPop(), true
}

// advance goes on to the next tick, page or year that has an event.
func (q *Queue) advance() {
	if day, ok := q.nextDay(); ok {
		q.tick = q.tick&^(1<<pageBits-1) | day
		list := q.days[day]
		q.days[day] = none
		q.busy[day/64] &^= 1 << (day % 64)
		q.refile(list)
		return
	}
	for p := q.tick>>pageBits&(1<<yearBits-1) + 1; p < 1<<yearBits; p++ {
		if list := q.page[p]; list != none {
			q.tick = (q.tick>>(pageBits+yearBits)<<yearBits | p) << pageBits
			q.page[p] = none
			q.refile(list)
			return
		}
	}
	first := int64(1<<63 - 1)
	for i := q.far; i != none; i = q.pool[i].next {
		first = min(first, int64(q.pool[i].At)>>tickBits)
	}
	q.tick = first >> (pageBits + yearBits) << (pageBits + yearBits)
	list := q.far
	q.far = none
	q.refile(list)
}

// nextDay finds the next tick of the present page that has an event.
func (q *Queue) nextDay() (int64, bool) {
	from := q.tick&(1<<pageBits-1) + 1
	for word := from / 64; word < int64(len(q.busy)); word++ {
		have := q.busy[word]
		if word == from/64 {
			have &= ^uint64(0) << (from % 64)
		}
		if have != 0 {
			return word*64 + int64(bits.TrailingZeros64(have)), true
		}
	}
	return 0, false
}

func (q *Queue) heapPush(e Event) {
	q.now = append(q.now, e)
	i := len(q.now) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(q.now[parent]) {
			break
		}
		q.now[i] = q.now[parent]
		i = parent
	}
	q.now[i] = e
}

func (q *Queue) heapPop() Event {
	top := q.now[0]
	last := len(q.now) - 1
	e := q.now[last]
	q.now = q.now[:last]
	if last > 0 {
		q.sink(e)
	}
	return top
}

// sink puts e where the top was taken from.
func (q *Queue) sink(e Event) {
	i := 0
	for {
		least := 4*i + 1
		if least >= len(q.now) {
			break
		}
		for child := least + 1; child < min(4*i+5, len(q.now)); child++ {
			if q.now[child].before(q.now[least]) {
				least = child
			}
		}
		if !q.now[least].before(e) {
			break
		}
		q.now[i] = q.now[least]
		i = least
	}
	q.now[i] = e
}
