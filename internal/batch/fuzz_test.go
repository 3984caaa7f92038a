package batch_test

import (
	"bytes"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// fuzzOpen feeds a list with the root that it has, right or wrong: what opens is what the obvious
// reader takes, and is written as it came.
func fuzzOpen(f *testing.F, key func(idspace.ID) idspace.ID, open func(*wire.BatchRecord, []byte) (*batch.Part, error)) {
	f.Fuzz(func(t *testing.T, packed []byte, count uint32) {
		if len(packed) > 8<<10 { // the obvious reader is slow
			return
		}
		root, objects, want := slowOpen(packed, count, key)
		rec := &wire.BatchRecord{Count: count, Roots: root}
		p, err := open(rec, packed)
		switch {
		case (err == nil) != (want == nil):
			t.Fatalf("%v, want %v", err, want)
		case err != nil:
			return
		case p.Len() != len(objects) || !bytes.Equal(p.Lists()[0], packed):
			t.Fatal("opened as something else")
		}
		rec.Roots = bytes.Clone(root)
		rec.Roots[7] ^= 1
		if _, err := open(rec, packed); err == nil {
			t.Fatal("opened under another root")
		}
		cutAll(t, p, rec, root, open)
	})
}

// cutAll takes a part apart; what becomes of it has to prove itself.
func cutAll(t *testing.T, p *batch.Part, rec *wire.BatchRecord, root []byte, open func(*wire.BatchRecord, []byte) (*batch.Part, error)) {
	rec.Roots = root
	n := 0
	for _, part := range p.Split(4, func(batch.Leaf) int { n++; return n % 4 }) {
		if part.Len() == 0 {
			continue
		}
		if _, err := open(rec, part.Lists()[0]); err != nil {
			t.Fatalf("a cut does not open: %v", err)
		}
	}
	run := p.Runs()[0]
	for i := range run.Len() {
		guid, ok := run.GUID(i)
		if !ok {
			continue
		}
		one, err := open(rec, run.Prove(i))
		if err != nil || one.Len() != 1 {
			t.Fatalf("the proof of %v does not open: %v", guid, err)
		}
	}
}

// FuzzOpen has keys of its own choice: the fuzzer cannot find identifiers whose hashes fit.
func FuzzOpen(f *testing.F) {
	for n := range 5 {
		guids := []idspace.ID{{0: 0x10}, {0: 0x18}, {0: 0x90, 5: 7}, {0: 0x90, 19: 1}, {0: 0x91}, {0: 0xff}}
		seed(f, n, func() (*batch.Part, error) { return batch.BuildOwn(guids[:n+2], 1) })
	}
	fuzzOpen(f, func(g idspace.ID) idspace.ID { return g }, func(h *wire.BatchRecord, list []byte) (*batch.Part, error) {
		return batch.OpenOwn(h, [][]byte{list})
	})
}

func FuzzOpenSalted(f *testing.F) {
	for n := range 12 {
		seed(f, n, func() (*batch.Part, error) { return batch.Build(idspace.Hex, numbered(n+2), 1) })
	}
	fuzzOpen(f, func(g idspace.ID) idspace.ID { return idspace.Hex.Salted(g, 0, 1) }, func(h *wire.BatchRecord, list []byte) (*batch.Part, error) {
		return batch.Open(idspace.Hex, h, [][]byte{list})
	})
}

// seed adds a batch whole, and a cut of one object of it.
func seed(f *testing.F, kept int, build func() (*batch.Part, error)) {
	p, err := build()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.Lists()[0], header(p).Count)
	n := 0
	f.Add(p.Cut(func(batch.Leaf) bool { n++; return n == kept/2+1 }).Lists()[0], header(p).Count)
}
