package p2p_test

import (
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

func TestFramesOfOneStepAreOneWriteInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 2, p2p.Config{})
		a, b := s[0], s[1]
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(0)) })
		time.Sleep(time.Second)
		before := a.Status().Flushes
		a.Act(func(w env.World) {
			for i := 1; i <= 50; i++ {
				w.Send(b.ID(), beacon(i))
			}
		})
		time.Sleep(time.Second)
		if writes := a.Status().Flushes - before; writes != 1 {
			t.Errorf("%d writes, want 1", writes)
		}
		for i, got := range b.got(wire.KindBeacon) {
			if got.m.(*wire.Beacon).Seq != uint64(i) {
				t.Fatalf("frame %d is number %d", i, got.m.(*wire.Beacon).Seq)
			}
		}
		if n := len(b.got(wire.KindBeacon)); n != 51 {
			t.Errorf("%d frames arrived, want 51", n)
		}
	})
}

func TestFramesFlowOverTCP(t *testing.T) {
	arrived := make(chan uint64, 1)
	h := p2ptest.Loopback(t, 1, 2)
	a, b := start(t, h[0], p2p.Config{}), start(t, h[1], p2p.Config{})
	b.onStep.set(func(w env.World, from idspace.ID, m wire.Message) {
		if m, ok := m.(*wire.Beacon); ok {
			w.Send(from, &wire.BeaconAck{Seq: m.Seq})
		}
	})
	a.onStep.set(func(_ env.World, _ idspace.ID, m wire.Message) {
		if m, ok := m.(*wire.BeaconAck); ok {
			arrived <- m.Seq
		}
	})
	introduce(a, b)
	a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(9)) })
	if seq := <-arrived; seq != 9 {
		t.Errorf("answer to %d", seq)
	}
}

func TestTheStatusSaysWhatConnectionsWereOpenedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 3, p2p.Config{})
		a := s[0]
		a.Learn(s[1].Record())
		a.Learn(s[2].Record())
		key := a.ID()
		publish := &wire.Routed{Key: key[:], BodyKind: wire.BodyKind_BODY_PUBLISH}
		a.Act(func(w env.World) {
			w.SendDial(s[1].ID(), beacon(1))
			w.SendDial(s[1].ID(), publish) // by the same connection
			w.SendDial(s[2].ID(), publish)
		})
		time.Sleep(time.Second)
		want := map[string]uint64{"beacon": 1, "routed publish": 1}
		if got := a.Status(); got.Dials != 2 || !maps.Equal(got.DialsFor, want) {
			t.Errorf("%d dials for %v, want %v", got.Dials, got.DialsFor, want)
		}
	})
}

func TestSendNeverDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 2, p2p.Config{})
		a, b := s[0], s[1]
		a.Act(func(w env.World) { w.Send(b.ID(), beacon(1)) })
		time.Sleep(10 * time.Second)
		st := a.Status()
		if len(b.got(wire.KindBeacon)) != 0 || st.Dials != 0 || len(a.host.Network().Conns()) != 0 {
			t.Error("a message was sent to a node that was not connected")
		}
		if st.Dropped["no link"] != 1 {
			t.Errorf("dropped: %v", st.Dropped)
		}
		// Over a connection that somebody else opened it goes at once.
		connect(t, b.host, a.host)
		a.Act(func(w env.World) { w.Send(b.ID(), beacon(2)) })
		time.Sleep(time.Second)
		if len(b.got(wire.KindBeacon)) != 1 || a.Status().Dials != 0 {
			t.Error("a message was not sent over an open connection")
		}
	})
}

func TestWhoCannotBeDialedIsUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, s := sites(t, 3, p2p.Config{DialTimeout: 3 * time.Second})
		a, walled := s[0], s[1]
		net.Firewall(1)
		stranger := idspace.Hash([]byte("nobody"))
		a.Act(func(w env.World) {
			w.SendDial(walled.ID(), beacon(1))
			w.SendDial(stranger, beacon(1))
			w.SendDial(a.ID(), beacon(1))
		})
		synctest.Wait()
		if count(a.double, func(u *env.Unreachable) bool { return u.Peer == stranger || u.Peer == a.ID() }) != 2 {
			t.Error("without an address: not told at once")
		}
		time.Sleep(4 * time.Second)
		if count(a.double, func(u *env.Unreachable) bool { return u.Peer == walled.ID() }) != 1 {
			t.Error("behind a firewall: not told after the timeout")
		}
		if st := a.Status(); st.Dials != 1 || st.DialsFailed != 1 || st.Dropped["link lost"] != 1 {
			t.Errorf("status: %+v", st)
		}
	})
}

func TestACrashIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, s := sites(t, 2, p2p.Config{})
		a, b := s[0], s[1]
		use(a, b, wire.Use_USE_LEAF)
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
		time.Sleep(time.Second)
		net.Crash(1)
		time.Sleep(time.Minute)
		if count(a.double, func(c *env.LinkClosed) bool { return c.Peer == b.ID() }) == 0 {
			t.Error("a dead connection was not told of")
		}
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(2)) })
		time.Sleep(10 * time.Second)
		if count(a.double, func(u *env.Unreachable) bool { return u.Peer == b.ID() }) != 1 {
			t.Error("dialing the dead was not told of")
		}
	})
}

func TestANodeThatClosesIsNoticedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 2, p2p.Config{})
		a, b := s[0], s[1]
		use(a, b, wire.Use_USE_LEAF)
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
		time.Sleep(time.Second)
		b.Close() // its host stays, and so does the connection
		time.Sleep(100 * time.Millisecond)
		if count(a.double, func(c *env.LinkClosed) bool { return c.Peer == b.ID() }) != 1 {
			t.Error("not told")
		}
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(2)) })
		time.Sleep(100 * time.Millisecond)
		if count(a.double, func(u *env.Unreachable) bool { return u.Peer == b.ID() }) != 1 {
			t.Error("a host without the node was not found unreachable")
		}
	})
}

func TestALinkThatBreaksAgainAndAgainBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 2, p2p.Config{})
		a, b := s[0], s[1]
		var opened atomic.Int32
		b.Close()
		b.host.SetStreamHandler(p2p.Protocol(overlay), func(s network.Stream) {
			opened.Add(1)
			s.Reset()
		})
		for range 60 {
			a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
			time.Sleep(time.Second)
		}
		if n := opened.Load(); n < 3 || n > 10 {
			t.Errorf("%d streams in a minute to a peer that resets each", n)
		}
		if a.Status().Dropped["link is backing off"] == 0 {
			t.Error("back-off not counted")
		}
	})
}

// Links that broke with an earlier life of a peer do not keep anybody from the present one.
func TestAPeerThatWasStartedAgainIsLinkedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 2, p2p.Config{Generation: 1})
		a, b := s[0], s[1]
		b.Close()
		b.host.SetStreamHandler(p2p.Protocol(overlay), func(s network.Stream) { s.Reset() })
		for range 8 {
			a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
			time.Sleep(time.Second)
		}
		before := a.Status().Dropped["link is backing off"]
		b.host.RemoveStreamHandler(p2p.Protocol(overlay))
		b = start(t, b.host, p2p.Config{Generation: 2})
		introduce(a, b)
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(2)) })
		time.Sleep(time.Second)
		if n := len(b.got(wire.KindBeacon)); n != 1 || before == 0 {
			t.Errorf("%d beacons have come; before, %d were dropped by backing off", n, before)
		}
	})
}

func TestIdleLinksAndTheConnectionsOfProbesAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 3, p2p.Config{IdleGrace: 30 * time.Second})
		a, probed, neighbor := s[0], s[1], s[2]
		for _, x := range s[1:] {
			x.onStep.set(func(w env.World, from idspace.ID, m wire.Message) {
				if _, ok := m.(*wire.Beacon); ok {
					w.Send(from, &wire.BeaconAck{})
				}
			})
			a.Act(func(w env.World) { w.SendDial(x.ID(), beacon(1)) })
		}
		use(a, neighbor, wire.Use_USE_SPARE)
		use(neighbor, a, wire.Use_USE_SPARE)
		time.Sleep(20 * time.Second)
		if len(a.Status().Links) != 2 {
			t.Error("a link was closed within its grace")
		}
		time.Sleep(70 * time.Second)
		if c := a.host.Network().Connectedness(probed.host.ID()); c == network.Connected {
			t.Error("the connection of a probe was left open")
		}
		if c := a.host.Network().Connectedness(neighbor.host.ID()); c != network.Connected {
			t.Error("the connection of a neighbor was closed")
		}
		for _, x := range []*site{a, neighbor} {
			if l := x.Status().Links; len(l) != 1 || !l[0].Out || !l[0].In || !l[0].Used {
				t.Errorf("links: %+v", l)
			}
		}
		if l := probed.Status().Links; len(l) != 0 {
			t.Errorf("links of the probed: %+v", l)
		}
	})
}

func TestAConnectionThatOthersOpenedIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 2, p2p.Config{})
		a, b := s[0], s[1]
		connect(t, a.host, b.host)
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
		time.Sleep(2 * time.Minute)
		if len(a.Status().Links) != 0 {
			t.Error("an idle link was left open")
		}
		if a.host.Network().Connectedness(b.host.ID()) != network.Connected {
			t.Error("a connection was closed that the overlay had not opened")
		}
	})
}

