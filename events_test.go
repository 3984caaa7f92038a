package tapestry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

// every kind of event of a node.
var every = []any{
	new(tapestry.EvtReady), new(tapestry.EvtNeighborJoined), new(tapestry.EvtNeighborSuspected),
	new(tapestry.EvtNeighborAlive), new(tapestry.EvtNeighborDead), new(tapestry.EvtNeighborLeft),
	new(tapestry.EvtNeighborUnlinked), new(tapestry.EvtNeighborChanged),
}

func subscribe(t *testing.T, h host.Host, buffer int) event.Subscription {
	t.Helper()
	sub, err := h.EventBus().Subscribe(every, eventbus.BufSize(buffer))
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// told is what has come by now: kinds of events, and whom they are about.
func told(sub event.Subscription, names map[tapestry.ID]string) (all []string) {
	for {
		synctest.Wait()
		select {
		case ev := <-sub.Out():
			all = append(all, describe(ev, names))
		default:
			return all
		}
	}
}

func describe(ev any, names map[tapestry.ID]string) string {
	kind := strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", ev), "tapestry.Evt"), "Neighbor"))
	about := func(e tapestry.NeighborEvent) string {
		if e.Network != tapestry.DefaultNetwork || tapestry.NodeIDFromPeer(e.Peer) != e.ID {
			return fmt.Sprintf("%s of a stranger: %+v", kind, e)
		}
		return kind + " " + names[e.ID]
	}
	switch ev := ev.(type) {
	case tapestry.EvtReady:
		return kind + " " + names[ev.ID]
	case tapestry.EvtNeighborJoined:
		return about(ev.NeighborEvent)
	case tapestry.EvtNeighborSuspected:
		return about(ev.NeighborEvent)
	case tapestry.EvtNeighborAlive:
		return about(ev.NeighborEvent)
	case tapestry.EvtNeighborDead:
		return about(ev.NeighborEvent)
	case tapestry.EvtNeighborLeft:
		return about(ev.NeighborEvent)
	case tapestry.EvtNeighborUnlinked:
		return about(ev.NeighborEvent)
	case tapestry.EvtNeighborChanged:
		return fmt.Sprintf("%s zone=%s addrs=%d", about(ev.NeighborEvent), ev.Zone, len(ev.Addrs))
	}
	return fmt.Sprintf("%T", ev)
}

func TestEventsTellWhatBecomesOfNeighbors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		hosts := sim.Hosts(3)
		names := map[tapestry.ID]string{}
		for i, h := range hosts {
			names[tapestry.NodeIDFromPeer(h.ID())] = string(rune('a' + i))
		}
		sub := subscribe(t, hosts[0], 64)
		defer sub.Close()
		expect := func(when string, want ...string) {
			t.Helper()
			got := told(sub, names)
			for _, w := range want {
				if !slices.Contains(got, w) {
					t.Errorf("%s: %q is not among %q", when, w, got)
				}
			}
		}
		seeds := tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(hosts[0])})
		founder(t, hosts[0])
		expect("founded", "ready a")
		b, c := founder(t, hosts[1], seeds), founder(t, hosts[2], seeds)
		time.Sleep(settle)
		expect("joined", "joined b", "joined c")

		sim.Cut(1, 0)
		sim.Cut(0, 1)
		suspected := false
		for cut := time.Now(); !suspected && time.Since(cut) < 2*time.Minute; {
			time.Sleep(100 * time.Millisecond)
			suspected = slices.Contains(told(sub, names), "suspected b")
		}
		if !suspected {
			t.Error("cut off: nobody suspected b")
		}
		sim.Heal(1, 0)
		sim.Heal(0, 1)
		time.Sleep(settle)
		if got := told(sub, names); !slices.Contains(got, "alive b") && !slices.Contains(got, "joined b") {
			t.Errorf("healed: %q: neither alive again nor found again", got)
		}

		b.Close()
		founder(t, hosts[1], seeds, tapestry.WithZone("new"))
		time.Sleep(settle)
		expect("started again", "changed b zone=new addrs=1")
		if err := c.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(settle)
		expect("left", "left c")
		sim.Crash(1)
		time.Sleep(2 * time.Minute)
		expect("crashed", "suspected b", "dead b")
	})
}

func TestWhoSubscribesLateHearsThatTheNodeIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := p2ptest.NewNet(t, p2ptest.Config{Seed: 1}).Host()
		n := founder(t, h)
		time.Sleep(time.Second)
		sub := subscribe(t, h, 8)
		defer sub.Close()
		if got := told(sub, map[tapestry.ID]string{n.ID(): "me"}); !slices.Equal(got, []string{"ready me"}) {
			t.Errorf("%q", got)
		}
	})
}

// A subscriber that never reads neither stops the node nor keeps it from closing; its
// events are counted as lost.
func TestASubscriberThatDoesNotReadHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		hosts := sim.Hosts(2)
		sub := subscribe(t, hosts[0], 1)
		n := founder(t, hosts[0])
		seeds := tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(hosts[0])})
		for range 150 { // each joins and leaves, not so fast that its link has to back off
			other := founder(t, hosts[1], seeds)
			time.Sleep(12 * time.Second)
			if err := other.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			other.Close()
		}
		if s := n.Status(); s.EventsLost == 0 || !s.Ready {
			t.Errorf("%d events lost: want some", s.EventsLost)
		}
		begin := time.Now()
		if err := n.Close(); err != nil || time.Since(begin) > time.Second {
			t.Errorf("closed after %v: %v", time.Since(begin), err)
		}
		sub.Close()
	})
}
