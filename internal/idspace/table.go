package idspace

import "slices"

// Table finds what is kept of some hundred nodes by their IDs. For so few a sorted list
// is as fast as a map and takes less than half of its memory, which is most of what a
// node of the overlay takes. The zero Table is empty.
//
// Invariant: ids are in order; each has its value at the same place.
type Table[V any] struct {
	ids  []ID
	vals []V
}

// Len returns how many nodes there are.
func (t *Table[V]) Len() int { return len(t.ids) }

// Of returns what is kept of id, the zero V if nothing is.
func (t *Table[V]) Of(id ID) (v V) {
	if i, ok := slices.BinarySearchFunc(t.ids, id, Compare); ok {
		v = t.vals[i]
	}
	return v
}

// Set keeps v of id.
func (t *Table[V]) Set(id ID, v V) {
	i, ok := slices.BinarySearchFunc(t.ids, id, Compare)
	if ok {
		t.vals[i] = v
		return
	}
	t.ids, t.vals = slices.Insert(t.ids, i, id), slices.Insert(t.vals, i, v)
}

// Delete forgets id.
func (t *Table[V]) Delete(id ID) {
	if i, ok := slices.BinarySearchFunc(t.ids, id, Compare); ok {
		t.ids, t.vals = slices.Delete(t.ids, i, i+1), slices.Delete(t.vals, i, i+1)
	}
}
