package batch

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Part is some objects of a batch, under some of their salts, and the proof that they are in it.
// It is not changed once made.
type Part struct {
	key   keying
	of    commitment
	lists []list // by salt; nil where the part has nothing
}

// commitment is what a header says of the objects of a batch: guid of one, count and roots of more.
type commitment struct {
	guid  []byte
	count uint32
	roots []byte
}

// Leaf is an object under one salt.
type Leaf struct {
	Salt int
	GUID idspace.ID
	Key  idspace.ID // the salted key, under which it is published
}

// keying says under which key an object is published.
type keying func(salt int, guid idspace.ID) idspace.ID

func salted(space idspace.Space, roots int) keying {
	return func(salt int, guid idspace.ID) idspace.ID { return space.Salted(guid, salt, roots) }
}

// Build makes a batch of all these objects, published to so many roots each.
func Build(space idspace.Space, guids []idspace.ID, roots int) (*Part, error) {
	return build(salted(space, roots), guids, roots)
}

func build(key keying, guids []idspace.ID, roots int) (*Part, error) {
	if len(guids) == 0 || roots < 1 || roots > wire.MaxRoots {
		return nil, fmt.Errorf("batch of %d objects with %d roots", len(guids), roots)
	}
	p := &Part{key: key, of: commitment{count: uint32(len(guids))}, lists: make([]list, roots)}
	for salt := range p.lists {
		l, err := grow(func(guid idspace.ID) idspace.ID { return key(salt, guid) }, guids)
		if err != nil {
			return nil, err
		}
		root, err := l.fold()
		if err != nil {
			return nil, err
		}
		p.lists[salt], p.of.roots = l, append(p.of.roots, root[:]...)
	}
	if len(guids) == 1 {
		p.of = commitment{guid: bytes.Clone(guids[0][:])}
	}
	return p, nil
}

// grow lists all objects in the order of their keys.
func grow(key func(guid idspace.ID) idspace.ID, guids []idspace.ID) (list, error) {
	type place struct {
		head uint64 // of the key, which nearly always decides
		of   int
	}
	keys, order := make([]idspace.ID, len(guids)), make([]place, len(guids))
	for i, g := range guids {
		keys[i] = key(g)
		order[i] = place{binary.BigEndian.Uint64(keys[i][:]), i}
	}
	slices.SortFunc(order, func(a, b place) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return idspace.Compare(keys[a.of], keys[b.of])
	})
	l := make(list, len(guids))
	for i, at := range order {
		l[i] = item{leaf: true, guid: guids[at.of], key: keys[at.of]}
		if i == 0 {
			continue
		}
		var ok bool
		if l[i].joint, ok = fork(l[i-1].key, l[i].key); !ok {
			return nil, fmt.Errorf("objects %v and %v have one key", l[i-1].guid, l[i].guid)
		}
	}
	return l, nil
}

// OpenOne is the object of a batch of one, under a salt below so many roots: what stands beside its
// header where it travels. Whether the header is signed is the world's to check.
func OpenOne(space idspace.Space, header *wire.BatchRecord, salt, roots int) (*Part, error) {
	switch {
	case len(header.Guid) != idspace.Size:
		return nil, fmt.Errorf("batch of %d objects without their lists", header.Objects())
	case salt < 0 || salt >= roots || roots > wire.MaxRoots:
		return nil, fmt.Errorf("salt %d of %d", salt, roots)
	}
	guid, key := idspace.ID(header.Guid), salted(space, roots)
	p := &Part{key: key, of: commitment{guid: header.Guid}, lists: make([]list, roots)}
	p.lists[salt] = list{{leaf: true, guid: guid, key: key(salt, guid)}}
	return p, nil
}

// Open reads the lists that came with a header of several objects, and finds out whether they prove
// what they say. Whether the header is signed is the world's to check.
func Open(space idspace.Space, header *wire.BatchRecord, lists [][]byte) (*Part, error) {
	return open(salted(space, header.Salts()), header, lists)
}

