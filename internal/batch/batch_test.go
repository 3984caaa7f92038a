package batch_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

func header(p *batch.Part) *wire.BatchRecord {
	h := new(wire.BatchRecord)
	p.Commit(h)
	return h
}

var anyID = rapid.Custom(func(t *rapid.T) idspace.ID {
	return idspace.ID(rapid.SliceOfN(rapid.Byte(), idspace.Size, idspace.Size).Draw(t, "identifier"))
})

// anyGUIDs draws several distinct identifiers: some far apart, some that differ from others in one bit,
// some in a row, so that as keys they make tries of every shape.
var anyGUIDs = rapid.Custom(func(t *rapid.T) []idspace.ID {
	guids := []idspace.ID{anyID.Draw(t, "first")}
	for range rapid.IntRange(0, 40).Draw(t, "others") {
		id := rapid.SampledFrom(guids).Draw(t, "like")
		switch n := rapid.IntRange(0, 159).Draw(t, "bit"); rapid.IntRange(0, 2).Draw(t, "how") {
		case 0:
			id = anyID.Draw(t, "identifier")
		case 1:
			id[n/8] ^= 0x80 >> (n % 8)
		case 2:
			id[19]++
		}
		if !slices.Contains(guids, id) {
			guids = append(guids, id)
		}
	}
	if len(guids) == 1 {
		id := guids[0]
		id[19] ^= 1
		guids = append(guids, id)
	}
	return guids
})

// world is one way to come by keys, with the batch and the obvious tries of it.
type world struct {
	guids []idspace.ID
	key   func(salt int, guid idspace.ID) idspace.ID
	open  func(*wire.BatchRecord, [][]byte) (*batch.Part, error)
	whole *batch.Part
	slow  []*slowTrie // by salt
}

// anyWorld has salted keys, or such that the test has drawn.
func anyWorld(t *rapid.T) *world {
	w := &world{guids: anyGUIDs.Draw(t, "objects")}
	roots := rapid.IntRange(1, 5).Draw(t, "roots")
	var err error
	if rapid.Bool().Draw(t, "salted") {
		w.key = func(salt int, guid idspace.ID) idspace.ID { return idspace.Hex.Salted(guid, salt, roots) }
		w.open = func(h *wire.BatchRecord, lists [][]byte) (*batch.Part, error) {
			return batch.Open(idspace.Hex, h, lists)
		}
		w.whole, err = batch.Build(idspace.Hex, w.guids, roots)
	} else {
		w.key = func(_ int, guid idspace.ID) idspace.ID { return guid }
		w.open = batch.OpenOwn
		w.whole, err = batch.BuildOwn(w.guids, roots)
	}
	if err != nil {
		t.Fatal(err)
	}
	for salt := range roots {
		w.slow = append(w.slow, plant(w.objects(salt, w.guids)))
	}
	return w
}

func (w *world) objects(salt int, guids []idspace.ID) (objects []object) {
	for _, g := range guids {
		objects = append(objects, object{g, w.key(salt, g)})
	}
	return objects
}

// choice is which objects are kept under which salts.
type choice map[batch.Leaf]bool

func (w *world) anyChoice(t *rapid.T, of *batch.Part) choice {
	c := choice{}
	often := rapid.IntRange(0, 4).Draw(t, "often")
	for l := range of.Leaves() {
		c[l] = rapid.IntRange(0, 4).Draw(t, "kept") < often
	}
	return c
}

func (c choice) keep(l batch.Leaf) bool { return c[l] }

// slowLists are those of the cut that keeps c.
func (w *world) slowLists(c choice) (lists [][]byte) {
	for salt, t := range w.slow {
		lists = append(lists, t.slowList(func(g idspace.ID) bool { return c[batch.Leaf{Salt: salt, GUID: g, Key: w.key(salt, g)}] }))
	}
	return lists
}

