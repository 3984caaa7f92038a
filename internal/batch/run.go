package batch

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Run is what a node keeps of a part under one salt: the list as it travels, and little more, also if it
// is of a batch of one, whose list does not travel. It
// names its objects and proves each of them without opening the list again. To be split it is
// opened.
type Run struct {
	data  []byte // the list, and then, of each item, the joint with the one before it
	tops  []top  // of all subtrees of at least coarse items, by span
	key   keying
	items int32
	kinds uint8 // where they begin in data
	salt  uint8
}

// span is a subtree by its items, from lo up to hi.
type span struct{ lo, hi int32 }

func (s span) len() int { return int(s.hi - s.lo) }

// compare orders what begins earlier first, and of that the longer.
func (s span) compare(o span) int { return cmp.Or(cmp.Compare(s.lo, o.lo), cmp.Compare(o.hi, s.hi)) }

// top is the node of a subtree.
type top struct {
	span
	node int32 // it stands before that item
	hash hash
}

// coarse is from how many items on the hash of a subtree is kept. Fewer are hashed anew for a
// proof.
const coarse = 16

// Runs are what is to be kept of the part by salt, nil where it has nothing.
func (p *Part) Runs() []*Run {
	runs := make([]*Run, len(p.lists))
	for salt, l := range p.lists {
		if len(l) > 0 {
			runs[salt] = l.run(p.key, salt)
		}
	}
	return runs
}

func (l list) run(key keying, salt int) *Run {
	r := &Run{data: l.appendTo(make([]byte, 0, l.packedSize()+len(l))), key: key, items: int32(len(l)), salt: uint8(salt)}
	_, n := binary.Uvarint(r.data)
	r.kinds = uint8(n)
	end := make([]int32, len(l)) // of the subtree that begins with an item
	for i := range l {
		end[i] = int32(i + 1)
		r.data = append(r.data, l[i].joint)
	}
	l.climb(func(left, right int) {
		end[left] = end[right]
		if s := (span{int32(left), end[left]}); s.len() >= coarse {
			r.tops = append(r.tops, top{s, int32(right), l[right].node})
		}
	})
	slices.SortFunc(r.tops, func(a, b top) int { return a.compare(b.span) })
	r.tops = slices.Clip(r.tops)
	return r
}

// Len is how many items the run has, objects and hashes.
func (r *Run) Len() int { return int(r.items) }

// Bytes is about how much memory the run takes.
func (r *Run) Bytes() int { return runSize + cap(r.data) + topSize*cap(r.tops) }

// What a Run takes beside its slices, and what a top.
const (
	runSize = 64
	topSize = 12 + idspace.Size
)

// List is what travels of all that is in the run; nil for a batch of one.
func (r *Run) List() []byte {
	if r.items == 1 {
		return nil
	}
	return r.data[:len(r.data)-r.Len()]
}

// GUID is the object at a place; not ok where there is a hash.
func (r *Run) GUID(i int) (guid idspace.ID, ok bool) {
	at := len(r.data) - r.Len()*(1+idspace.Size) + i*idspace.Size
	return idspace.ID(r.data[at:]), r.data[int(r.kinds)+i/8]&(0x80>>(i%8)) == 0
}

func (r *Run) joint(i int32) uint8 { return r.data[len(r.data)-r.Len()+int(i)] }

// Prove is the list that proves the object at a place, and nothing else; nil for a batch of one.
func (r *Run) Prove(i int) []byte { return r.Cut([]int32{int32(i)}) }

// Cut is the list that proves the objects at these places, which rise, and nothing else; nil for a batch of
// one. It costs what is in it, and some hashes at the rims, whatever else is in the run.
func (r *Run) Cut(places []int32) []byte { return r.cut(nil, span{0, r.items}, places).pack() }

// Keep is the run of the objects at these places alone, which rise.
func (r *Run) Keep(places []int32) *Run {
	l := r.cut(nil, span{0, r.items}, places)
	if len(l) > 1 {
		l.fold() // of which the hashes are wanted: it has been checked as part of the whole
	}
	return l.run(r.key, int(r.salt))
}

// Salt is under which the run proves its objects.
func (r *Run) Salt() int { return int(r.salt) }

// cut appends to l what is left of a subtree when only the items at these places are kept in it.
func (r *Run) cut(l list, s span, places []int32) list {
	switch {
	case len(places) == 0:
		return append(l, r.stump(s))
	case s.len() == 1:
		return append(l, r.item(s.lo))
	}
	node := r.top(s).node
	right, _ := slices.BinarySearch(places, node)
	l = r.cut(l, span{s.lo, node}, places[:right])
	return r.cut(l, span{node, s.hi}, places[right:])
}

// top finds the node of a subtree, which is before the item with the least joint. It has a hash if
// the subtree is large.
func (r *Run) top(s span) top {
	if s.len() >= coarse {
		at, _ := slices.BinarySearchFunc(r.tops, s, func(t top, s span) int { return t.compare(s) })
		return r.tops[at]
	}
	least := s.lo + 1
	for i := s.lo + 2; i < s.hi; i++ {
		if r.joint(i) < r.joint(least) {
			least = i
		}
	}
	return top{span: s, node: least}
}

// stump is a subtree as its hash.
func (r *Run) stump(s span) item { return item{hash: r.hash(s), joint: r.joint(s.lo)} }

func (r *Run) hash(s span) hash {
	if s.len() >= coarse {
		return r.top(s).hash
	}
	l := make(list, 0, coarse)
	for i := s.lo; i < s.hi; i++ {
		l = append(l, r.item(i))
	}
	root, _ := l.fold() // which has been checked as part of the whole
	return root
}

// item reads the item at a place.
func (r *Run) item(i int32) item {
	guid, ok := r.GUID(int(i))
	if !ok {
		return item{hash: hash(guid), joint: r.joint(i)}
	}
	return item{leaf: true, guid: guid, key: r.key(int(r.salt), guid), joint: r.joint(i)}
}
