package routing_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// sink is a world that only counts and encodes, as a real one would.
type sink struct {
	rng    *rand.Rand
	now    mono.Time
	sent   int
	frame  []byte
	encode bool
	tx     uint64
}

func (s *sink) Now() mono.Time   { return s.now }
func (s *sink) Rand() *rand.Rand { return s.rng }
func (s *sink) Send(to idspace.ID, m wire.Message) {
	s.sent++
	if r, ok := m.(*wire.Routed); ok {
		s.tx = r.Tx
	}
	if s.encode {
		s.frame, _ = wire.AppendFrame(s.frame[:0], m)
	}
}
func (s *sink) SendDial(idspace.ID, wire.Message)                      {}
func (s *sink) Post(env.Local)                                         {}
func (s *sink) Deliver(env.Delivery)                                   {}
func (s *sink) Emit(env.Event)                                         {}
func (s *sink) Sign(wire.RecordKind, []byte) (none *wire.SignedRecord) { return none }
func (s *sink) SetTimer(env.TimerKey, time.Duration)                   {}
func (s *sink) StopTimer(env.TimerKey)                                 {}

// mustHaveSent fails unless each round has acknowledged one envelope and sent one on.
func (s *sink) mustHaveSent(b *testing.B) {
	b.Helper()
	if s.sent != 2*b.N {
		b.Fatalf("%d messages sent in %d rounds", s.sent, b.N)
	}
}

// passing is an upcall that lets everything pass.
type passing struct{}

func (passing) OnHop(env.Env, *wire.Routed, routing.At) routing.Verdict { return routing.Continue }
func (passing) OnReply(env.Env, *wire.Routed)                           {}
func (passing) OnLost(env.Env, *wire.Routed, wire.Refusal)              {}

func randomID(rng *rand.Rand) (id idspace.ID) {
	for i := range id {
		id[i] = byte(rng.Uint32())
	}
	return id
}

// busyRouter is a router whose map was built from nodes random nodes, and a 1 KiB
// message that somebody else has sent it for a key that it is not the root of.
func busyRouter(tb testing.TB, nodes int) (*routing.Router, *wire.Routed, idspace.ID) {
	tb.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	self := randomID(rng)
	tables := &surrogate.Tables{
		Space: idspace.Hex, Self: self,
		Map: neighbormap.New(idspace.Hex, self, 3), Leaves: leafset.New(self, 8),
	}
	for range nodes {
		id := randomID(rng)
		tables.Map.Insert(neighbormap.Neighbor{ID: id, RTT: time.Duration(rng.IntN(200)) * time.Millisecond})
		tables.Leaves.Insert(id)
	}
	r := routing.New(routing.Config{}.WithDefaults(), tables, links.New(links.Config{}.WithDefaults()))
	r.Serve(wire.BodyKind_BODY_MESSAGE, passing{})
	r.OnActivated(new(sink))
	key, from := randomID(rng), randomID(rng)
	for r.Next(key).Rule == wire.Rule_RULE_ROOT {
		key = randomID(rng)
	}
	origin := randomID(rng)
	return r, &wire.Routed{
		Call: 1, Tx: 1, Key: key[:], BodyKind: wire.BodyKind_BODY_MESSAGE, Body: make([]byte, 1024),
		Path: append(origin[:], from[:]...), HopsLeft: 20, DeadlineMs: 5000,
	}, from
}

// BenchmarkForward is a routed message of 1 KiB from its arrival in the core to its
// departure, the acknowledgement to the hop before and from the hop after included.
func BenchmarkForward(b *testing.B) {
	r, m, from := busyRouter(b, 10_000)
	e := &sink{rng: rand.New(rand.NewPCG(1, 1))}
	next := r.Next(wire.ID(m.Key)).To
	ack := new(wire.Ack)
	b.ReportAllocs()
	for b.Loop() {
		m.Call++ // a copy would go nowhere
		r.OnRouted(e, from, m)
		ack.Tx = e.tx
		r.OnAck(e, next, ack)
	}
	e.mustHaveSent(b)
}

// BenchmarkForwardFrame is the same from frame to frame: decoded, routed, encoded.
func BenchmarkForwardFrame(b *testing.B) {
	r, m, from := busyRouter(b, 10_000)
	e := &sink{rng: rand.New(rand.NewPCG(1, 1)), encode: true}
	next := r.Next(wire.ID(m.Key)).To
	frame, err := wire.AppendFrame(nil, m)
	if err != nil {
		b.Fatal(err)
	}
	ack := new(wire.Ack)
	b.ReportAllocs()
	for b.Loop() {
		in, err := wire.Decode(frame[2:])
		if err != nil {
			b.Fatal(err)
		}
		routed := in.(*wire.Routed)
		m.Call++
		routed.Call = m.Call // a copy would go nowhere
		r.OnRouted(e, from, routed)
		ack.Tx = e.tx
		r.OnAck(e, next, ack)
	}
	e.mustHaveSent(b)
}

// BenchmarkNear finds the near nodes of a key among 160 neighbors.
func BenchmarkNear(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	table := links.New(links.Config{}.WithDefaults())
	for range 160 {
		id := randomID(rng)
		table.Open(id)
		table.Sample(id, time.Duration(1+rng.IntN(200))*time.Millisecond)
	}
	r := routing.New(routing.Config{}.WithDefaults(), &surrogate.Tables{Space: idspace.Hex, Self: randomID(rng)}, table)
	key := randomID(rng)
	for b.Loop() {
		if len(r.Near(key)) == 0 {
			b.Fatal("no near node")
		}
	}
}