func sameLists(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

func TestABatchIsTheObviousTrie(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		all := choice{}
		for salt, slow := range w.slow {
			if got := header(w.whole).Roots[20*salt : 20*salt+20]; !bytes.Equal(got, slow.hash()) {
				t.Fatalf("salt %d: root %x, want %x", salt, got, slow.hash())
			}
			for _, o := range slow.objects() {
				all[batch.Leaf{Salt: salt, GUID: o.guid, Key: o.key}] = true
			}
		}
		if want := w.slowLists(all); !sameLists(w.whole.Lists(), want) {
			t.Fatalf("lists %x, want %x", w.whole.Lists(), want)
		}
		if header(w.whole).Count != uint32(len(w.guids)) || w.whole.Len() != len(w.slow)*len(w.guids) {
			t.Fatalf("count %d, %d leaves of %d objects", header(w.whole).Count, w.whole.Len(), len(w.guids))
		}
	})
}

func TestTheOrderOfObjectsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		guids := anyGUIDs.Draw(t, "objects")
		a, errA := batch.Build(idspace.Hex, guids, 4)
		b, errB := batch.Build(idspace.Hex, rapid.Permutation(guids).Draw(t, "another order"), 4)
		if errA != nil || errB != nil || !bytes.Equal(header(a).Roots, header(b).Roots) || !sameLists(a.Lists(), b.Lists()) {
			t.Fatalf("%v, %v", errA, errB)
		}
	})
}

func TestACutIsTheObviousCutAndProvesItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		c := w.anyChoice(t, w.whole)
		cut := w.whole.Cut(c.keep)
		if want := w.slowLists(c); !sameLists(cut.Lists(), want) {
			t.Fatalf("lists %x, want %x", cut.Lists(), want)
		}
		opened, err := w.open(header(w.whole), cut.Lists())
		if cut.Len() == 0 {
			if err == nil {
				t.Fatal("a part of nothing was opened")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(slices.Collect(w.whole.Leaves()), func(l batch.Leaf) bool { return !c[l] })
		if got := slices.Collect(opened.Leaves()); !slices.Equal(got, want) || opened.Len() != len(want) {
			t.Fatalf("leaves %v, want %v", got, want)
		}
		if !sameLists(opened.Lists(), cut.Lists()) || !bytes.Equal(header(opened).Roots, header(w.whole).Roots) || header(opened).Count != header(w.whole).Count {
			t.Fatal("opened, it is another")
		}
	})
}

// So it goes at every hop, whether the part was sent before or not.
func TestACutOfACutIsTheCutMadeAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		part, kept := w.whole, choice{}
		for l := range w.whole.Leaves() {
			kept[l] = true
		}
		for range rapid.IntRange(1, 4).Draw(t, "cuts") {
			c := w.anyChoice(t, part)
			part = part.Cut(c.keep)
			for l := range kept {
				kept[l] = kept[l] && c[l]
			}
			if part.Len() == 0 {
				break
			}
			if rapid.Bool().Draw(t, "sent") {
				sent, err := w.open(header(w.whole), part.Lists())
				if err != nil {
					t.Fatal(err)
				}
				part = sent
			}
		}
		if want := w.slowLists(kept); !sameLists(part.Lists(), want) {
			t.Fatalf("lists %x, want %x", part.Lists(), want)
		}
	})
}

func TestASplitIsOneCutForEachPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		hops := rapid.SampledFrom([]int{1, 5, 64, 130}).Draw(t, "hops")
		hop := map[batch.Leaf]int{}
		for l := range w.whole.Leaves() {
			hop[l] = rapid.IntRange(-1, hops).Draw(t, "hop") // the first and the last are no hops
		}
		asked := []batch.Leaf{}
		for i, part := range w.whole.Split(hops, func(l batch.Leaf) int { asked = append(asked, l); return hop[l] }) {
			cut := w.whole.Cut(func(l batch.Leaf) bool { return hop[l] == i })
			if !sameLists(part.Lists(), cut.Lists()) {
				t.Fatalf("part %d: lists %x, want %x", i, part.Lists(), cut.Lists())
			}
		}
		if !slices.Equal(asked, slices.Collect(w.whole.Leaves())) {
			t.Fatal("not asked once for each leaf, in their order")
		}
	})
}

func TestPiecesAreThePartInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		part := w.whole.Cut(w.anyChoice(t, w.whole).keep)
		items := rapid.IntRange(1, 20).Draw(t, "items")
		var leaves []batch.Leaf
		for _, piece := range part.Pieces(items) {
			opened, err := w.open(header(w.whole), piece.Lists())
			if err != nil {
				t.Fatal(err)
			}
			if n := opened.Len(); n > items {
				t.Fatalf("a piece of %d leaves, at most %d items wanted", n, items)
			}
			leaves = slices.AppendSeq(leaves, opened.Leaves())
		}
		if !slices.Equal(leaves, slices.Collect(part.Leaves())) {
			t.Fatal("the pieces have other leaves, or in another order")
		}
	})
}

// One object needs no list: whoever has the header and is told the salt has what the server had.
func TestABatchOfOneOpensFromItsHeader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		guid, roots := anyID.Draw(t, "object"), rapid.IntRange(1, wire.MaxRoots).Draw(t, "roots")
		whole, err := batch.Build(idspace.Hex, []idspace.ID{guid}, roots)
		if err != nil {
			t.Fatal(err)
		}
		h := header(whole)
		if !bytes.Equal(h.Guid, guid[:]) || h.Objects() != 1 || h.Count != 0 || h.Roots != nil || whole.Lists() != nil || whole.Len() != roots {
			t.Fatalf("header %v, lists %x, %d leaves", h, whole.Lists(), whole.Len())
		}
		salt := rapid.IntRange(0, roots-1).Draw(t, "salt")
		one, err := batch.OpenOne(idspace.Hex, h, salt, roots)
		if err != nil {
			t.Fatal(err)
		}
		want := []batch.Leaf{{Salt: salt, GUID: guid, Key: idspace.Hex.Salted(guid, salt, roots)}}
		cut := whole.Cut(func(l batch.Leaf) bool { return l.Salt == salt })
		for _, p := range []*batch.Part{one, cut, one.Cut(func(batch.Leaf) bool { return true }), one.Pieces(1)[0]} {
			if got := slices.Collect(p.Leaves()); !slices.Equal(got, want) || p.Lists() != nil || header(p).Name() != h.Name() {
				t.Fatalf("leaves %v, lists %x", got, p.Lists())
			}
		}
		for at, run := range one.Runs() {
			if (run != nil) != (at == salt) {
				t.Fatalf("a run under salt %d", at)
			}
		}
		run := one.Runs()[salt]
		if got, ok := run.GUID(0); !ok || got != guid || run.Len() != 1 || run.List() != nil || run.Prove(0) != nil {
			t.Fatalf("a run of %v, list %x", got, run.List())
		}
	})
}

func TestWhatIsNoBatchOfOne(t *testing.T) {
	guid := numbered(1)[0]
	one := &wire.BatchRecord{Guid: guid[:]}
	for name, open := range map[string]func() (*batch.Part, error){
		"a negative salt":   func() (*batch.Part, error) { return batch.OpenOne(idspace.Hex, one, -1, 4) },
		"a salt too high":   func() (*batch.Part, error) { return batch.OpenOne(idspace.Hex, one, 4, 4) },
		"no root":           func() (*batch.Part, error) { return batch.OpenOne(idspace.Hex, one, 0, 0) },
		"more roots":        func() (*batch.Part, error) { return batch.OpenOne(idspace.Hex, one, 0, wire.MaxRoots+1) },
		"a header of three": func() (*batch.Part, error) { return batch.OpenOne(idspace.Hex, header(built(t, 3, 4)), 0, 4) },
		"with no lists":     func() (*batch.Part, error) { return batch.Open(idspace.Hex, one, nil) },
		"with a list": func() (*batch.Part, error) {
			return batch.Open(idspace.Hex, one, [][]byte{append([]byte{1, 0}, guid[:]...)})
		},
		"by its own root, with a list": func() (*batch.Part, error) {
			key := idspace.Hex.Salted(guid, 0, 1)
			h := &wire.BatchRecord{Count: 1, Roots: slowHash([]byte{0}, key[:])}
			return batch.Open(idspace.Hex, h, [][]byte{append([]byte{1, 0}, guid[:]...)})
		},
	} {
		if p, err := open(); err == nil {
			t.Errorf("%s: a part of %d leaves", name, p.Len())
		}
	}
}

