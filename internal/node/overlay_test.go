package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/node"
)

// check demands that the tables of every living node hold and that every walk of 500
// random keys ends at the brute-force root, within most hops.
func (n *net) check(most int) {
	n.t.Helper()
	if wrong, hops := n.wrongRoots(500); wrong > 0 || hops > most {
		n.t.Errorf("%d nodes: %d of 500 walks miss the root, longest %d hops, want 0 and at most %d", len(n.alive()), wrong, hops, most)
	}
	for _, h := range n.hosts {
		if h.down {
			continue
		}
		if err := h.node.Check(); err != nil {
			n.t.Errorf("%s: %v", h.id.Short(), err)
		}
	}
}

// checkHoles demands that nobody has a hole that a living node would fill.
func (n *net) checkHoles() {
	n.t.Helper()
	for _, h := range n.hosts {
		for _, id := range n.alive() {
			if !h.down && h.node.Tables().Map.FillsHole(id) {
				n.t.Errorf("%s has a hole that %s fills", h.id.Short(), id.Short())
			}
		}
	}
}

func TestOverlaysOfEverySizeAgreeOnRoots(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 10, 17, 40, 100} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			n := newNet(t, uint64(size))
			n.overlay(size)
			n.run(20 * time.Second)
			n.check(5)
			n.checkHoles()
		})
	}
}

// With 100 nodes and a cap of 40 some digit has two or three nodes, which have not
// enough links for the 97 others: holes that only cost a hop remain, those that would
// make a wrong root must not.
func TestCapOfLinksHoldsAndEveryKeyHasOneRoot(t *testing.T) {
	for _, seed := range []uint64{2, 5, 18} {
		n := newNet(t, seed)
		n.config = func(c *node.Config) { c.Links.Cap = 40 }
		n.overlay(100)
		n.run(90 * time.Second)
		for range 3 {
			n.run(30 * time.Second)
			n.check(5)
		}
		for _, h := range n.hosts {
			if s := h.node.Status(h.Now()); s.LinksMost > 40 {
				t.Errorf("%s had %d links at once", h.id.Short(), s.LinksMost)
			}
		}
	}
}

func TestLossDoesNotKillTheLiving(t *testing.T) {
	n := newNet(t, 3)
	n.loss = 0.02
	n.overlay(50)
	n.run(2 * time.Minute)
	n.check(5)
	for _, h := range n.hosts {
		for _, nb := range h.node.Status(h.Now()).LeafSet {
			if n.byID[nb].down {
				t.Errorf("%s keeps a dead leaf", h.id.Short())
			}
		}
	}
}

func TestManyJoinAtOnceThenManyDie(t *testing.T) {
	n := newNet(t, 7)
	n.overlay(60)
	for i := range 20 {
		h := n.add()
		h.node.Local(h, &env.JoinRequest{Call: env.Call(i + 1), Seeds: []idspace.ID{n.hosts[n.rng.IntN(60)].id}})
	}
	n.run(20 * time.Second)
	for _, h := range n.hosts {
		if s := h.node.Status(h.Now()); !s.Ready {
			t.Fatalf("%s is %s 20 s after its join", h.id.Short(), s.Phase)
		}
	}
	n.check(5)
	for range 16 {
		n.hosts[n.rng.IntN(len(n.hosts))].crash()
	}
	n.run(30 * time.Second)
	n.check(5)
}

func TestJoinWithoutALivingSeedEndsInAnError(t *testing.T) {
	n := newNet(t, 4)
	h := n.add()
	o := h.do(2*time.Minute, func(c env.Call) env.Local {
		return &env.JoinRequest{Call: c, Seeds: []idspace.ID{idspace.Hash([]byte("nobody"))}}
	})
	if o.Status != env.NoRoute || o.Error == "" {
		t.Errorf("outcome %v %q", o.Status, o.Error)
	}
	n.overlay(1)
	n.join(h) // and it can be tried again
	n.check(1)
}

func TestLeavingIsSeenAtOnce(t *testing.T) {
	n := newNet(t, 5)
	n.overlay(30)
	n.run(10 * time.Second)
	for i := range 10 {
		h := n.hosts[3*i]
		o := h.do(10*time.Second, func(c env.Call) env.Local { return &env.LeaveRequest{Call: c} })
		if o.Status != env.OK {
			t.Fatalf("leave: %v %s", o.Status, o.Error)
		}
		h.crash()
		n.run(time.Second)
		n.check(5)
	}
}
