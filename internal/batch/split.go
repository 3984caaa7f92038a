package batch

import (
	"math/bits"
	"slices"
)

// atOnce is how many cuts of a list are made in one climb.
const atOnce = 64

// set is some of the cuts that are made at once.
type set uint64

// each names the members of s.
func (s set) each(do func(cut int)) {
	for ; s != 0; s &= s - 1 {
		do(bits.TrailingZeros64(uint64(s)))
	}
}

// stump is a subtree as a hash, in the cuts that keep something beside it and nothing in it. For
// one cut, at most one of those that begin with the same item is a stump.
type stump struct {
	top  int32 // the item before which its top node is; its only item, if it has but one
	next int32 // another one that begins with the same item, negative if there is none
	cuts set
}

// splitter is the work on a list that is split.
type splitter struct {
	list   list
	in     []set   // in which cuts a subtree has something; a subtree goes by its first item
	top    []int32 // of it, as in a stump
	begin  []int32 // the first stump that begins with an item, negative if there is none
	stumps []stump
	sizes  []int // of the cuts, in items
}

// split makes n cuts from the given one on, at most atOnce: group says in which an item is.
func (l list) split(group []int, first, n int) []list {
	s := &splitter{
		list: l, in: make([]set, len(l)), top: make([]int32, len(l)), begin: make([]int32, len(l)), sizes: make([]int, n),
	}
	for i := range l {
		s.top[i], s.begin[i] = int32(i), -1
		if cut := group[i] - first; 0 <= cut && cut < n {
			s.in[i] = 1 << cut
			s.sizes[cut]++
		}
	}
	own := slices.Clone(s.in)
	l.climb(s.join)
	return s.cuts(own)
}

// join decides about two subtrees: what only one of them has something of sees the other as a hash.
func (s *splitter) join(left, right int) {
	if only := s.in[left] &^ s.in[right]; only != 0 {
		s.fell(right, only)
	}
	if only := s.in[right] &^ s.in[left]; only != 0 {
		s.fell(left, only)
	}
	s.in[left] |= s.in[right]
	s.top[left] = int32(right)
}

func (s *splitter) fell(first int, cuts set) {
	s.stumps = append(s.stumps, stump{s.top[first], s.begin[first], cuts})
	s.begin[first] = int32(len(s.stumps) - 1)
	cuts.each(func(cut int) { s.sizes[cut]++ })
}

// cuts writes the lists; own says in which an item is itself.
func (s *splitter) cuts(own []set) []list {
	cuts := make([]list, len(s.sizes))
	for cut, size := range s.sizes {
		if size > 0 {
			cuts[cut] = make(list, 0, size)
		}
	}
	for i, it := range s.list {
		own[i].each(func(cut int) { cuts[cut] = append(cuts[cut], it) })
		for n := s.begin[i]; n >= 0; n = s.stumps[n].next {
			felled := item{hash: s.hash(i, s.stumps[n]), node: it.node, joint: it.joint}
			s.stumps[n].cuts.each(func(cut int) { cuts[cut] = append(cuts[cut], felled) })
		}
	}
	return cuts
}

// hash is that of a stump which begins with an item.
func (s *splitter) hash(first int, of stump) hash {
	if int(of.top) == first {
		return s.list[first].hash
	}
	return s.list[of.top].node
}