func open(key keying, header *wire.BatchRecord, lists [][]byte) (*Part, error) {
	switch {
	case header.Objects() < 2:
		return nil, errors.New("lists for a batch of one")
	case len(lists) != header.Salts():
		return nil, fmt.Errorf("%d lists for %d salts", len(lists), header.Salts())
	}
	p := &Part{key: key, of: commitment{count: header.Count, roots: header.Roots}, lists: make([]list, len(lists))}
	some := false
	for salt, packed := range lists {
		if len(packed) == 0 {
			continue
		}
		l, err := read(packed, func(guid idspace.ID) idspace.ID { return key(salt, guid) })
		if err == nil {
			err = l.proves(header.Root(salt), header.Count)
		}
		if err != nil {
			return nil, fmt.Errorf("salt %d: %w", salt, err)
		}
		p.lists[salt], some = l, true
	}
	if !some {
		return nil, errors.New("a part of nothing")
	}
	return p, nil
}

// Sole is what is to be kept of a list that proves a single object under a salt; nil if the header is of one, and
// names it itself.
func Sole(space idspace.Space, header *wire.BatchRecord, salt int, list []byte) (*Run, error) {
	switch {
	case len(header.Guid) == idspace.Size && len(list) == 0:
		return nil, nil
	case len(header.Guid) > 0:
		return nil, errors.New("a proof for a batch of one")
	case salt < 0 || salt >= header.Salts():
		return nil, fmt.Errorf("proof under salt %d of %d", salt, header.Salts())
	}
	lists := make([][]byte, header.Salts())
	lists[salt] = list
	p, err := Open(space, header, lists)
	if err != nil {
		return nil, err
	}
	if n := p.Len(); n != 1 {
		return nil, fmt.Errorf("proof of %d objects, want one", n)
	}
	return p.Runs()[salt], nil
}

// Commit writes into a header which objects the whole batch has.
func (p *Part) Commit(header *wire.BatchRecord) {
	header.Guid, header.Count, header.Roots = bytes.Clone(p.of.guid), p.of.count, bytes.Clone(p.of.roots)
}

// Len is how many leaves the part has: an object counts under each salt.
func (p *Part) Len() (n int) {
	for range p.Leaves() {
		n++
	}
	return n
}

// Leaves are the objects of the part by salt, in the order of their keys.
func (p *Part) Leaves() iter.Seq[Leaf] {
	return func(yield func(Leaf) bool) {
		for salt, l := range p.lists {
			for i := range l {
				if l[i].leaf && !yield(Leaf{Salt: salt, GUID: l[i].guid, Key: l[i].key}) {
					return
				}
			}
		}
	}
}

// Cut leaves of the part what keep names, which is asked once for each leaf, in their order.
func (p *Part) Cut(keep func(Leaf) bool) *Part {
	return p.Split(1, func(l Leaf) int {
		if keep(l) {
			return 0
		}
		return -1
	})[0]
}

// Split cuts the part into so many: each has the leaves for which of returned its index. Leaves
// whose index is none are in no part. It asks once for each leaf, in their order.
func (p *Part) Split(parts int, of func(Leaf) int) []*Part {
	split := make([]*Part, parts)
	for i := range split {
		split[i] = &Part{key: p.key, of: p.of, lists: make([]list, len(p.lists))}
	}
	for salt, l := range p.lists {
		group := make([]int, len(l))
		for i := range l {
			if group[i] = -1; l[i].leaf {
				group[i] = of(Leaf{Salt: salt, GUID: l[i].guid, Key: l[i].key})
			}
		}
		for first := 0; first < parts && len(l) > 0; first += atOnce {
			for i, cut := range l.split(group, first, min(atOnce, parts-first)) {
				split[first+i].lists[salt] = cut
			}
		}
	}
	return split
}

// Pieces splits what is too much for one message, by salt and key. A piece has at most so many
// items of this part's, objects and hashes; besides, at most a trie's depth at both of its ends.
func (p *Part) Pieces(items int) []*Part {
	var of []int // by leaf
	seen, last, pieces := 0, -1, 0
	for _, l := range p.lists {
		for i := range l {
			if l[i].leaf {
				if seen/items != last {
					last = seen / items
					pieces++
				}
				of = append(of, pieces-1)
			}
			seen++
		}
	}
	next := -1
	return p.Split(pieces, func(Leaf) int { next++; return of[next] })
}

// Lists are what travels of the part beside its header, one for each salt; none of a batch of one.
func (p *Part) Lists() [][]byte {
	if p.of.guid != nil {
		return nil
	}
	packed := make([][]byte, len(p.lists))
	for salt, l := range p.lists {
		packed[salt] = l.pack()
	}
	return packed
}
