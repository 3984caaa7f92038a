package batch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// A list is packed as (docs/protocol.md §4.7)
//
//	uvarint  how many items there are, at least 2
//	bits     for each item, the most significant bit first: it is a hash; zeros up to a whole byte
//	joints   for each two neighbors of which one is a hash, the bit of the node that joins them
//	items    GUIDs and hashes, 20 bytes each
//
// Of neighbors that both are objects the keys say the joint. A batch of one object, which its header
// names, has no lists.

// pack writes l. One item is all that there is of a batch of one.
func (l list) pack() []byte {
	if len(l) < 2 {
		return nil
	}
	return l.appendTo(make([]byte, 0, l.packedSize()))
}

// appendTo packs l at the end of b.
func (l list) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(l)))
	kinds := len(b)
	b = append(b, make([]byte, kindBytes(len(l)))...)
	for i := range l {
		if !l[i].leaf {
			b[kinds+i/8] |= 0x80 >> (i % 8)
		}
	}
	for i := 1; i < len(l); i++ {
		if !l[i-1].leaf || !l[i].leaf {
			b = append(b, l[i].joint)
		}
	}
	for i := range l {
		if l[i].leaf {
			b = append(b, l[i].guid[:]...)
		} else {
			b = append(b, l[i].hash[:]...)
		}
	}
	return b
}

// packedSize is how many bytes l takes, or one more.
func (l list) packedSize() int {
	size := 2 + kindBytes(len(l)) + len(l)*idspace.Size
	for i := 1; i < len(l); i++ {
		if !l[i-1].leaf || !l[i].leaf {
			size++
		}
	}
	return size
}

func kindBytes(items int) int { return (items + 7) / 8 }

// read reads a list; nothing is hashed yet but keys.
func read(packed []byte, key func(guid idspace.ID) idspace.ID) (list, error) {
	l, joints, rest, err := readKinds(packed)
	if err != nil {
		return nil, err
	}
	if len(rest) != joints+len(l)*idspace.Size {
		return nil, fmt.Errorf("%d bytes for %d joints and %d items", len(rest), joints, len(l))
	}
	rest = l.readJoints(rest)
	return l, l.readItems(rest, key)
}

// readKinds makes room for as many items as there are bytes for, and says which of them are
// objects, and how many joints follow.
func readKinds(packed []byte) (l list, joints int, rest []byte, err error) {
	items, n := binary.Uvarint(packed)
	switch {
	case n <= 0 || n > 1 && packed[n-1] == 0:
		return nil, 0, nil, errors.New("no number of items")
	case items < 2 || items > wire.MaxItems:
		return nil, 0, nil, fmt.Errorf("%d items", items)
	case uint64(len(packed)) < items*idspace.Size:
		return nil, 0, nil, fmt.Errorf("%d bytes for %d items", len(packed), items)
	}
	l = make(list, items)
	kinds, rest := packed[n:n+kindBytes(len(l))], packed[n+kindBytes(len(l)):]
	if pad := kinds[len(kinds)-1] << ((len(l)-1)%8 + 1); pad != 0 {
		return nil, 0, nil, errors.New("more kinds than items")
	}
	for i := range l {
		l[i].leaf = kinds[i/8]&(0x80>>(i%8)) == 0
		if i > 0 && !(l[i-1].leaf && l[i].leaf) {
			joints++
		}
	}
	return l, joints, rest, nil
}

// readJoints takes the joints that are there; the others follow from the keys.
func (l list) readJoints(rest []byte) []byte {
	for i := 1; i < len(l); i++ {
		if !l[i-1].leaf || !l[i].leaf {
			l[i].joint, rest = rest[0], rest[1:]
		}
	}
	return rest
}

// readItems takes the items, and sees to it that neighbors are in order.
func (l list) readItems(rest []byte, key func(guid idspace.ID) idspace.ID) error {
	for i := range l {
		next := rest[i*idspace.Size:]
		if !l[i].leaf {
			l[i].hash = hash(next)
		} else {
			l[i].guid = idspace.ID(next)
			l[i].key = key(l[i].guid)
		}
		switch {
		case i == 0:
		case l[i-1].leaf && l[i].leaf:
			var ok bool
			if l[i].joint, ok = fork(l[i-1].key, l[i].key); !ok {
				return errors.New("keys out of order")
			}
		case l[i].joint >= width:
			return fmt.Errorf("joint %d", l[i].joint)
		}
	}
	return nil
}
