package membership_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/membership"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// scout is a node that knows where it is, in the middle, with a full leaf set and one slot
// full of nodes 100 ms away; others are candidates for that slot. It notes what it asks.
type scout struct {
	*envtest.Env
	member *membership.Member
	tables *surrogate.Tables
	links  *links.Table
	others []string // names of candidates
	probed []string
	asked  []string // whose records it asks for
}

func (s *scout) Post(m env.Local) {
	if p, ok := m.(*env.Probe); ok {
		s.probed = append(s.probed, s.Of(p.Peer))
	}
}

func (s *scout) Send(_ idspace.ID, m wire.Message) {
	if q, ok := m.(*wire.RecordRequest); ok {
		for _, r := range wire.Refs(q.Refs) {
			for _, name := range s.others {
				if r.Matches(s.ID(name)) {
					s.asked = append(s.asked, name)
				}
			}
		}
	}
}

func newScout(t *testing.T, change func(*membership.Config)) *scout {
	t.Helper()
	e := envtest.New("me")
	s := &scout{Env: e, links: links.New(links.Config{}.WithDefaults())}
	s.tables = &surrogate.Tables{
		Space: idspace.Hex, Self: e.Self,
		Map: neighbormap.New(idspace.Hex, e.Self, 3), Leaves: leafset.New(e.Self, 1),
	}
	cfg := membership.Config{RowPeriod: time.Hour, LeafPeriod: time.Hour}.WithDefaults()
	change(&cfg)
	var err error
	s.member, err = membership.New(cfg, membership.Deps{
		Tables: s.tables, Links: s.links, Own: envtest.Node("me", 1),
		Router: routing.New(routing.Config{}.WithDefaults(), s.tables, s.links),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.links.Begin(e.Rand())
	for range 100 {
		s.links.Observe(wire.Point{Error: 0.1}.Pack(), time.Millisecond)
	}
	s.settle()
	return s
}

// settle seats the nodes next on the ring, and three of the slot that is farthest from it.
func (s *scout) settle() {
	var pool []string
	for i := range 400 {
		pool = append(pool, fmt.Sprintf("n%d", i))
	}
	slices.SortFunc(pool, func(a, b string) int { return idspace.Compare(s.ID(a), s.ID(b)) })
	at, _ := slices.BinarySearchFunc(pool, s.Self, func(name string, id idspace.ID) int { return idspace.Compare(s.ID(name), id) })
	seats := []string{pool[(at+len(pool)-1)%len(pool)], pool[at%len(pool)]}
	far := (idspace.Hex.Digit(s.Self, 0) + 8) & 15
	for _, name := range pool {
		if idspace.Hex.Digit(s.ID(name), 0) == far {
			s.others = append(s.others, name)
		}
	}
	seats = append(seats, s.others[:3]...)
	s.others = s.others[3:]
	var all []membership.Seat
	for _, name := range seats {
		s.member.OnHello(s, s.ID(name), &wire.Hello{Record: envtest.Node(name, 1)})
		s.links.Open(s.ID(name)).Mine = wire.Use_USE_LEAF
		all = append(all, membership.Seat{Peer: s.ID(name), RTT: 100 * time.Millisecond})
	}
	s.member.Warm(s, all)
}

// at is a coordinate so far away from the middle.
func at(far time.Duration) wire.Coord {
	return wire.Point{Vec: [wire.CoordDims]float64{0, 0, far.Seconds()}, Error: 0.1}.Pack()
}

// tell sends records of the first candidates, or references to them, with coordinates.
func (s *scout) tell(m wire.Message, far ...time.Duration) {
	var refs, coords []byte
	var records []*wire.SignedRecord
	for i, d := range far {
		c := at(d)
		if d == 0 {
			c = wire.Coord{}
		}
		coords = append(coords, c[:]...)
		refs = wire.AppendRef(refs, wire.RefTo(s.ID(s.others[i]), 1))
		records = append(records, envtest.Node(s.others[i], 1))
	}
	from := s.tables.Map.All()[0].ID
	switch m := m.(type) {
	case *wire.Records:
		m.Records, m.Coords = records, coords
		s.member.OnRecords(s, from, m)
	case *wire.Row:
		m.Refs, m.Coords = refs, coords
		s.member.OnRow(s, from, m)
	}
}

func (s *scout) demand(t *testing.T, what string, got []string, candidates ...int) {
	t.Helper()
	var want []string
	for _, i := range candidates {
		want = append(want, s.others[i])
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

const ms = time.Millisecond

// TestTheNearestOfTheQueueIsProbedNext: among candidates of equal use the gate asks in the
// order of what coordinates say, those of whom nothing is known last.
func TestTheNearestOfTheQueueIsProbedNext(t *testing.T) {
	s := newScout(t, func(c *membership.Config) { c.Probes = 1 })
	for _, n := range s.tables.Map.Slot(0, idspace.Hex.Digit(s.ID(s.others[0]), 0)) {
		s.tables.Map.Remove(n.ID) // now there is room for three
	}
	s.tell(&wire.Records{}, 80*ms, 0, 20*ms, 50*ms)
	for range 3 {
		s.member.OnVerdict(s, &env.Verdict{Peer: s.ID(s.probed[len(s.probed)-1])})
	}
	s.demand(t, "probed", s.probed, 2, 3, 0, 1)
}

// TestStrangersThatSeemNearAreAskedFor: though the slot is full, the record of a node is
// worth a question that is said to be clearly nearer than one in it (design §6: 0.9).
func TestStrangersThatSeemNearAreAskedFor(t *testing.T) {
	s := newScout(t, func(*membership.Config) {})
	s.tell(&wire.Row{}, 95*ms, 80*ms, 0, 150*ms)
	s.demand(t, "asked for the records of", s.asked, 1)
	s.demand(t, "probed", s.probed)
}

// TestTheMostPromisingIsMeasured: with each exchange of rows one known node, the nearest by
// coordinates; what is measured then counts more than what is said, until it is old.
func TestTheMostPromisingIsMeasured(t *testing.T) {
	s := newScout(t, func(*membership.Config) {})
	rows := func() {
		s.member.OnTimer(s, env.TimerKey{Room: env.Membership, What: 1})
	}
	s.tell(&wire.Records{}, 80*ms, 0, 20*ms, 95*ms)
	rows()
	s.demand(t, "probed", s.probed, 2)
	s.member.OnVerdict(s, &env.Verdict{Peer: s.ID(s.others[2]), Alive: true, RTT: 120 * ms, Coord: at(20 * ms)})
	s.tell(&wire.Records{}, 80*ms, 0, 20*ms, 95*ms)
	rows()
	s.demand(t, "then", s.probed, 2, 0)
	s.member.OnVerdict(s, &env.Verdict{Peer: s.ID(s.others[0]), Alive: true, RTT: 85 * ms, Coord: at(80 * ms)})
	s.demand(t, "and for its use", s.probed, 2, 0, 0)
	s.member.OnVerdict(s, &env.Verdict{Peer: s.ID(s.others[0]), Alive: true, RTT: 85 * ms, Coord: at(80 * ms)})
	if !s.tables.Map.Has(s.ID(s.others[0])) {
		t.Error("a candidate that is clearly nearer was not admitted")
	}
	rows()
	s.demand(t, "after all were looked at", s.probed, 2, 0, 0)
	s.Advance(11*time.Minute, func(env.TimerKey) {})
	s.tell(&wire.Records{}, 0, 0, 20*ms, 0)
	rows()
	if again := s.probed[3:]; !slices.Contains(again, s.others[2]) {
		t.Errorf("once the measurement is old: %v, want %s among them", again, s.others[2])
	}
}

// TestFalseCoordinatesHideNobodyForEver: a near node that is said to be far is found by the
// one candidate in a while that is drawn at random.
func TestFalseCoordinatesHideNobodyForEver(t *testing.T) {
	s := newScout(t, func(*membership.Config) {})
	s.tell(&wire.Records{}, 300*ms, 300*ms, 300*ms)
	for range 60 {
		s.Advance(30*time.Second, func(env.TimerKey) {})
		s.tell(&wire.Row{}, 300*ms, 300*ms, 300*ms)
		for len(s.probed) > 0 {
			who := s.ID(s.probed[0])
			s.probed = s.probed[1:]
			rtt := 200 * ms
			if who == s.ID(s.others[1]) {
				rtt = 10 * ms
			}
			s.member.OnVerdict(s, &env.Verdict{Peer: who, Alive: true, RTT: rtt, Coord: at(300 * ms)})
		}
		if s.tables.Map.Has(s.ID(s.others[1])) {
			return
		}
	}
	t.Error("the near node was never found")
}