// What nobody could send at once goes in pieces that fit a frame, header and all.
func TestPiecesFitAFrame(t *testing.T) {
	whole := built(t, benched, 4)
	n := 0
	scattered := whole.Cut(func(batch.Leaf) bool { n++; return n%5 == 0 })
	for name, part := range map[string]*batch.Part{"all": whole, "a fifth": scattered} {
		left := part.Len()
		for _, piece := range part.Pieces(8192) {
			m := &wire.BatchPart{Header: &wire.SignedRecord{Payload: make([]byte, wire.MaxRecord)}, Lists: piece.Lists()}
			if size := len(wire.Pack(m)); size > wire.MaxFrame {
				t.Errorf("%s: a piece of %d bytes", name, size)
			}
			if _, err := batch.Open(idspace.Hex, header(whole), piece.Lists()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			left -= piece.Len()
		}
		if size := len(wire.Pack(&wire.BatchPart{Lists: part.Lists()})); left != 0 || size < 2*wire.MaxFrame {
			t.Errorf("%s: %d leaves are in no piece of %d bytes", name, left, size)
		}
	}
}

func TestARunProvesEachOfItsObjects(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, part *batch.Part) {
		for salt, run := range part.Runs() {
			switch list := part.Lists()[salt]; {
			case run == nil && list == nil:
				continue
			case run == nil || !bytes.Equal(list, run.List()):
				t.Fatalf("salt %d: another list", salt)
			}
			var leaves []batch.Leaf
			for l := range part.Leaves() {
				if l.Salt == salt {
					leaves = append(leaves, l)
				}
			}
			for i := range run.Len() {
				guid, ok := run.GUID(i)
				if !ok {
					continue
				}
				if len(leaves) == 0 || leaves[0].GUID != guid {
					t.Fatalf("salt %d: item %d is %v", salt, i, guid)
				}
				if want := part.Cut(func(l batch.Leaf) bool { return l == leaves[0] }).Lists()[salt]; !bytes.Equal(run.Prove(i), want) {
					t.Fatalf("salt %d: item %d is proven by %x, want %x", salt, i, run.Prove(i), want)
				}
				leaves = leaves[1:]
			}
			if len(leaves) > 0 {
				t.Fatalf("salt %d: no %v", salt, leaves)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		part := w.whole.Cut(w.anyChoice(t, w.whole).keep)
		if part.Len() > 0 {
			check(t, part)
		}
	})
	whole := built(t, 500, 1) // with subtrees whose hashes are kept
	check(t, whole)
	n := 0
	check(t, whole.Cut(func(batch.Leaf) bool { n++; return n%7 < 3 }))
}

func TestARunTakesWhatItSays(t *testing.T) {
	for _, n := range []int{1, 20, 300} {
		var runs []*batch.Run
		said := 0
		whole := built(t, n, 1)
		before := heap()
		for range 20_000 / n {
			run := whole.Runs()[0]
			runs = append(runs, run)
			said += run.Bytes()
		}
		if took := int(heap() - before); took < said*8/10 || took > said*12/10+16*len(runs) {
			t.Errorf("%d runs of %d: %d bytes, they say %d", len(runs), n, took, said)
		}
		runtime.KeepAlive(runs)
		runtime.KeepAlive(whole)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Whoever changes a list on its way, or what the header says of it, proves nothing: every list that
// opens is the cut of the signed batch that keeps what it says.
func TestOnlyCutsOfTheBatchOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		lists := w.whole.Cut(w.anyChoice(t, w.whole).keep).Lists()
		salt := rapid.IntRange(0, len(lists)-1).Draw(t, "salt")
		lists[salt] = anyForgery(t, lists[salt], w)
		h := header(w.whole)
		opened, err := w.open(h, lists)
		if err != nil {
			return
		}
		kept := choice{}
		for l := range opened.Leaves() {
			if !slices.Contains(w.guids, l.GUID) {
				t.Fatalf("%v is proven and is not in the batch", l)
			}
			kept[l] = true
		}
		if !sameLists(lists, w.slowLists(kept)) {
			t.Fatalf("opened %x, which is no cut", lists)
		}
	})
}

