package batch_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// The obvious batch: a trie of nodes and pointers, made by definition, and lists that are taken
// apart by recursion. docs/protocol.md §4.7, word by word.

// slowTrie is a leaf, or has two halves.
type slowTrie struct {
	bit         int
	left, right *slowTrie
	guid, key   idspace.ID
}

type object struct{ guid, key idspace.ID }

// plant makes the trie of some objects, whatever their order; nil if two have one key.
func plant(objects []object) *slowTrie {
	if len(objects) == 1 {
		return &slowTrie{guid: objects[0].guid, key: objects[0].key}
	}
	for b := range 160 {
		var zero, one []object
		for _, o := range objects {
			if digits(o.key)[b] == '0' {
				zero = append(zero, o)
			} else {
				one = append(one, o)
			}
		}
		if len(zero) > 0 && len(one) > 0 {
			t := &slowTrie{bit: b, left: plant(zero), right: plant(one)}
			if t.left == nil || t.right == nil {
				return nil
			}
			return t
		}
	}
	return nil
}

// digits are the bits of a key as text.
func digits(key idspace.ID) string {
	b := make([]byte, 160)
	for i := range b {
		b[i] = '0' + key[i/8]>>(7-i%8)&1
	}
	return string(b)
}

func slowHash(parts ...[]byte) []byte {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return sum[:20]
}

func (t *slowTrie) hash() []byte {
	if t.left == nil {
		return slowHash([]byte{0}, t.key[:])
	}
	return slowHash([]byte{1, byte(t.bit)}, t.left.hash(), t.right.hash())
}

func (t *slowTrie) objects() []object {
	if t.left == nil {
		return []object{{t.guid, t.key}}
	}
	return append(t.left.objects(), t.right.objects()...)
}

// slowItem is an item of a list, with the joint to the item before it.
type slowItem struct {
	guid  *idspace.ID // nil: it is a hash
	hash  []byte
	joint int
}

// prune lists what is left of t when only what keep names is kept.
func (t *slowTrie) prune(keep func(guid idspace.ID) bool) []slowItem {
	switch {
	case !slices.ContainsFunc(t.objects(), func(o object) bool { return keep(o.guid) }):
		return []slowItem{{hash: t.hash()}}
	case t.left == nil:
		return []slowItem{{guid: &t.guid}}
	}
	left, right := t.left.prune(keep), t.right.prune(keep)
	right[0].joint = t.bit
	return append(left, right...)
}

// slowList is the packed list of a cut of several objects, nil if nothing is kept.
func (t *slowTrie) slowList(keep func(guid idspace.ID) bool) []byte {
	items := t.prune(keep)
	if len(items) == 1 && items[0].guid == nil {
		return nil
	}
	return slowPack(items)
}

func slowPack(items []slowItem) []byte {
	kinds := ""
	var joints, rest []byte
	for i, it := range items {
		if i > 0 && (it.guid == nil || items[i-1].guid == nil) {
			joints = append(joints, byte(it.joint))
		}
		if it.guid == nil {
			kinds, rest = kinds+"1", append(rest, it.hash...)
		} else {
			kinds, rest = kinds+"0", append(rest, it.guid[:]...)
		}
	}
	packed := binary.AppendUvarint(nil, uint64(len(items)))
	for len(kinds)%8 != 0 {
		kinds += "0"
	}
	for ; kinds != ""; kinds = kinds[8:] {
		var octet byte
		fmt.Sscanf(kinds[:8], "%b", &octet)
		packed = append(packed, octet)
	}
	return append(append(packed, joints...), rest...)
}

// slowOpen says what a packed list proves: the root that it has, and which objects are below it.
// There may be a root though it proves nothing: a server could sign it.
func slowOpen(packed []byte, count uint32, key func(guid idspace.ID) idspace.ID) (root []byte, objects []object, err error) {
	items, err := slowRead(packed, key)
	if err != nil {
		return make([]byte, 20), nil, err
	}
	if !bytes.Equal(slowPack(items), packed) {
		err = errors.New("written in another way")
	}
	for _, it := range items {
		if it.guid != nil {
			objects = append(objects, object{*it.guid, key(*it.guid)})
		}
	}
	switch whole := len(objects) == len(items); {
	case len(objects) == 0:
		err = errors.New("no object")
	case count < 2:
		err = errors.New("a batch of one has no lists")
	case whole && uint32(len(items)) != count, uint32(len(items)) > count:
		err = errors.New("another count")
	}
	root, bad := slowFold(items, -1, key)
	return root, objects, errors.Join(err, bad)
}

func slowRead(packed []byte, key func(guid idspace.ID) idspace.ID) (items []slowItem, err error) {
	r := bytes.NewReader(packed)
	n, err := binary.ReadUvarint(r)
	if err != nil || n == 0 || n > 12288 {
		return nil, fmt.Errorf("%d items, %v", n, err)
	}
	next := func(size int) []byte {
		b := make([]byte, size)
		if got, _ := r.Read(b); got < size {
			err = errors.New("too short")
		}
		return b
	}
	kinds := ""
	for _, octet := range next((int(n) + 7) / 8) {
		kinds += fmt.Sprintf("%08b", octet)
	}
	items = make([]slowItem, n)
	for i := range items {
		if i > 0 && (kinds[i] == '1' || kinds[i-1] == '1') {
			items[i].joint = int(next(1)[0])
		}
	}
	for i := range items {
		b := next(20)
		if kinds[i] == '1' {
			items[i].hash = b
			continue
		}
		guid := idspace.ID(b)
		items[i].guid = &guid
		if i > 0 && items[i-1].guid != nil {
			items[i].joint = firstDifference(key(*items[i-1].guid), key(guid))
		}
	}
	if r.Len() > 0 {
		err = errors.New("too long")
	}
	return items, err
}

// firstDifference is -1 for keys that are not in order.
func firstDifference(a, b idspace.ID) int {
	x, y := digits(a), digits(b)
	for i := range x {
		if x[i] != y[i] && x[i] == '0' {
			return i
		} else if x[i] != y[i] {
			return -1
		}
	}
	return -1
}

// slowFold is the root of a trie whose list that is, which stands below a node of bit above. It
// goes on where it finds that it is none.
func slowFold(items []slowItem, above int, key func(guid idspace.ID) idspace.ID) (root []byte, err error) {
	if len(items) == 1 {
		if items[0].guid == nil {
			return items[0].hash, nil
		}
		k := key(*items[0].guid)
		return slowHash([]byte{0}, k[:]), nil
	}
	middle := 1
	for i := 2; i < len(items); i++ {
		if items[i].joint <= items[middle].joint {
			middle = i
		}
	}
	b := items[middle].joint
	left, errLeft := slowFold(items[:middle], b, key)
	right, errRight := slowFold(items[middle:], b, key)
	root = slowHash([]byte{1, byte(b)}, left, right)
	if b <= above || b >= 160 {
		return root, fmt.Errorf("node of bit %d below one of bit %d", b, above)
	}
	return root, errors.Join(errLeft, errRight, slowApart(items, middle, key))
}

// slowApart checks that the keys agree up to the joint of the one in the middle, and differ there.
func slowApart(items []slowItem, middle int, key func(guid idspace.ID) idspace.ID) error {
	b := items[middle].joint
	common := map[string]bool{}
	for i, it := range items {
		if it.guid == nil {
			continue
		}
		k := digits(key(*it.guid))
		common[k[:b]] = true
		if (k[b] == '0') != (i < middle) {
			return errors.New("a key on the wrong side")
		}
	}
	if len(common) != 1 {
		return errors.New("keys that differ above, or none")
	}
	return nil
}
