package heartbeat_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/heartbeat"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// side is one end of a link whose other end is a real monitor too.
type side struct {
	*envtest.Env
	monitor *heartbeat.Monitor
	links   *links.Table
	out     []wire.Message
	beacons int
	lost    int // how often it forgot that the other one uses it
}

func newSide(name string, fastest time.Duration) *side {
	table := links.New(links.Config{}.WithDefaults())
	s := &side{
		Env: envtest.New(name), links: table,
		monitor: heartbeat.New(heartbeat.Config{Fastest: fastest}.WithDefaults(), table),
	}
	s.monitor.Start(s)
	s.monitor.Open()
	return s
}

func (s *side) Send(_ idspace.ID, m wire.Message) {
	if _, ok := m.(*wire.Beacon); ok {
		s.beacons++
	}
	s.out = append(s.out, m)
}

func (s *side) SendDial(to idspace.ID, m wire.Message) { s.Send(to, m) }
func (s *side) Post(env.Local)                         {}

func (s *side) Emit(ev env.Event) {
	if u, ok := ev.(*env.LinkUsed); ok && u.Theirs == wire.Use_USE_NONE {
		s.lost++
	}
}

// begin has the side use the other.
func (s *side) begin(other *side) {
	s.monitor.OnProbe(s, &env.Probe{Peer: other.Self, Use: wire.Use_USE_LEAF})
	carry(s, other)
	carry(other, s)
	s.monitor.OnUse(s, &env.Use{Peer: other.Self, Use: wire.Use_USE_LEAF})
}

// carry brings what one has sent to the other.
func carry(from, to *side) {
	out := from.out
	from.out = nil
	for _, m := range out {
		to.monitor.OnTraffic(to, from.Self)
		switch m := m.(type) {
		case *wire.Beacon:
			to.monitor.OnBeacon(to, from.Self, m)
		case *wire.BeaconAck:
			to.monitor.OnBeaconAck(to, from.Self, m)
		}
	}
}

func pass(a, b *side, d time.Duration) {
	const step = 50 * time.Millisecond
	for ; d > 0; d -= step {
		for _, s := range []*side{a, b} {
			s.Advance(step, func(k env.TimerKey) { s.monitor.OnTimer(s, k) })
		}
		carry(a, b)
		carry(b, a)
	}
	a.Drain()
	b.Drain()
}

// A beacon and its answer prove both sides alive and renew the uses of both.
func TestOneSidesBeaconsServeBothOfAMutualLink(t *testing.T) {
	a, b := newSide("ann", 0), newSide("bob", 0)
	a.begin(b)
	b.begin(a)
	pass(a, b, 10*time.Minute) // both grow from the fastest period to the slowest
	a.beacons, b.beacons, a.lost, b.lost = 0, 0, 0, 0
	pass(a, b, 5*time.Hour)
	if n := a.beacons + b.beacons; n > 400 {
		t.Errorf("%d beacons in 300 minutes, want some one a minute for both", n)
	}
	if a.beacons < 40 || b.beacons < 40 {
		t.Errorf("%d and %d beacons: one side's round trip is not measured", a.beacons, b.beacons)
	}
	if a.lost+b.lost > 0 {
		t.Errorf("a backpointer lapsed %d times on one side, %d on the other", a.lost, b.lost)
	}
}

// However differently the two are tuned, what one uses the other for does not lapse, while
// the periods grow or later.
func TestBackpointersOutliveTheTuningOfBothSides(t *testing.T) {
	for _, fastest := range []time.Duration{time.Second, 5 * time.Second, 20 * time.Second, 60 * time.Second} {
		a, b := newSide("ann", fastest), newSide("bob", 0)
		a.begin(b)
		b.begin(a)
		a.lost, b.lost = 0, 0
		pass(a, b, time.Hour)
		if a.lost+b.lost > 0 {
			t.Errorf("fastest %v: a backpointer lapsed %d times on one side, %d on the other", fastest, a.lost, b.lost)
		}
	}
}

func TestABackpointerLapsesWhenItsOwnerHasGone(t *testing.T) {
	a, b := newSide("ann", 0), newSide("bob", 0)
	a.begin(b)
	pass(a, b, 10*time.Minute)
	for range 600 { // ann is silent from now on
		b.Advance(time.Second, func(k env.TimerKey) { b.monitor.OnTimer(b, k) })
	}
	if b.links.Linked(a.Self) {
		t.Error("a backpointer is kept for more than its life")
	}
}
