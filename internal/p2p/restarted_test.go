package p2p_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// A connection that answers stays open, whatever a record says: others use it too.
func TestAConnectionThatAnswersIsNotClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, s := sites(t, 2, p2p.Config{Generation: 1})
		a, b := s[0], s[1]
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
		time.Sleep(time.Second)
		before := a.host.Network().ConnsToPeer(b.host.ID())
		introduce(a, start(t, net.Again(1), p2p.Config{Generation: 2}))
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(2)) })
		time.Sleep(5 * time.Second)
		if after := a.host.Network().ConnsToPeer(b.host.ID()); len(before) != 1 || len(after) != 1 || before[0] != after[0] {
			t.Errorf("connections before %v, after %v", before, after)
		}
		if n := len(b.got(wire.KindBeacon)); n != 2 {
			t.Errorf("%d beacons of 2 have come", n)
		}
	})
}

// A connection to where a node was is closed, and what waited goes where it is.
func TestWhoWasStartedAgainElsewhereIsDialedThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, s := sites(t, 2, p2p.Config{Generation: 1})
		a, b := s[0], s[1]
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
		time.Sleep(time.Second)
		net.Crash(1)
		again := start(t, net.Again(1), p2p.Config{Generation: 2})
		introduce(a, again)
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(2)) })
		time.Sleep(2 * time.Second)
		if again.seen() == 0 {
			t.Error("the beacon has not come")
		}
		if n := count(a.double, func(u *env.Unreachable) bool { return true }); n > 0 {
			t.Errorf("%d times told that it cannot be reached", n)
		}
	})
}

// A knock that this node itself cuts short, or that its host has no stream for, closes nothing.
func TestAConnectionThatCouldNotBeAskedIsNotClosed(t *testing.T) {
	for name, hinder := range map[string]func(a *site, streams *streamLimit){
		"the node is closed":      func(a *site, _ *streamLimit) { go a.Close() },
		"the host has no streams": func(_ *site, streams *streamLimit) { streams.none.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
				streams := &streamLimit{ResourceManager: &network.NullResourceManager{}}
				a, b := start(t, net.Host(libp2p.ResourceManager(streams)), p2p.Config{Generation: 1}), start(t, net.Host(), p2p.Config{Generation: 1})
				introduce(a, b)
				a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
				time.Sleep(time.Second)
				net.Crash(1)
				introduce(a, start(t, net.Again(1), p2p.Config{Generation: 2}))
				before := a.host.Network().ConnsToPeer(b.host.ID())
				a.Act(func(w env.World) {
					w.SendDial(b.ID(), beacon(2))
					hinder(a, streams)
				})
				time.Sleep(2 * time.Second)
				if after := a.host.Network().ConnsToPeer(b.host.ID()); len(before) != 1 || len(after) != 1 || before[0] != after[0] {
					t.Errorf("connections before %v, after %v", before, after)
				}
			})
		})
	}
}

// streamLimit is a host's that may have no more streams.
type streamLimit struct {
	network.ResourceManager
	none atomic.Bool
}

func (l *streamLimit) OpenStream(p peer.ID, dir network.Direction) (network.StreamManagementScope, error) {
	if l.none.Load() {
		return nil, network.ErrResourceLimitExceeded
	}
	return l.ResourceManager.OpenStream(p, dir)
}

// What is sent to a node that has been started again, and has said hello from where it is now, goes there,
// not by the link to where it was.
func TestWhoHasComeBackIsAnsweredWhereItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, s := sites(t, 2, p2p.Config{Generation: 1})
		a, b := s[0], s[1]
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(1)) })
		time.Sleep(time.Second)
		net.Crash(1)
		again := start(t, net.Again(1), p2p.Config{Generation: 2})
		again.Learn(a.Record())
		again.Act(func(w env.World) { w.SendDial(a.ID(), beacon(2)) })
		time.Sleep(time.Second)
		a.Act(func(w env.World) { w.Send(b.ID(), beacon(3)) })
		time.Sleep(time.Second)
		if n := len(again.got(wire.KindBeacon)); n != 1 {
			t.Errorf("%d beacons of 1 have come", n)
		}
	})
}

// A node that was started again has lost the records that it had said it has.
func TestANewLifeIsToldTheRecordThatTheFormerOneHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, s := sites(t, 2, p2p.Config{Generation: 1})
		a, b := s[0], s[1]
		record, err := a.Record().Node()
		if err != nil {
			t.Fatal(err)
		}
		b.knows(a.ID(), record.Stamp())
		b.Act(func(w env.World) { w.SendDial(a.ID(), beacon(1)) })
		time.Sleep(time.Second)
		net.Crash(1)
		again := start(t, net.Again(1), p2p.Config{Generation: 2})
		a.Learn(again.Record())
		a.Act(func(w env.World) { w.SendDial(b.ID(), beacon(2)) })
		time.Sleep(2 * time.Second)
		if n, faults := len(again.got(wire.KindBeacon)), again.Status().Faults; n != 1 || len(faults) > 0 {
			t.Errorf("%d beacons of 1 have come, faults %v", n, faults)
		}
	})
}
