package pointers

import (
	"fmt"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Object is something that this node serves.
type Object struct {
	Key
	place // in the queue of what is to be laid again; at is when

	Sequence    Sequence     // of the last record signed
	Established bool         // a root has acknowledged it at least once
	Stands      bool         // as many roots as have to have acknowledged it at once, at least once
	Batch       *Batch       // under whose header, nil if it was signed by itself
	Kept        bool         // an earlier life of this node has published it: no failure takes it back
	Roots       []idspace.ID // per salt: who acknowledged last, zero if nobody did yet
}

// Batch is what this node serves under one header.
type Batch struct {
	Record  *wire.BatchRecord
	Objects []*Object // none once some of them are not under it any more
}

// Whole reports whether all objects are still under the batch's header, so that it may be signed anew.
func (b *Batch) Whole() bool { return len(b.Objects) == int(b.Record.Count) }

// Alone has an object be under no batch's header any more.
func (o *Object) Alone() {
	if o.Batch != nil {
		o.Batch.Objects, o.Batch = nil, nil
	}
}

// Laid reports whether this life has signed any record of the object.
func (o *Object) Laid() bool { return o.Sequence != (Sequence{}) }

// Due is when the object is to be laid again.
func (o *Object) Due() mono.Time { return o.at }

// Served is what this node publishes.
type Served struct {
	objects map[Key]*Object
	due     queue[*Object]
	most    int
	changes uint64 // see Changes
}

// NewServed returns an empty list of what a node publishes.
func NewServed(limits Limits) *Served {
	return &Served{objects: make(map[Key]*Object), most: limits.WithDefaults().Served}
}

// Has reports whether this node serves key.
func (s *Served) Has(key Key) bool { return s.objects[key] != nil }

// Find returns the object of key, nil if it is not served.
func (s *Served) Find(key Key) *Object { return s.objects[key] }

// Room is how many more objects may be served.
func (s *Served) Room() int { return s.most - len(s.objects) }

// Len is the number of objects served.
func (s *Served) Len() int { return len(s.objects) }

// Add returns the object of key, new if it was not served; nil if there are too many.
func (s *Served) Add(key Key, roots int) *Object {
	o := s.objects[key]
	if o == nil && len(s.objects) < s.most {
		o = &Object{Key: key, Roots: make([]idspace.ID, roots)}
		s.objects[key] = o
		s.changes++
	}
	return o
}

// Keep adds an object that an earlier life has published and this one is still to lay, if there
// are not too many.
func (s *Served) Keep(key Key, roots int) {
	if o := s.Add(key, roots); o != nil {
		o.Kept = true
	}
}

// Remove forgets key.
func (s *Served) Remove(key Key) {
	if o := s.objects[key]; o != nil {
		o.Alone()
		s.due.remove(o)
		s.changes++
		delete(s.objects, key)
	}
}

// Schedule says when o is to be laid again.
func (s *Served) Schedule(o *Object, at mono.Time) {
	s.due.set(o, at)
	s.changes++
}

// Next returns the object that is to be laid again next, nil if none is.
func (s *Served) Next() *Object {
	o, _ := s.due.first()
	return o
}

// Sorted lists what is served, by key.
func (s *Served) Sorted() []*Object {
	sorted := make([]*Object, 0, len(s.objects))
	for _, o := range s.objects { // unordered: sorted below
		sorted = append(sorted, o)
	}
	slices.SortFunc(sorted, func(a, b *Object) int { return a.Key.Compare(b.Key) })
	return sorted
}

// check verifies that all objects of a whole batch are served under it, by one sequence.
func (b *Batch) check(s *Served) error {
	for _, o := range b.Objects {
		if s.objects[o.Key] != o || o.Batch != b || o.Sequence != SequenceOf(b.Record) {
			return fmt.Errorf("served: %v seq=%v is not under its batch, which is whole", o.Key, o.Sequence)
		}
	}
	return nil
}

// Changes counts what was done to what is served that Check looks at.
func (s *Served) Changes() uint64 { return s.changes }

// Check verifies the invariants.
func (s *Served) Check() error {
	if len(s.due.items) > len(s.objects) || len(s.objects) > s.most {
		return fmt.Errorf("served: %d objects, %d scheduled, at most %d allowed", len(s.objects), len(s.due.items), s.most)
	}
	for _, o := range s.due.items {
		if s.objects[o.Key] != o {
			return fmt.Errorf("served: %v is scheduled, not served", o.Key)
		}
	}
	for _, o := range s.objects { // unordered: any finding will do
		if o.Batch != nil && o.Batch.Whole() && o == o.Batch.Objects[0] {
			if err := o.Batch.check(s); err != nil {
				return err
			}
		}
	}
	return s.due.check()
}
