package p2p_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
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