// anyForgery changes a list in a way that somebody might.
func anyForgery(t *rapid.T, packed []byte, w *world) []byte {
	packed = bytes.Clone(packed)
	items, err := slowRead(packed, func(g idspace.ID) idspace.ID { return w.key(0, g) })
	if err != nil || rapid.Bool().Draw(t, "raw") {
		return forgeBytes(t, packed)
	}
	at := rapid.IntRange(0, len(items)-1).Draw(t, "at")
	switch rapid.IntRange(0, 5).Draw(t, "forgery") {
	case 0: // left out
		items = slices.Delete(items, at, at+1)
	case 1: // twice
		items = slices.Insert(items, at, items[at])
	case 2: // changed places
		other := rapid.IntRange(0, len(items)-1).Draw(t, "other")
		items[at], items[other] = items[other], items[at]
	case 3: // an object more
		guid := anyID.Draw(t, "guid")
		items = slices.Insert(items, at, slowItem{guid: &guid, joint: items[at].joint})
	case 4: // an object as its hash
		if g := items[at].guid; g != nil {
			k := w.key(0, *g)
			items[at] = slowItem{hash: slowHash([]byte{0}, k[:]), joint: items[at].joint}
		}
	case 5:
		items[at].joint = rapid.IntRange(0, 255).Draw(t, "joint")
	}
	if len(items) == 0 {
		return nil
	}
	return slowPack(items)
}

func forgeBytes(t *rapid.T, packed []byte) []byte {
	switch rapid.IntRange(0, 2).Draw(t, "change") {
	case 0:
		if len(packed) > 0 {
			n := rapid.IntRange(0, 8*len(packed)-1).Draw(t, "bit")
			packed[n/8] ^= 1 << (n % 8)
		}
	case 1:
		packed = packed[:rapid.IntRange(0, len(packed)).Draw(t, "cut off")]
	case 2:
		packed = append(packed, rapid.SliceOfN(rapid.Byte(), 1, 3).Draw(t, "more")...)
	}
	return packed
}

// A server may sign whatever it likes: what is no trie does not open whatever its root.
func TestOnlyTriesOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		lists := w.whole.Cut(w.anyChoice(t, w.whole).keep).Lists()
		key := func(g idspace.ID) idspace.ID { return w.key(0, g) }
		packed := lists[0]
		for range rapid.IntRange(0, 2).Draw(t, "forgeries") {
			packed = anyForgery(t, packed, w)
		}
		count := header(w.whole).Count + uint32(rapid.IntRange(0, 1).Draw(t, "more"))
		root, objects, err := slowOpen(packed, count, key)
		opened, fast := w.open(&wire.BatchRecord{Count: count, Roots: w.roots(root)}, append([][]byte{packed}, make([][]byte, len(lists)-1)...))
		if (fast == nil) != (err == nil) {
			t.Fatalf("opened with %v, want %v", fast, err)
		}
		if fast != nil {
			return
		}
		if got := slices.Collect(opened.Leaves()); !slices.EqualFunc(got, objects, func(l batch.Leaf, o object) bool {
			return l == batch.Leaf{GUID: o.guid, Key: o.key}
		}) {
			t.Fatalf("leaves %v, want %v", got, objects)
		}
	})
}

