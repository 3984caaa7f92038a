package node_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// TestAnyNumberMayJoinAtOnce has many nodes join within one moment by way of the only member:
// while they do, what it has published is found by all who have become members, and soon
// all have. More than one slot has only joining nodes in it, who let each other's requests
// pass; 120 are more than a surrogate inserts at once.
func TestAnyNumberMayJoinAtOnce(t *testing.T) {
	for _, c := range []struct {
		size int
		seed uint64
	}{{59, 36}, {59, 39}, {120, 35}} {
		n := newNet(t, c.seed)
		n.overlay(1)
		for i := range 20 {
			n.hosts[0].publish(guid(i))
		}
		began := n.now
		joins := n.joinAtOnce(c.size)
		for left := c.size; left > 0 && n.now.Sub(began) < 20*time.Second; left = n.stillJoining(joins) {
			n.run(250 * time.Millisecond)
		}
		if took := n.now.Sub(began); took > 10*time.Second {
			t.Errorf("%d nodes, seed %d: %d have not joined after %v", c.size, c.seed, n.stillJoining(joins), took)
		}
		if wrong, _ := n.wrongRoots(200); wrong > 0 {
			t.Errorf("%d nodes, seed %d: %d of 200 walks end at a wrong root", c.size, c.seed, wrong)
		}
	}
}

// joinAtOnce has so many nodes begin to join by way of the first.
func (n *net) joinAtOnce(size int) (joins []*joinUnderWay) {
	for range size {
		h := n.add()
		call := env.Call(h.rng.Uint64())
		h.node.Local(h, &env.JoinRequest{Call: call, Seeds: []idspace.ID{n.hosts[0].id}})
		joins = append(joins, &joinUnderWay{h, call})
	}
	return joins
}

// stillJoining counts those who are no members yet. Those who are look for what the first node
// has published, and must find it.
func (n *net) stillJoining(joins []*joinUnderWay) (left int) {
	n.t.Helper()
	var members []*host
	for _, j := range joins {
		switch o := j.host.outcomes[j.call]; {
		case o == nil:
			left++
		case o.Status != env.OK:
			n.t.Errorf("join of %s: %v %s", j.host.id.Short(), o.Status, o.Error)
		default:
			members = append(members, j.host)
		}
	}
	for range min(2, len(members)) {
		g := n.rng.IntN(20)
		if o := members[n.rng.IntN(len(members))].locate(guid(g)); o.Status != env.OK {
			n.t.Errorf("with %d nodes joining, object %d: %v", left, g, o.Status)
		}
	}
	return left
}
