package batch_test

import (
	"fmt"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// plane is an overlay whose nodes know everybody that they should, and of several the nearest.
type plane struct {
	ids   []idspace.ID
	at    []complex128
	known []slots
}

// slots are a node's first neighbors by level and digit, itself where there is a hole; nil before
// they were looked for.
type slots [][16]int

func newPlane(nodes int) *plane {
	p := &plane{known: make([]slots, nodes)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range nodes {
		p.ids = append(p.ids, idspace.Hash(fmt.Appendf(nil, "node %d", i)))
		p.at = append(p.at, complex(r.Float64(), r.Float64()))
	}
	return p
}

func (p *plane) slots(node int) slots {
	if p.known[node] != nil {
		return p.known[node]
	}
	var s slots
	for i, id := range p.ids {
		l := idspace.Hex.CommonPrefix(id, p.ids[node])
		if i == node {
			continue
		}
		for len(s) <= l {
			s = append(s, hole(node))
		}
		if d := idspace.Hex.Digit(id, l); s[l][d] == node || p.apart(i, node) < p.apart(s[l][d], node) {
			s[l][d] = i
		}
	}
	p.known[node] = s
	return s
}

func hole(node int) (row [16]int) {
	for d := range row {
		row[d] = node
	}
	return row
}

func (p *plane) apart(a, b int) float64 { return cmplx.Abs(p.at[a] - p.at[b]) }

// next is where a node sends a key on to (docs/protocol.md §2.4), itself at the root.
func (p *plane) next(node int, key idspace.ID) int {
	for l, row := range p.slots(node) {
		for d := idspace.Hex.Digit(key, l); d != idspace.Hex.Digit(p.ids[node], l); d = (d + 1) % 16 {
			if to := row[d]; to != node {
				return to
			}
		}
	}
	return node
}

// toll is what a batch costs on all links of its paths.
type toll struct {
	bytes, messages, steps int
	hops                   []hop
}

// hop is what it costs that far from the server.
type hop struct {
	leaves int
	over   int // bytes beside identifiers
	kept   int // bytes of runs
}

// travel sends a part to the roots of all that is in it, each node checking what it gets.
func (p *plane) travel(t testing.TB, node int, part *batch.Part, signed *wire.SignedRecord, far int, sum *toll) {
	index := map[int]int{}
	var hops []int
	goes := func(l batch.Leaf) int { return p.next(node, l.Key) }
	for l := range part.Leaves() {
		if to := goes(l); to != node && index[to] == 0 {
			hops = append(hops, to)
			index[to] = len(hops)
		}
	}
	for i, cut := range part.Split(len(hops), func(l batch.Leaf) int { return index[goes(l)] - 1 }) {
		m := &wire.BatchPart{Header: signed, Lists: cut.Lists()} // of a batch of one, the header alone
		size := proto.Size(m)
		sum.bytes += size
		sum.messages++
		sum.steps += cut.Len()
		if far == len(sum.hops) {
			sum.hops = append(sum.hops, hop{})
		}
		sum.hops[far].leaves += cut.Len()
		sum.hops[far].over += size - idspace.Size*cut.Len()
		got := opened(t, m, cut)
		for _, run := range got.Runs() {
			if run != nil {
				sum.hops[far].kept += run.Bytes()
			}
		}
		p.travel(t, hops[i], got, signed, far+1, sum)
	}
}

// opened is what comes of a part where it arrives. Beside a header of one object stands its salt.
func opened(t testing.TB, m *wire.BatchPart, sent *batch.Part) *batch.Part {
	rec, err := m.Header.Batch()
	if err != nil {
		t.Fatal(err)
	}
	var got *batch.Part
	if rec.Objects() > 1 {
		got, err = batch.Open(idspace.Hex, rec, m.Lists)
	} else {
		for l := range sent.Leaves() {
			got, err = batch.OpenOne(idspace.Hex, rec, l.Salt, salts)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// sealed is as large as a signed header is.
func sealed(t testing.TB, kind wire.RecordKind, rec proto.Message) *wire.SignedRecord {
	payload, err := proto.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	return &wire.SignedRecord{
		PublicKey: make([]byte, 36), PayloadType: []byte(kind), Payload: payload, Signature: make([]byte, 64),
	}
}

// publish sends a batch of so many objects from the first node to all of their roots.
func (p *plane) publish(t testing.TB, name string, objects int, sum *toll) {
	guids := make([]idspace.ID, objects)
	for i := range guids {
		guids[i] = idspace.Hash(fmt.Appendf(nil, "%s, object %d", name, i))
	}
	whole, err := batch.Build(idspace.Hex, guids, salts)
	if err != nil {
		t.Fatal(err)
	}
	rec := p.header()
	whole.Commit(rec)
	signed := sealed(t, wire.BatchKind, rec)
	if objects > 1 {
		p.travel(t, 0, whole, signed, 0, sum)
		return
	}
	for salt := range salts { // each in a message of its own, as a publish is
		p.travel(t, 0, whole.Cut(func(l batch.Leaf) bool { return l.Salt == salt }), signed, 0, sum)
	}
}

// header is that of the first node, without objects.
func (p *plane) header() *wire.BatchRecord {
	return &wire.BatchRecord{
		Network: "main", App: "files", Server: p.ids[0][:], Generation: 1795219200, Counter: 1000, LifeS: 3600,
	}
}

// salts is how many roots an object has.
const salts = 4

// BenchmarkPublish is the work of all nodes together, from one server to all roots and to the runs that
// are kept, signatures aside: of those there is one per batch, and one check per message.
func BenchmarkPublish(b *testing.B) {
	overlay := newPlane(1000)
	for _, objects := range []int{1, 1000, 10_000} {
		b.Run(fmt.Sprint(objects), func(b *testing.B) {
			overlay.publish(b, "first", objects, new(toll)) // which looks for everybody's neighbors
			var sum toll
			for b.Loop() {
				overlay.publish(b, "again", objects, &sum)
			}
			laid := float64(salts * objects * b.N)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/laid, "ns/object-and-root")
			b.ReportMetric(float64(sum.messages)/laid, "messages/object-and-root")
		})
	}
}

// In an overlay of 1 000 nodes. What is bounded are the aims of design §8, by all hops together;
// beside it, what a signature for every object would cost.
func TestWhatABatchCostsOnItsWay(t *testing.T) {
	overlay := newPlane(1000)
	for _, c := range []struct {
		objects, batches int
		bytes, messages  float64 // at most, per object and root
	}{
		{1, 200, 510, 2.6}, {10, 50, 760, 2}, {100, 10, 580, 1.1}, {1000, 4, 300, 0.5}, {10_000, 1, 130, 0.06},
	} {
		var sum toll
		for b := range c.batches {
			overlay.publish(t, fmt.Sprint("batch ", b), c.objects, &sum)
		}
		laid := float64(salts * c.objects * c.batches)
		bytes, messages := float64(sum.bytes)/laid, float64(sum.messages)/laid
		single := overlay.header()
		single.Guid = overlay.ids[0][:]
		alone := float64(sum.steps) / laid * float64(proto.Size(sealed(t, wire.BatchKind, single)))
		over, kept, all := "", "", 0
		for _, h := range sum.hops {
			over += fmt.Sprintf(" %.1f", float64(h.over)/float64(h.leaves))
			kept += fmt.Sprintf(" %.1f", float64(h.kept)/float64(h.leaves))
			all += h.kept
		}
		t.Logf("batches of %d: %.1f bytes and %.4f messages per object and root, over %.2f hops; signed one by one %.0f bytes", c.objects, bytes, messages, float64(sum.steps)/laid, alone)
		t.Logf("  bytes per leaf beside its identifier, hop by hop:%s; kept:%s, on average %.1f", over, kept, float64(all)/float64(sum.steps))
		if bytes > c.bytes || messages > c.messages {
			t.Errorf("batches of %d: %.1f bytes and %.4f messages per object and root, at most %v and %v wanted", c.objects, bytes, messages, c.bytes, c.messages)
		}
	}
}
