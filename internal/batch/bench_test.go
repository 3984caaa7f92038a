package batch_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

const benched = 10_000

func built(b testing.TB, n, roots int) *batch.Part {
	p, err := batch.Build(idspace.Hex, numbered(n), roots)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// perLeaf reports what one object under one salt costs.
func perLeaf(b *testing.B, leaves int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(leaves), "ns/leaf")
}

func BenchmarkBuild(b *testing.B) {
	guids := numbered(benched)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := batch.Build(idspace.Hex, guids, 1); err != nil {
			b.Fatal(err)
		}
	}
	perLeaf(b, benched)
}

func BenchmarkOpen(b *testing.B) {
	p := built(b, benched, 1)
	lists := p.Lists()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := batch.Open(idspace.Hex, header(p), lists); err != nil {
			b.Fatal(err)
		}
	}
	perLeaf(b, benched)
}

// byDigit is where a leaf goes that has so many next hops: at a server, and at one who has them
// from there.
func byDigit(l int) func(batch.Leaf) int {
	return func(leaf batch.Leaf) int { return int(idspace.Hex.Digit(leaf.Key, l)) }
}

func BenchmarkSplitIn16(b *testing.B) {
	p := built(b, benched, 1)
	b.ReportAllocs()
	for b.Loop() {
		p.Split(16, byDigit(0))
	}
	perLeaf(b, benched)
}

func BenchmarkSplitIn16Scattered(b *testing.B) {
	p := built(b, benched, 1)
	b.ReportAllocs()
	for b.Loop() {
		p.Split(16, byDigit(7))
	}
	perLeaf(b, benched)
}

// BenchmarkOpenAndSplit is what a node does with a part of 600 objects of ten thousand that goes on to 16.
func BenchmarkOpenAndSplit(b *testing.B) {
	p := built(b, benched, 1)
	lists, leaves := p.Split(16, byDigit(0))[3].Lists(), p.Split(16, byDigit(0))[3].Len()
	b.ReportAllocs()
	for b.Loop() {
		got, err := batch.Open(idspace.Hex, header(p), lists)
		if err != nil {
			b.Fatal(err)
		}
		for _, part := range got.Split(16, byDigit(1)) {
			part.Lists()
		}
	}
	perLeaf(b, leaves)
}

// BenchmarkOne is what an object costs that is published alone, with four roots: at the server, and at
// a node on the way to one of them.
func BenchmarkOne(b *testing.B) {
	guids := numbered(1)
	b.Run("Build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := batch.Build(idspace.Hex, guids, 4); err != nil {
				b.Fatal(err)
			}
		}
	})
	h := header(built(b, 1, 4))
	b.Run("OpenAndSplit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			got, err := batch.OpenOne(idspace.Hex, h, 2, 4)
			if err != nil {
				b.Fatal(err)
			}
			got.Split(1, func(batch.Leaf) int { return 0 })[0].Lists()
		}
	})
}

// BenchmarkProve is what an answer costs a node that keeps 600, or all, of ten thousand objects.
func BenchmarkProve(b *testing.B) {
	whole := built(b, benched, 1)
	for name, part := range map[string]*batch.Part{"600": whole.Split(16, byDigit(0))[3], "10000": whole} {
		run := part.Runs()[0]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, ok := run.GUID(i % run.Len()); ok {
					run.Prove(i % run.Len())
				}
			}
		})
	}
}

func BenchmarkLists(b *testing.B) {
	p := built(b, benched, 1)
	b.ReportAllocs()
	for b.Loop() {
		p.Lists()
	}
	perLeaf(b, benched)
}
