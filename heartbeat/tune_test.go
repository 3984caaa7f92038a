package heartbeat_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/heartbeat"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// town is a monitor and its neighbors, which answer every beacon a step later as long as
// they live.
type town struct {
	*envtest.Env
	monitor *heartbeat.Monitor
	links   *links.Table
	dead    map[idspace.ID]bool
	acks    []ack
	beacons []mono.Time   // when one was sent
	period  time.Duration // a quarter of the life that the latest one announced
	found   []mono.Time   // when a neighbor was found dead
}

type ack struct {
	to  idspace.ID
	seq uint64
}

func newTown() *town {
	table := links.New(links.Config{}.WithDefaults())
	w := &town{
		Env: envtest.New("me"), links: table, dead: make(map[idspace.ID]bool),
		monitor: heartbeat.New(heartbeat.Config{}.WithDefaults(), table),
	}
	w.monitor.Start(w)
	w.monitor.Open()
	return w
}

func (w *town) SendDial(to idspace.ID, m wire.Message) { w.Send(to, m) }

func (w *town) Send(to idspace.ID, m wire.Message) {
	b, ok := m.(*wire.Beacon)
	if !ok {
		return
	}
	w.beacons = append(w.beacons, w.Now())
	w.period = time.Duration(b.LifeS) * time.Second / 4
	if !w.dead[to] {
		w.acks = append(w.acks, ack{to, b.Seq})
	}
}

func (w *town) Post(m env.Local) {
	if _, ok := m.(*env.Down); ok {
		w.found = append(w.found, w.Now())
	}
}

func (w *town) Emit(env.Event) {}

// settle makes the named one a neighbor.
func (w *town) settle(name string) idspace.ID { return w.settleAs(name, wire.Use_USE_SOLE) }

func (w *town) settleAs(name string, use wire.Use) idspace.ID {
	id := w.ID(name)
	w.monitor.OnProbe(w, &env.Probe{Peer: id, Use: use})
	w.answer()
	w.monitor.OnUse(w, &env.Use{Peer: id, Use: use})
	return id
}

func (w *town) settleMany(n int) (ids []idspace.ID) {
	for i := range n {
		ids = append(ids, w.settle(string(rune('A'+i/26))+string(rune('a'+i%26))))
	}
	return ids
}

func (w *town) answer() {
	acks := w.acks
	w.acks = nil
	for _, a := range acks {
		w.monitor.OnTraffic(w, a.to)
		w.monitor.OnBeaconAck(w, a.to, &wire.BeaconAck{Seq: a.seq})
	}
}

// step is how long an answer takes.
const step = 20 * time.Millisecond

func (w *town) pass(d time.Duration) {
	for ; d > 0; d -= step {
		w.Advance(step, func(k env.TimerKey) { w.monitor.OnTimer(w, k) })
		w.answer()
	}
	w.Drain()
}

// per second is how many beacons there were in the last d.
func (w *town) perSecond(d time.Duration) float64 {
	n := 0
	for _, at := range w.beacons {
		if w.Now().Sub(at) < d {
			n++
		}
	}
	return float64(n) / d.Seconds()
}

// MSPastry §4.1: "each node self-tunes its probing period".
func TestACalmNodeBecomesQuiet(t *testing.T) {
	w := newTown()
	w.settleMany(100)
	w.pass(10 * time.Second)
	if fast := w.perSecond(8 * time.Second); fast < 8 {
		t.Errorf("a node that has just come sends %.1f beacons a second to 100 neighbors", fast)
	}
	w.pass(3 * time.Minute)
	if slow := w.perSecond(time.Minute); slow > 2.2 || slow < 1 {
		t.Errorf("in a calm overlay it sends %.1f, want 100 a minute", slow)
	}
	if w.period != time.Minute {
		t.Errorf("its period is %v", w.period)
	}
}

// TestBackupsAreLookedAfterHalfAsOften: they are needed only when somebody else has died.
func TestBackupsAreLookedAfterHalfAsOften(t *testing.T) {
	count := func(use wire.Use) float64 {
		w := newTown()
		for i := range 100 {
			w.settleAs(string(rune('A'+i/26))+string(rune('a'+i%26)), use)
		}
		w.pass(3 * time.Minute)
		return w.perSecond(2 * time.Minute)
	}
	if sole, spare := count(wire.Use_USE_SOLE), count(wire.Use_USE_SPARE); spare > 0.65*sole || spare < 0.3*sole {
		t.Errorf("%.2f beacons a second to backups, %.2f to others", spare, sole)
	}
}

// churn has one of the neighbors die every so often, and another come.
func (w *town) churn(ids []idspace.ID, every, d time.Duration) {
	for i := 0; d > 0; d -= every {
		at := int(w.Rand().Int64N(int64(len(ids))))
		for w.dead[ids[at]] {
			at = (at + 1) % len(ids)
		}
		w.dead[ids[at]] = true
		ids[at] = w.settle(w.Now().String())
		w.pass(every)
		i++
	}
}

func TestThePeriodFollowsTheFailureRate(t *testing.T) {
	w := newTown()
	ids := w.settleMany(100)
	w.pass(3 * time.Minute)

	// One in 120 s of each: T = 2·0.1/(1/120 s) = 24 s. That is what churn with 84-s sessions is.
	w.churn(ids, 1200*time.Millisecond, 2*time.Minute)
	if w.period < 5*time.Second || w.period > 36*time.Second {
		t.Errorf("at one failure in 1.2 s among 100 the period is %v, want some 24 s or less", w.period)
	}
	late := 0
	for id := range w.dead {
		if w.links.Linked(id) {
			late++
		}
	}
	if late > 20 {
		t.Errorf("%d of 100 neighbors are dead unnoticed, want some 10", late)
	}
	w.pass(2 * time.Minute)
	if w.period != time.Minute {
		t.Errorf("when calm has come back the period is %v", w.period)
	}
}

// A fifth of the neighbors dies at once. Beacons that were put off for a minute are pulled
// in as soon as the first few are found, but not all at once.
func TestAMassKillIsNoticedWithoutABurst(t *testing.T) {
	w := newTown()
	ids := w.settleMany(100)
	w.pass(3 * time.Minute)
	for _, id := range ids[:30] {
		w.dead[id] = true
	}
	at, before := w.Now(), len(w.beacons)
	w.pass(time.Minute)
	if n := len(w.found); n != 30 {
		t.Fatalf("%d of 30 were found dead within a minute", n)
	}
	if half := w.found[15].Sub(at); half > 25*time.Second {
		t.Errorf("half of them were found after %v", half)
	}
	for i := before; i+100 < len(w.beacons); i++ {
		if span := w.beacons[i+100].Sub(w.beacons[i]); span < 2*time.Second {
			t.Fatalf("100 beacons within %v", span)
		}
	}
}

func TestALinkWithoutASampleIsMeasured(t *testing.T) {
	w := newTown()
	id := w.ID("amy")
	w.monitor.OnBeacon(w, id, &wire.Beacon{Seq: 1, Use: wire.Use_USE_LEAF, LifeS: 60})
	w.monitor.OnUse(w, &env.Use{Peer: id, Use: wire.Use_USE_LEAF})
	for range 10 {
		w.pass(time.Second)
		w.monitor.OnTraffic(w, id)
	}
	if _, measured := w.links.RTT(id); !measured {
		t.Error("traffic kept the round trip from being measured")
	}
}
