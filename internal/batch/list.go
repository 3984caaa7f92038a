package batch

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// hash is that of a leaf or an inner node of a trie.
type hash [idspace.Size]byte

// list is a trie, or what was left of one, with its leaves and cut-off subtrees in the order of
// keys. Its inner nodes are the gaps between neighbors, so that it needs no pointers.
//
// Invariants, once folded: every subtree that has a leaf has both children here; one that has none
// is one item.
type list []item

// item is an object, or the hash of a subtree that was cut off.
type item struct {
	guid  idspace.ID // of an object
	key   idspace.ID // of an object
	hash  hash       // of the leaf, or the subtree
	node  hash       // of the inner node that joins it to the item before
	joint uint8      // the bit of that node
	leaf  bool       // it is an object
}

// width is how many bits a key has, and how deep a trie can be.
const width = 8 * idspace.Size

// fork is the first bit in which two keys differ; not ok if they are not in order.
func fork(before, after idspace.ID) (joint uint8, ok bool) {
	for i := range before {
		if x := before[i] ^ after[i]; x != 0 {
			return uint8(8*i + bits.LeadingZeros8(x)), before[i] < after[i]
		}
	}
	return 0, false
}

func bit(key idspace.ID, n uint8) byte { return key[n>>3] >> (7 - n&7) & 1 }

func hashLeaf(key idspace.ID) hash {
	var b [1 + idspace.Size]byte
	copy(b[1:], key[:])
	return hash(idspace.Hash(b[:]))
}

func hashNode(joint uint8, left, right hash) hash {
	var b [2 + 2*idspace.Size]byte
	b[0], b[1] = 1, joint
	copy(b[2:], left[:])
	copy(b[2+idspace.Size:], right[:])
	return hash(idspace.Hash(b[:]))
}

// climb goes up the trie: it names every inner node after those below it, by the first items of
// its left and of its right half. What waits for its other half has rising joints, so that it
// never is more than a trie can be deep.
func (l list) climb(join func(left, right int)) {
	var waiting [width + 1]int
	n := 0
	for i := range l {
		waiting[n] = i
		n++
		next := -1
		if i+1 < len(l) {
			next = int(l[i+1].joint)
		}
		for ; n > 1 && int(l[waiting[n-1]].joint) >= next; n-- {
			join(waiting[n-2], waiting[n-1])
		}
	}
}

// subtree is what is known of one while it grows.
type subtree struct {
	hash  hash
	some  int32 // an object in it, negative if it has none: all of them agree in the bits above joint
	joint uint8 // the bit of its top node; width if it is a single item
}

// fold hashes the trie, checks that it is one, and returns its root.
func (l list) fold() (root hash, err error) {
	from := make([]subtree, len(l)) // that begins with an item
	for i := range l {
		if from[i] = (subtree{l[i].hash, -1, width}); l[i].leaf {
			l[i].hash = hashLeaf(l[i].key)
			from[i] = subtree{l[i].hash, int32(i), width}
		}
	}
	l.climb(func(left, right int) {
		joint, a, b := l[right].joint, &from[left], &from[right]
		if err != nil {
			return
		}
		if err = l.joins(joint, a, b); err != nil {
			return
		}
		l[right].node = hashNode(joint, a.hash, b.hash)
		*a = subtree{l[right].node, max(a.some, b.some), joint}
	})
	if err == nil && from[0].some < 0 {
		err = errors.New("no object")
	}
	return from[0].hash, err
}

// joins checks that a node of that bit can stand over two subtrees.
func (l list) joins(joint uint8, left, right *subtree) error {
	switch {
	case joint >= left.joint || joint >= right.joint:
		return fmt.Errorf("a node of bit %d below one of the same", joint)
	case left.some < 0 && right.some < 0:
		return errors.New("two hashes where one would do")
	case left.some >= 0 && bit(l[left.some].key, joint) != 0, right.some >= 0 && bit(l[right.some].key, joint) != 1:
		return fmt.Errorf("a key on the wrong side of bit %d", joint)
	case left.some >= 0 && right.some >= 0:
		if first, _ := fork(l[left.some].key, l[right.some].key); first != joint {
			return fmt.Errorf("keys that differ in bit %d below a node of bit %d", first, joint)
		}
	}
	return nil
}

// proves folds the list and compares it with what a header says of the whole trie.
func (l list) proves(root [idspace.Size]byte, count uint32) error {
	if n := uint64(len(l)); n > uint64(count) || n < uint64(count) && l.whole() {
		return fmt.Errorf("%d items of a batch of %d", n, count)
	}
	got, err := l.fold()
	if err == nil && got != root {
		err = errors.New("another root")
	}
	return err
}

// whole reports whether nothing has been cut off.
func (l list) whole() bool {
	for i := range l {
		if !l[i].leaf {
			return false
		}
	}
	return true
}
