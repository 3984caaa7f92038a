package p2p_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// double is a machine that notes what the world brings it.
type double struct {
	mu     sync.Mutex
	steps  []step
	locals []env.Local
	rings  []env.TimerKey
	known  map[idspace.ID]wire.Stamp

	quiet   atomic.Bool // note no steps
	onStep  hook[func(w env.World, from idspace.ID, m wire.Message)]
	onLocal hook[func(w env.World, l env.Local)]
	onTimer hook[func(w env.World, k env.TimerKey)]
}

// hook is a function that a test may set while the loop runs.
type hook[F any] struct{ f atomic.Pointer[F] }

func (h *hook[F]) set(f F) { h.f.Store(&f) }

type step struct {
	from idspace.ID
	m    wire.Message
}

func (d *double) Start(env.World) {}

// Known is what knows has set.
func (d *double) Known(id idspace.ID) wire.Stamp {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[id]
}

func (d *double) knows(id idspace.ID, record wire.Stamp) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known = map[idspace.ID]wire.Stamp{id: record}
}

func (d *double) Step(w env.World, from idspace.ID, m wire.Message) {
	if !d.quiet.Load() {
		d.mu.Lock()
		d.steps = append(d.steps, step{from, m})
		d.mu.Unlock()
	}
	if f := d.onStep.f.Load(); f != nil && *f != nil {
		(*f)(w, from, m)
	}
}

func (d *double) Local(w env.World, l env.Local) {
	d.mu.Lock()
	d.locals = append(d.locals, l)
	d.mu.Unlock()
	if f := d.onLocal.f.Load(); f != nil && *f != nil {
		(*f)(w, l)
	}
}

func (d *double) OnTimer(w env.World, k env.TimerKey) {
	d.mu.Lock()
	d.rings = append(d.rings, k)
	d.mu.Unlock()
	if f := d.onTimer.f.Load(); f != nil && *f != nil {
		(*f)(w, k)
	}
}

// got returns the messages of a kind that came so far.
func (d *double) got(kind wire.Kind) (all []step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.steps {
		if s.m.Kind() == kind {
			all = append(all, s)
		}
	}
	return all
}

// seen returns how many messages came so far.
func (d *double) seen() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.steps)
}

// count returns how many local messages came so far that match.
func count[L env.Local](d *double, match func(L) bool) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.locals {
		if l, ok := l.(L); ok && match(l) {
			n++
		}
	}
	return n
}

// site is a node with a double, on a host.
type site struct {
	*p2p.Node
	*double
	host host.Host
	net  *p2ptest.Net // nil on loopback
}

func start(t testing.TB, h host.Host, cfg p2p.Config) *site {
	t.Helper()
	if cfg.Network == "" {
		cfg.Network = overlay
	}
	d := new(double)
	n, err := p2p.NewWith(h, cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return &site{Node: n, double: d, host: h}
}

// sites starts nodes on hosts of a simulated network, that know each other's records.
func sites(t testing.TB, count int, cfg p2p.Config) (*p2ptest.Net, []*site) {
	t.Helper()
	net := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
	all := make([]*site, count)
	for i := range all {
		all[i] = start(t, net.Host(), cfg)
		all[i].net = net
	}
	introduce(all...)
	return net, all
}

func introduce(all ...*site) {
	for _, a := range all {
		for _, b := range all {
			a.Learn(b.Record())
		}
	}
}

func beacon(seq int) wire.Message { return &wire.Beacon{Seq: uint64(seq)} }

// A node that dials has the other's record: the answer does not bring it again. When the
// other's record has changed meanwhile, it does.
func TestHelloLeavesOutARecordThatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 3, p2p.Config{})
		a, b, c := s[0], s[1], s[2]
		for _, x := range s {
			x.onStep.set(func(w env.World, from idspace.ID, m wire.Message) {
				if m, ok := m.(*wire.Beacon); ok {
					w.Send(from, &wire.BeaconAck{Seq: m.Seq})
				}
			})
		}
		record, err := b.Record().Node()
		if err != nil {
			t.Fatal(err)
		}
		a.knows(b.ID(), record.Stamp())
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
		c.knows(b.ID(), wire.Stamp{Generation: record.Generation, Version: record.Version - 1})
		c.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
		time.Sleep(time.Second)
		for _, x := range []struct {
			at   *site
			from *site
			has  bool
		}{{b, a, true}, {a, b, false}, {b, c, true}, {c, b, true}} {
			if acks := x.at.got(wire.KindBeaconAck); x.at != b && len(acks) != 1 {
				t.Errorf("%d acks", len(acks))
			}
			hellos := slices.DeleteFunc(x.at.got(wire.KindHello), func(s step) bool { return s.from != x.from.ID() })
			if len(hellos) != 1 || (hellos[0].m.(*wire.Hello).Record != nil) != x.has {
				t.Errorf("hellos %v, want one, with a record: %v", hellos, x.has)
			}
		}
	})
}

func TestFramesFlowBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 2, p2p.Config{})
		a, b := s[0], s[1]
		b.onStep.set(func(w env.World, from idspace.ID, m wire.Message) {
			if m, ok := m.(*wire.Beacon); ok {
				w.Send(from, &wire.BeaconAck{Seq: m.Seq})
			}
		})
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(7)) })
		time.Sleep(time.Second)
		acks := a.got(wire.KindBeaconAck)
		if len(acks) != 1 || acks[0].from != b.ID() || acks[0].m.(*wire.BeaconAck).Seq != 7 {
			t.Fatalf("acks: %v", acks)
		}
		for _, x := range s {
			if hellos := x.got(wire.KindHello); len(hellos) != 1 {
				t.Errorf("%d hellos, want one per stream", len(hellos))
			}
		}
		if st := a.Status(); st.Dials != 1 || len(st.Faults) != 0 || len(st.Dropped) != 0 {
			t.Errorf("status: %+v", st)
		}
		if st := b.Status(); st.Dials != 0 {
			t.Errorf("the answer was dialed: %+v", st)
		}
	})
}
