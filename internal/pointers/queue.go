package pointers

import "github.com/tapestry-dolr/tapestry/internal/mono"

// place is an item's place in a queue. Items embed it.
type place struct {
	at  mono.Time // when the item is due
	pos int       // where in the heap, plus one; zero if it is not queued
}

func (p *place) where() *place { return p }

type placed interface {
	comparable
	where() *place
}

// queue is a heap of items by due time that knows where each item is, so that
// moving or removing one costs O(log n) and nothing is ever scanned.
//
// Invariant: items[i].pos == i+1, and no item is due before its parent.
type queue[T placed] struct{ items []T }

// first returns the item that is due next.
func (q *queue[T]) first() (item T, ok bool) {
	if len(q.items) == 0 {
		return item, false
	}
	return q.items[0], true
}

// set makes item due at the given time, whether or not it was queued.
func (q *queue[T]) set(item T, at mono.Time) {
	w := item.where()
	w.at = at
	if w.pos == 0 {
		q.items = append(q.items, item)
		w.pos = len(q.items)
	}
	q.up(w.pos - 1)
	q.down(w.pos - 1)
}

// remove takes item out, if it is in.
func (q *queue[T]) remove(item T) {
	w := item.where()
	if w.pos == 0 {
		return
	}
	i, last := w.pos-1, len(q.items)-1
	q.swap(i, last)
	var none T
	q.items[last] = none
	q.items = q.items[:last]
	w.pos = 0
	if i < last {
		q.up(i)
		q.down(i)
	}
}

func (q *queue[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.before(i, parent) {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q *queue[T]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q.items) {
			return
		}
		if child+1 < len(q.items) && q.before(child+1, child) {
			child++
		}
		if !q.before(child, i) {
			return
		}
		q.swap(i, child)
		i = child
	}
}

func (q *queue[T]) before(i, j int) bool {
	return q.items[i].where().at < q.items[j].where().at
}

func (q *queue[T]) swap(i, j int) {
	q.items[i], q.items[j] = q.items[j], q.items[i]
	q.items[i].where().pos = i + 1
	q.items[j].where().pos = j + 1
}
