package node_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// TestMulticastReachesEverybodyOnce counts, for prefixes of no, one and two digits, who got
// the message and how often (JSAC §III-C, acknowledged multicast).
func TestMulticastReachesEverybodyOnce(t *testing.T) {
	n := newNet(t, 21)
	n.overlay(60)
	n.run(10 * time.Second)
	for digits := range 3 {
		from, prefix := n.hosts[7], n.hosts[31].id
		want := 0
		for _, h := range n.hosts {
			h.upcalls = nil
			if idspace.Hex.CommonPrefix(h.id, prefix) >= digits {
				want++
			}
		}
		o := from.do(15*time.Second, func(c env.Call) env.Local {
			return &env.MulticastRequest{Call: c, Prefix: prefix, Digits: digits, App: "test", Payload: []byte("m")}
		})
		if o.Status != env.OK || o.Spread != (env.Spread{Reached: want, Handled: want}) {
			t.Errorf("%d digits: %v %+v, want %d reached and handled", digits, o.Status, o.Spread, want)
		}
		for _, h := range n.hosts {
			if under := idspace.Hex.CommonPrefix(h.id, prefix) >= digits; under != (len(h.upcalls) == 1) {
				t.Errorf("%d digits: %s got it %d times", digits, h.id.Short(), len(h.upcalls))
			}
		}
	}
}

// TestMulticastGoesAroundTheDead crashes a tenth of the nodes a moment before.
func TestMulticastGoesAroundTheDead(t *testing.T) {
	n := newNet(t, 22)
	n.overlay(60)
	n.run(10 * time.Second)
	for i := range 6 {
		n.hosts[10*i+3].crash()
	}
	o := n.hosts[0].do(15*time.Second, func(c env.Call) env.Local {
		return &env.MulticastRequest{Call: c, App: "test", Payload: []byte("m")}
	})
	got := 0
	for _, h := range n.hosts {
		if !h.down && len(h.upcalls) == 1 {
			got++
		}
	}
	if o.Status != env.OK || got != 54 || o.Spread.Reached != 54 || o.Spread.Failed != 0 {
		t.Errorf("%v %+v, %d have it once; want the 54 that live", o.Status, o.Spread, got)
	}
}

// TestNothingIsMissedWhileNodesJoin looks objects up all the time while nodes join, many at
// once: no answer is wrong (design §6, activation at the joiner).
func TestNothingIsMissedWhileNodesJoin(t *testing.T) {
	n := newNet(t, 23)
	n.overlay(30)
	n.run(10 * time.Second)
	for i := range 60 {
		n.hosts[i%30].publish(guid(i))
	}
	var joins []*joinUnderWay
	for range 15 {
		h := n.add()
		call := env.Call(h.rng.Uint64())
		h.node.Local(h, &env.JoinRequest{Call: call, Seeds: []idspace.ID{n.hosts[n.rng.IntN(30)].id}})
		joins = append(joins, &joinUnderWay{h, call})
	}
	for range 60 {
		for i := range 6 {
			if o := n.hosts[n.rng.IntN(30)].locate(guid(n.rng.IntN(60))); o.Status != env.OK {
				t.Errorf("lookup %d: %v", i, o.Status)
			}
		}
	}
	for _, j := range joins {
		if o := j.host.outcomes[j.call]; o == nil || o.Status != env.OK {
			t.Errorf("join of %s: %+v", j.host.id.Short(), o)
		}
	}
	if wrong, _ := n.wrongRoots(500); wrong > 0 {
		t.Errorf("%d of 500 walks end at a wrong root", wrong)
	}
}

type joinUnderWay struct {
	host *host
	call env.Call
}

// TestAJoinSurvivesTheDeathOfItsSurrogate crashes whoever inserts the node half-way.
func TestAJoinSurvivesTheDeathOfItsSurrogate(t *testing.T) {
	for _, after := range []time.Duration{60, 120, 180, 240, 300, 400} {
		n := newNet(t, 24)
		n.overlay(20)
		n.run(10 * time.Second)
		h := n.add()
		call := env.Call(h.rng.Uint64())
		root, _ := n.walk(n.hosts[3], h.id)
		seed := n.hosts[3].id
		if seed == root {
			seed = n.hosts[4].id
		}
		h.node.Local(h, &env.JoinRequest{Call: call, Seeds: []idspace.ID{seed}})
		n.run(after * time.Millisecond)
		n.byID[root].crash()
		n.until(30*time.Second, "join", func() bool { return h.outcomes[call] != nil })
		if o := h.outcomes[call]; o.Status != env.OK {
			t.Errorf("after %d ms: %v %s", after, o.Status, o.Error)
		}
		n.run(10 * time.Second)
		if wrong, _ := n.wrongRoots(200); wrong > 0 {
			t.Errorf("after %d ms: %d of 200 walks end at a wrong root", after, wrong)
		}
	}
}

// TestAJoinThatIsGivenUpLeavesNobodyBehind cancels a join half-way: soon nobody routes to a
// node that cannot answer, and it can join after all.
func TestAJoinThatIsGivenUpLeavesNobodyBehind(t *testing.T) {
	for _, after := range []time.Duration{30, 60, 90, 120, 140} {
		n := newNet(t, 26)
		n.overlay(20)
		n.run(10 * time.Second)
		h := n.add()
		call := env.Call(h.rng.Uint64())
		h.node.Local(h, &env.JoinRequest{Call: call, Seeds: []idspace.ID{n.hosts[3].id}})
		n.run(after * time.Millisecond)
		if h.outcomes[call] != nil {
			t.Fatalf("after %d ms it is a member already", after)
		}
		h.node.Local(h, &env.Cancel{Call: call})
		n.run(5 * time.Second)
		for _, o := range n.hosts {
			if s := o.node.Tables(); s.Map.Has(h.id) || s.Leaves.Has(h.id) || o == h && s.Leaves.Len() > 0 {
				t.Errorf("after %d ms: %s still holds it, or it the others", after, o.id.Short())
			}
		}
		n.join(h)
		n.run(30 * time.Second)
		if wrong, _ := n.wrongRoots(200); wrong > 0 {
			t.Errorf("after %d ms: %d of 200 walks end at a wrong root", after, wrong)
		}
	}
}

// TestNothingIsLostWhileNodesLeave lets one node after the other take its leave until one
// is left, with lookups in between: none fails.
func TestNothingIsLostWhileNodesLeave(t *testing.T) {
	n := newNet(t, 25)
	n.overlay(40)
	n.run(10 * time.Second)
	for i := range 20 {
		n.hosts[0].publish(guid(i)) // it stays
	}
	for i := 39; i > 0; i-- {
		h := n.hosts[i]
		h.do(10*time.Second, func(c env.Call) env.Local { return &env.LeaveRequest{Call: c} })
		h.crash()
		for range 3 {
			if o := n.hosts[n.rng.IntN(i)].locate(guid(n.rng.IntN(20))); o.Status != env.OK {
				t.Errorf("with %d nodes left: %v", i, o.Status)
			}
		}
	}
}