// roots are the batch's, but for salt 0.
func (w *world) roots(first []byte) []byte {
	return append(bytes.Clone(first), header(w.whole).Roots[20:]...)
}

func TestAHeaderThatLiesOpensNothing(t *testing.T) {
	guids := numbered(6)
	p, err := batch.Build(idspace.Hex, guids, 2)
	if err != nil {
		t.Fatal(err)
	}
	one := p.Cut(func(l batch.Leaf) bool { return l.GUID == guids[0] })
	for name, c := range map[string]struct {
		of     *batch.Part
		change func(*wire.BatchRecord)
		lists  func([][]byte) [][]byte
	}{
		"a count too low":             {p, func(h *wire.BatchRecord) { h.Count-- }, nil},
		"a count too high":            {p, func(h *wire.BatchRecord) { h.Count++ }, nil},
		"a count below what is shown": {one, func(h *wire.BatchRecord) { h.Count = 2 }, nil},
		"another root":                {p, func(h *wire.BatchRecord) { h.Roots[0] ^= 1 }, nil},
		"the other salt's root":       {p, func(h *wire.BatchRecord) { copy(h.Roots, h.Roots[20:]) }, nil},
		"one root less":               {p, func(h *wire.BatchRecord) { h.Roots = h.Roots[:20] }, nil},
		"lists of other salts":        {p, nil, func(l [][]byte) [][]byte { return [][]byte{l[1], l[0]} }},
		"a list too many":             {p, nil, func(l [][]byte) [][]byte { return append(l, nil) }},
		"one object":                  {one, func(h *wire.BatchRecord) { *h = wire.BatchRecord{Guid: guids[0][:]} }, nil},
		"one object by its roots":     {one, func(h *wire.BatchRecord) { h.Count = 1 }, nil},
		"no list":                     {p, nil, func(l [][]byte) [][]byte { return nil }},
		"empty lists":                 {p, nil, func(l [][]byte) [][]byte { return make([][]byte, 2) }},
	} {
		h, lists := header(p), c.of.Lists()
		if _, err := batch.Open(idspace.Hex, h, lists); err != nil {
			t.Fatal(err)
		}
		if c.change != nil {
			c.change(h)
		}
		if c.lists != nil {
			lists = c.lists(lists)
		}
		if _, err := batch.Open(idspace.Hex, h, lists); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// A hash alone is the root itself, and proves nothing; two that stand for one are another way to
// write a cut.
func TestWhatIsWrittenInAnotherWayDoesNotOpen(t *testing.T) {
	guids := []idspace.ID{{0x00}, {0x40}, {0x80}, {0xc0}}
	p, err := batch.BuildOwn(guids, 1)
	if err != nil {
		t.Fatal(err)
	}
	var leaves [][]byte
	for _, g := range guids {
		leaves = append(leaves, slowHash([]byte{0}, g[:]))
	}
	left := slowHash([]byte{1, 1}, leaves[0], leaves[1])
	right := slowHash([]byte{1, 1}, leaves[2], leaves[3])
	good := slowPack([]slowItem{{guid: &guids[0]}, {hash: leaves[1], joint: 1}, {hash: right}})
	if _, err := batch.OpenOwn(header(p), [][]byte{good}); err != nil {
		t.Fatal(err)
	}
	padded := bytes.Clone(good)
	padded[1] |= 1
	for name, list := range map[string][]byte{
		"the root alone":        slowPack([]slowItem{{hash: header(p).Roots}}),
		"hashes alone":          slowPack([]slowItem{{hash: left}, {hash: right}}),
		"two hashes for one":    slowPack([]slowItem{{guid: &guids[0]}, {hash: leaves[1], joint: 1}, {hash: leaves[2]}, {hash: leaves[3], joint: 1}}),
		"a bit that no key has": slowPack([]slowItem{{guid: &guids[0]}, {hash: leaves[1], joint: 160}, {hash: right}}),
		"no items":              {0},
		"a long number":         append([]byte{0x83, 0}, good[1:]...),
		"a number and no more":  {4},
		"a number cut off":      {0x84},
		"more than any number":  bytes.Repeat([]byte{0xff}, 40),
		"too many items":        append(binary.AppendUvarint(nil, wire.MaxItems+1), make([]byte, 30*wire.MaxItems)...),
		"a kind without item":   padded,
		"a byte more":           append(bytes.Clone(good), 0),
		"a byte less":           good[:len(good)-1],
	} {
		if _, err := batch.OpenOwn(header(p), [][]byte{list}); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// Memory is bounded by what came, whatever the list or the header says there were.
func TestOpenTakesASmallMultipleOfItsInput(t *testing.T) {
	whole := built(t, 5000, 1)
	long := whole.Lists()[0]
	hashes := slowPack(slices.Repeat([]slowItem{{hash: long[:20], joint: 159}}, 5000))
	for name, list := range map[string][]byte{
		"a good one":              long,
		"one that was forged":     append(bytes.Clone(long[:len(long)-1]), 0),
		"hashes alone":            hashes,
		"more items than bytes":   append(binary.AppendUvarint(nil, wire.MaxItems), make([]byte, 50_000)...),
		"more items than allowed": append(binary.AppendUvarint(nil, 1<<60), make([]byte, 50_000)...),
	} {
		rec := header(whole)
		if name != "a good one" {
			rec.Count = 1 << 31
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := batch.Open(idspace.Hex, rec, [][]byte{list})
		runtime.ReadMemStats(&after)
		if (err == nil) != (name == "a good one") {
			t.Errorf("%s: %v", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 7*uint64(len(list)) {
			t.Errorf("%s: %d bytes for %d", name, used, len(list))
		}
	}
}

// numbered are so many objects.
func numbered(n int) (guids []idspace.ID) {
	for i := range n {
		guids = append(guids, idspace.Hash(fmt.Appendf(nil, "object %d", i)))
	}
	return guids
}

func TestWhatMakesNoBatch(t *testing.T) {
	narrow, err := idspace.NewSpace(8, 4)
	if err != nil {
		t.Fatal(err)
	}
	twice := append(numbered(3), numbered(1)...)
	for name, build := range map[string]func() (*batch.Part, error){
		"nothing":                    func() (*batch.Part, error) { return batch.Build(idspace.Hex, nil, 4) },
		"no root":                    func() (*batch.Part, error) { return batch.Build(idspace.Hex, numbered(1), 0) },
		"more roots than an object":  func() (*batch.Part, error) { return batch.Build(idspace.Hex, numbered(1), wire.MaxRoots+1) },
		"an object twice":            func() (*batch.Part, error) { return batch.Build(idspace.Hex, twice, 4) },
		"more objects than keys":     func() (*batch.Part, error) { return batch.Build(narrow, numbered(300), 1) },
		"an object twice, own keys":  func() (*batch.Part, error) { return batch.BuildOwn(twice, 1) },
		"an object twice in no time": func() (*batch.Part, error) { return batch.BuildOwn(append(twice, twice...), 1) },
	} {
		if p, err := build(); err == nil {
			t.Errorf("%s: a batch of %d", name, header(p).Objects())
		}
	}
}

// The deepest trie: 161 keys, of which each differs from the last in another bit.
func TestTheDeepestTrie(t *testing.T) {
	var guids []idspace.ID
	for n := range 161 {
		var id idspace.ID
		if n < 160 {
			id[n/8] = 0x80 >> (n % 8)
		}
		guids = append(guids, id)
	}
	for _, flip := range []byte{0, 0xff} { // once down the left side, once down the right
		keys := slices.Clone(guids)
		for i := range keys {
			for j := range keys[i] {
				keys[i][j] ^= flip
			}
		}
		p, err := batch.BuildOwn(keys, 1)
		if err != nil {
			t.Fatal(err)
		}
		slow := plant((&world{key: func(_ int, g idspace.ID) idspace.ID { return g }}).objects(0, keys))
		if !bytes.Equal(header(p).Roots, slow.hash()) {
			t.Fatal("another root")
		}
		for _, g := range keys {
			cut := p.Cut(func(l batch.Leaf) bool { return l.GUID == g })
			if _, err := batch.OpenOwn(header(p), cut.Lists()); err != nil {
				t.Fatalf("%v: %v", g, err)
			}
		}
	}
}

func TestARunIsCutAsItsPartIs(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, part *batch.Part, keep func(batch.Leaf) bool) {
		kept := make(map[batch.Leaf]bool)
		cut := part.Cut(func(l batch.Leaf) bool { kept[l] = keep(l); return kept[l] })
		for salt, run := range part.Runs() {
			if run == nil || cut.Runs()[salt] == nil {
				continue
			}
			var places []int32
			leaves := slices.Collect(part.Leaves())
			leaves = slices.DeleteFunc(leaves, func(l batch.Leaf) bool { return l.Salt != salt })
			for i := range run.Len() {
				if _, ok := run.GUID(i); !ok {
					continue
				}
				if kept[leaves[0]] {
					places = append(places, int32(i))
				}
				leaves = leaves[1:]
			}
			want := cut.Runs()[salt]
			if got := run.Cut(places); !bytes.Equal(got, want.List()) {
				t.Fatalf("salt %d: cut to %x, want %x", salt, got, want.List())
			}
			if got := run.Keep(places); !reflect.DeepEqual(got.All(), want.All()) {
				t.Fatalf("salt %d: kept %v, want %v", salt, got.All(), want.All())
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		part := w.whole.Cut(w.anyChoice(t, w.whole).keep)
		if part.Len() > 0 {
			check(t, part, w.anyChoice(t, part).keep)
		}
	})
	n := 0
	check(t, built(t, 500, 2), func(batch.Leaf) bool { n++; return n%9 < 2 })
	check(t, built(t, 500, 1), func(batch.Leaf) bool { n++; return n%200 == 3 })
}

func TestAProofOfOneObjectIsKeptAsARun(t *testing.T) {
	part := built(t, 40, 3)
	rec := header(part)
	for salt, run := range part.Runs() {
		for i := range run.Len() {
			got, err := batch.Sole(idspace.Hex, rec, salt, run.Prove(i))
			if err != nil || !bytes.Equal(got.List(), run.Prove(i)) {
				t.Fatalf("salt %d: %v, %v, want what proves %d", salt, got, err, i)
			}
		}
	}
	proof := part.Runs()[0].Prove(7)
	one := header(built(t, 1, 3))
	if got, err := batch.Sole(idspace.Hex, one, 0, nil); err != nil || got != nil {
		t.Errorf("of one: %v, %v", got, err)
	}
	for want, got := range map[string]error{
		"a proof for a batch of one": second(batch.Sole(idspace.Hex, one, 0, proof)),
		"proof under salt 3 of 3":    second(batch.Sole(idspace.Hex, rec, 3, proof)),
		"salt 1":                     second(batch.Sole(idspace.Hex, rec, 1, proof)),
		"a part of nothing":          second(batch.Sole(idspace.Hex, rec, 0, nil)),
		"want one":                   second(batch.Sole(idspace.Hex, rec, 0, part.Runs()[0].Cut([]int32{3, 7}))),
	} {
		if got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("%q: %v", want, got)
		}
	}
}

func second(_ *batch.Run, err error) error { return err }
