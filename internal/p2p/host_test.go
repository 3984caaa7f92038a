package p2p_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

func TestTheRecordFollowsTheHostsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{})
		extra := multiaddr.StringCast("/ip4/192.0.2.9/udp/9/quic-v1")
		var moved atomic.Bool
		h := net.Host(libp2p.AddrsFactory(func(own []multiaddr.Multiaddr) []multiaddr.Multiaddr {
			if moved.Load() {
				return append(own[:len(own):len(own)], extra)
			}
			return own
		}))
		n := start(t, h, p2p.Config{Zone: "eu/a"})
		first, err := n.Record().Node()
		if err != nil || len(first.Addrs) != 1 || first.Zone != "eu/a" || first.Network != overlay || first.ID() != n.ID() {
			t.Fatalf("%v, %v", first, err)
		}
		moved.Store(true)
		time.Sleep(time.Minute)
		second, err := n.Record().Node()
		if err != nil || len(second.Addrs) != 2 || !second.Newer(first) {
			t.Errorf("%v, %v", second, err)
		}
		if got := count(n.double, func(c *env.SelfChanged) bool { return c.Record == n.Record() }); got != 1 {
			t.Errorf("the machines were told %d times", got)
		}
	})
}

func TestAPeerThatReadsNothingFillsItsQueueAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 2, p2p.Config{QueueFrames: 100})
		n, good := s[0], s[1]
		r := newRaw(t, n)
		r.host.SetStreamHandler(p2p.Protocol(overlay), func(s network.Stream) {}) // neither reads nor ends
		n.Learn(r.record(overlay))
		stuck := p2p.IDOf(r.host)
		n.Act(func(w env.World) { w.SendDial(good.ID(), beacon(0)) })
		big := &wire.Routed{Key: stuck[:], Body: make([]byte, 60<<10)}
		for range 300 {
			n.Act(func(w env.World) {
				w.Send(stuck, big)
				w.Send(stuck, &wire.Row{})
				w.Send(good.ID(), beacon(1))
			})
			time.Sleep(10 * time.Millisecond)
		}
		st := n.Status()
		if st.Dropped["queue full"] == 0 || st.Dropped["queue half full"] == 0 {
			t.Errorf("dropped: %v", st.Dropped)
		}
		for _, l := range st.Links {
			if l.ID == stuck && (l.Frames > 100 || l.Bytes > 3<<20) {
				t.Errorf("%d frames, %d bytes wait for who reads nothing", l.Frames, l.Bytes)
			}
		}
		if got := len(good.got(wire.KindBeacon)); got != 301 {
			t.Errorf("%d frames of 301 reached the other peer", got)
		}
		time.Sleep(20 * time.Second)
		if count(n.double, func(c *env.LinkClosed) bool { return c.Peer == stuck }) != 1 {
			t.Error("a link on which nothing can be written was kept")
		}
	})
}

func TestDialsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{Dials: 1, DialTimeout: time.Second})
		n := s[0]
		var ids []idspace.ID
		for i := range 10 {
			r := someRecordAt(i, fmt.Sprintf("/ip4/1.0.9.%d/udp/8000/quic-v1", i+1))
			n.Learn(r)
			rec, _ := r.Node()
			ids = append(ids, rec.ID())
		}
		n.Act(func(w env.World) {
			for _, id := range ids {
				w.SendDial(id, beacon(1))
			}
		})
		unreachable := func() int { return count(n.double, func(*env.Unreachable) bool { return true }) }
		synctest.Wait()
		if unreachable() != 2 || n.Status().Dropped["too many dials"] != 2 {
			t.Errorf("%d refused at once, want 2 of 10", unreachable())
		}
		time.Sleep(1500 * time.Millisecond)
		if unreachable() != 3 || n.Status().Dials != 2 {
			t.Errorf("after one timeout %d unreachable, %d dials: want one at a time", unreachable(), n.Status().Dials)
		}
		time.Sleep(10 * time.Second)
		if unreachable() != 10 {
			t.Errorf("%d unreachable, want all", unreachable())
		}
	})
}

func TestAHostAtItsLimitSaysWhich(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{})
		full := start(t, net.Host(libp2p.ResourceManager(tinyLimits(t))), p2p.Config{})
		peers := []*site{start(t, net.Host(), p2p.Config{}), start(t, net.Host(), p2p.Config{}), start(t, net.Host(), p2p.Config{})}
		introduce(append(peers, full)...)
		full.Act(func(w env.World) {
			for _, p := range peers {
				w.SendDial(p.ID(), beacon(1))
			}
		})
		time.Sleep(10 * time.Second)
		if st := full.Status(); st.Limits["system: outbound connection"] == 0 {
			t.Errorf("limits: %v", st.Limits)
		}
		if count(full.double, func(*env.Unreachable) bool { return true }) != 1 {
			t.Error("one of three nodes is unreachable under a limit of two connections")
		}
	})
}