func TestTheConnectionManagerKnowsWhatLinksAreWorth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opt, err := p2p.HostOptions(160)
		if err != nil {
			t.Fatal(err)
		}
		net := p2ptest.NewNet(t, p2ptest.Config{})
		a, b := start(t, net.Host(opt), p2p.Config{}), start(t, net.Host(), p2p.Config{})
		introduce(a, b)
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
		time.Sleep(time.Second)
		cm, p := a.host.ConnManager(), b.host.ID()
		tag := func() int {
			if info := cm.GetTagInfo(p); info != nil {
				return info.Tags["tapestry"]
			}
			return 0
		}
		a.Act(func(w env.World) {
			w.Emit(&env.LinkUsed{Peer: b.ID(), Mine: wire.Use_USE_SPARE, Theirs: wire.Use_USE_LEAF, Protect: true})
		})
		leaf := tag()
		if !cm.IsProtected(p, "tapestry") || leaf == 0 {
			t.Error("a leaf-set member is not protected")
		}
		use(a, b, wire.Use_USE_SPARE)
		if cm.IsProtected(p, "tapestry") || tag() == 0 || tag() >= leaf {
			t.Errorf("a spare link: tag %d, a leaf-set member's %d", tag(), leaf)
		}
		use(a, b, wire.Use_USE_NONE)
		if cm.IsProtected(p, "") || tag() != 0 {
			t.Error("what was let go is still marked")
		}
		if a.Status().HighWater != 0 {
			t.Error("our own options draw the warning")
		}
	})
}

func TestALowHighMarkIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{})
		n := start(t, net.Host(libp2p.ConnectionManager(smallConnMgr(t))), p2p.Config{})
		if n.Status().HighWater != 40 {
			t.Errorf("high mark told: %d, want 40", n.Status().HighWater)
		}
	})
}

func TestTwoNetworksOnTheSameHostsDoNotMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{})
		h := []host.Host{net.Host(), net.Host()}
		red, blue := start(t, h[0], p2p.Config{Network: "red"}), start(t, h[1], p2p.Config{Network: "blue"})
		both := start(t, h[1], p2p.Config{Network: "purple"})
		introduce(red, blue)
		red.Act(func(w env.World) { w.SendDial(blue.ID(), beacon(1)) })
		time.Sleep(time.Second)
		if count(red.double, func(u *env.Unreachable) bool { return u.Peer == blue.ID() }) != 1 {
			t.Error("a node of another network was not found unreachable")
		}
		for _, x := range []*site{red, blue, both} {
			if n := x.seen(); n != 0 {
				t.Errorf("%s heard %d messages", x.ID().Short(), n)
			}
		}
	})
}

func TestALinkIsReplacedByANewStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		r := newRaw(t, s[0])
		first, second := r.open(), r.open()
		r.write(first, r.hello())
		time.Sleep(100 * time.Millisecond)
		r.write(first, frame(beacon(1)))
		time.Sleep(100 * time.Millisecond)
		r.write(second, r.hello(), frame(beacon(2)))
		time.Sleep(100 * time.Millisecond)
		if code := resetCode(first); code != network.StreamSupplanted {
			t.Errorf("the old stream ended with %#x", code)
		}
		r.write(second, frame(beacon(3)))
		time.Sleep(100 * time.Millisecond)
		if n := len(s[0].got(wire.KindBeacon)); n != 3 {
			t.Errorf("%d frames, want 3", n)
		}
		if st := s[0].Status(); len(st.Faults) != 0 {
			t.Errorf("faults: %v", st.Faults)
		}
	})
}

func TestAStepSeesOneTimeAndTimersComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		n := s[0]
		key := func(i int) env.TimerKey { return env.TimerKey{Room: env.Routing, N: uint64(i)} }
		n.onTimer.set(func(w env.World, k env.TimerKey) {
			if k.N == 9 {
				w.SetTimer(k, 0) // again and again, and nobody else is kept waiting
			}
		})
		n.Act(func(w env.World) {
			before := w.Now()
			time.Sleep(time.Millisecond)
			if w.Now() != before {
				t.Error("time moved within a step")
			}
			w.SetTimer(key(3), 30*time.Millisecond)
			w.SetTimer(key(1), 10*time.Millisecond)
			w.SetTimer(key(2), 10*time.Millisecond)
			w.SetTimer(key(4), 10*time.Millisecond)
			w.SetTimer(key(1), 20*time.Millisecond) // instead of the first
			w.StopTimer(key(4))
		})
		time.Sleep(time.Second)
		var order []uint64
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, k := range n.rings {
			order = append(order, k.N)
		}
		if len(order) != 3 || order[0] != 2 || order[1] != 1 || order[2] != 3 {
			t.Errorf("timers came as %v, want 2 1 3", order)
		}
	})
}
