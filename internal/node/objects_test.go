package node_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

func (h *host) deadline(d time.Duration) (at monoTime) { return h.net.now.Add(d) }

func (h *host) publish(g idspace.ID) *env.Outcome {
	h.net.t.Helper()
	return h.do(15*time.Second, func(c env.Call) env.Local {
		return &env.PublishRequest{Call: c, GUID: g, App: "test", Deadline: h.deadline(10 * time.Second)}
	})
}

func (h *host) unpublish(g idspace.ID) *env.Outcome {
	h.net.t.Helper()
	return h.do(15*time.Second, func(c env.Call) env.Local {
		return &env.UnpublishRequest{Call: c, GUID: g, App: "test", Deadline: h.deadline(10 * time.Second)}
	})
}

func (h *host) locate(g idspace.ID) *env.Outcome {
	h.net.t.Helper()
	return h.do(15*time.Second, func(c env.Call) env.Local {
		return &env.LocateRequest{Call: c, GUID: g, App: "test", Limit: 4, Deadline: h.deadline(10 * time.Second)}
	})
}

func (h *host) locateFirst(g idspace.ID) *env.Outcome {
	h.net.t.Helper()
	return h.do(15*time.Second, func(c env.Call) env.Local {
		return &env.LocateRequest{Call: c, GUID: g, App: "test", First: true, Deadline: h.deadline(10 * time.Second)}
	})
}

func (h *host) send(g idspace.ID, payload string) *env.Outcome {
	h.net.t.Helper()
	return h.do(15*time.Second, func(c env.Call) env.Local {
		return &env.SendRequest{Call: c, Key: g, Object: true, App: "test", Payload: []byte(payload), Deadline: h.deadline(10 * time.Second)}
	})
}

func (h *host) race(g idspace.ID, payload string) *env.Outcome {
	h.net.t.Helper()
	return h.do(15*time.Second, func(c env.Call) env.Local {
		return &env.SendRequest{Call: c, Key: g, Object: true, Raced: true, App: "test", Payload: []byte(payload), Deadline: h.deadline(10 * time.Second)}
	})
}

func guid(i int) idspace.ID { return idspace.Hash(fmt.Appendf(nil, "object %d", i)) }

func TestObjectsAreFoundFromEverywhere(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5, 60} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			n := newNet(t, uint64(size))
			n.overlay(size)
			n.run(10 * time.Second)
			for i := range 20 {
				server := n.hosts[i%size]
				if o := server.publish(guid(i)); o.Status != env.OK || len(o.Placed) < 3 {
					t.Fatalf("publish: %v %s, placed %d", o.Status, o.Error, len(o.Placed))
				}
				client := n.hosts[n.rng.IntN(size)]
				o := client.locate(guid(i))
				if o.Status != env.OK || len(o.Replicas) != 1 || o.Replicas[0].Server != server.id {
					t.Fatalf("locate: %v %s %v", o.Status, o.Error, o.Replicas)
				}
				if o := client.send(guid(i), "hello"); o.Status != env.OK || string(o.Reply) != "hello" || o.Replica.Server != server.id {
					t.Fatalf("send: %v %s", o.Status, o.Error)
				} else if passedTwice(o.Path) {
					t.Errorf("send: by %v", o.Path)
				}
			}
			for i := range 20 {
				if o := n.hosts[n.rng.IntN(size)].race(guid(i), "hello"); o.Status != env.OK || string(o.Reply) != "hello" || o.Replica.Server != n.hosts[i%size].id {
					t.Fatalf("race: %v %s", o.Status, o.Error)
				}
			}
			if o := n.hosts[0].race(guid(1000), "hello"); o.Status != env.Absent {
				t.Errorf("race to nothing: %v %s", o.Status, o.Error)
			}
			if o := n.hosts[0].locate(guid(1000)); o.Status != env.Absent {
				t.Errorf("locate of nothing: %v %s", o.Status, o.Error)
			}
		})
	}
}

// passedTwice reports whether somebody is on a path twice.
func passedTwice(path []idspace.ID) bool {
	for i, id := range path {
		if slices.Contains(path[:i], id) {
			return true
		}
	}
	return false
}

// TestRacedMessagesReachEachServerOnce: several servers may get one, none gets it twice.
func TestRacedMessagesReachEachServerOnce(t *testing.T) {
	n := newNet(t, 18)
	n.overlay(60)
	n.run(10 * time.Second)
	for i := range 20 {
		for s := range 3 {
			n.hosts[(i+s*20)%60].publish(guid(i))
		}
	}
	several := 0
	for i := range 100 {
		payload := fmt.Sprint("message ", i)
		if o := n.hosts[n.rng.IntN(60)].race(guid(i%20), payload); o.Status != env.OK {
			t.Errorf("race: %v %s", o.Status, o.Error)
		}
		n.run(time.Second)
		servers := 0
		for _, h := range n.hosts {
			got := 0
			for _, u := range h.upcalls {
				if string(u.Payload) == payload {
					got++
				}
			}
			if got > 1 {
				t.Errorf("%q reached one server %d times", payload, got)
			}
			servers += got
		}
		if servers > 1 {
			several++
		}
	}
	if several == 0 {
		t.Error("no message was raced to more than one server: the test says nothing")
	}
}

// TestUnpublishedObjectsAreAbsentAtOnce to everybody, those included who have held copies, or have
// somebody on their way who has.
func TestUnpublishedObjectsAreAbsentAtOnce(t *testing.T) {
	n := newNet(t, 11)
	n.overlay(40)
	n.run(10 * time.Second)
	for i := range 20 {
		server := n.hosts[n.rng.IntN(40)]
		server.publish(guid(i))
		if o := server.unpublish(guid(i)); o.Status != env.OK {
			t.Fatalf("unpublish: %v %s", o.Status, o.Error)
		}
		for _, o := range n.all(func(c env.Call, h *host) env.Local {
			return &env.LocateRequest{Call: c, GUID: guid(i), App: "test", Limit: 4, Deadline: h.deadline(10 * time.Second)}
		}) {
			if o.Status != env.Absent {
				t.Errorf("locate after unpublish: %v %v", o.Status, o.Replicas)
			}
		}
		if o := server.publish(guid(i)); o.Status != env.OK {
			t.Fatalf("publish again: %v %s", o.Status, o.Error)
		}
		if o := n.hosts[n.rng.IntN(40)].locate(guid(i)); o.Status != env.OK {
			t.Errorf("locate after publishing again: %v", o.Status)
		}
	}
}

func TestLookupsAndPublishesDialNobody(t *testing.T) {
	n := newNet(t, 12)
	n.overlay(60)
	n.run(30 * time.Second)
	before := n.dials
	for i := range 30 {
		n.hosts[n.rng.IntN(60)].publish(guid(i))
		n.hosts[n.rng.IntN(60)].send(guid(i), "x")
		n.hosts[n.rng.IntN(60)].locate(guid(i + 1000))
		n.hosts[n.rng.IntN(60)].locateFirst(guid(i))
	}
	if n.dials != before {
		t.Errorf("%d dials during lookups and publishes", n.dials-before)
	}
}

func TestObjectsOutliveTheDeathOfTheirRoots(t *testing.T) {
	n := newNet(t, 13)
	n.overlay(60)
	n.run(10 * time.Second)
	servers := make([]*host, 40)
	for i := range servers {
		servers[i] = n.hosts[n.rng.IntN(60)]
		servers[i].publish(guid(i))
	}
	for range 12 {
		n.hosts[n.rng.IntN(60)].crash()
	}
	n.run(45 * time.Second) // one period of re-laying and half a one of jitter
	for i, server := range servers {
		client := n.hosts[n.rng.IntN(60)]
		for client.down {
			client = n.hosts[n.rng.IntN(60)]
		}
		o := client.locate(guid(i))
		if server.down && o.Status == env.OK && o.Replicas[0].Measured {
			t.Errorf("a dead server was measured")
		}
		if !server.down && o.Status != env.OK {
			t.Errorf("object %d of a living server: %v", i, o.Status)
		}
	}
}

func TestPointersFollowNodesThatJoin(t *testing.T) {
	n := newNet(t, 14)
	n.overlay(20)
	n.run(5 * time.Second)
	for i := range 40 {
		n.hosts[i%20].publish(guid(i))
	}
	for range 20 {
		n.join(n.add())
	}
	n.run(3 * time.Second)
	for i := range 40 {
		if o := n.hosts[20+n.rng.IntN(20)].locate(guid(i)); o.Status != env.OK {
			t.Errorf("object %d: %v", i, o.Status)
		}
	}
}

func TestMessagesToNodes(t *testing.T) {
	n := newNet(t, 15)
	n.overlay(30)
	n.run(10 * time.Second)
	route := func(h *host, key idspace.ID, exact bool) *env.Outcome {
		return h.do(15*time.Second, func(c env.Call) env.Local {
			return &env.SendRequest{Call: c, Key: key, Exact: exact, App: "test", Payload: []byte("m"), Deadline: h.deadline(10 * time.Second)}
		})
	}
	for range 20 {
		from, to := n.hosts[n.rng.IntN(30)], n.hosts[n.rng.IntN(30)]
		if o := route(from, to.id, true); o.Status != env.OK || o.Path[len(o.Path)-1] != to.id {
			t.Errorf("exact: %v, path %v", o.Status, o.Path)
		}
	}
	if o := route(n.hosts[0], guid(1), true); o.Status != env.NoRoute {
		t.Errorf("exact to nobody: %v", o.Status)
	}
	if o := route(n.hosts[0], guid(1), false); o.Status != env.OK {
		t.Errorf("to a surrogate: %v", o.Status)
	}
}

func TestAtMostOnceUnderLoss(t *testing.T) {
	n := newNet(t, 16)
	n.overlay(30)
	n.run(10 * time.Second)
	for i := range 30 {
		n.hosts[i].publish(guid(i))
	}
	n.loss = 0.05
	ok := 0
	for i := range 100 {
		payload := fmt.Sprint("message ", i)
		o := n.hosts[n.rng.IntN(30)].send(guid(i%30), payload)
		if o.Status == env.OK {
			ok++
		} else if o.Status != env.MaybeDelivered && o.Status != env.TimedOut {
			t.Errorf("send: %v %s", o.Status, o.Error)
		}
		delivered := 0
		for _, h := range n.hosts {
			for _, u := range h.upcalls {
				if string(u.Payload) == payload {
					delivered++
				}
			}
		}
		if delivered > 1 || delivered == 0 && o.Status == env.OK {
			t.Errorf("%q delivered %d times, outcome %v", payload, delivered, o.Status)
		}
	}
	if ok < 99 {
		t.Errorf("%d of 100 messages answered at 5 %% loss", ok)
	}
}

func TestExplainNamesEveryHop(t *testing.T) {
	n := newNet(t, 17)
	n.overlay(60)
	n.run(10 * time.Second)
	n.hosts[0].publish(guid(1))
	h := n.hosts[30]
	o := h.do(15*time.Second, func(c env.Call) env.Local {
		return &env.LocateRequest{Call: c, GUID: guid(1), App: "test", Limit: 4, Explain: true, Deadline: h.deadline(10 * time.Second)}
	})
	if len(o.Notes) == 0 {
		t.Fatal("no explanation")
	}
	for _, path := range o.Notes {
		if len(path) == 0 {
			continue // that root's answer came too late to be waited for
		}
		if wire.ID(path[0].Node) != h.id {
			t.Errorf("the explanation begins at %x", path[0].Node[:4])
		}
		last := path[len(path)-1]
		if last.Rule != wire.Rule_RULE_ROOT && last.Rule != wire.Rule_RULE_POINTER {
			t.Errorf("the explanation ends with %v", last.Rule)
		}
	}
}

// TestReplayedFramesChangeNothing has every frame come a second time, at once or when the
// first has long been answered.
func TestReplayedFramesChangeNothing(t *testing.T) {
	for _, replay := range []time.Duration{time.Microsecond, 700 * time.Millisecond} {
		n := newNet(t, 18)
		n.overlay(20)
		n.run(10 * time.Second)
		n.replay = replay
		for i := range 20 {
			server, client := n.hosts[i], n.hosts[n.rng.IntN(20)]
			if o := server.publish(guid(i)); o.Status != env.OK {
				t.Fatalf("publish: %v", o.Status)
			}
			payload := fmt.Sprint("message ", i)
			if o := client.send(guid(i), payload); o.Status != env.OK {
				t.Errorf("send: %v", o.Status)
			}
			n.run(2 * time.Second)
			delivered := 0
			for _, u := range server.upcalls {
				if string(u.Payload) == payload {
					delivered++
				}
			}
			if delivered != 1 {
				t.Errorf("replay after %v: %q delivered %d times", replay, payload, delivered)
			}
			if o := server.unpublish(guid(i)); o.Status != env.OK {
				t.Errorf("unpublish: %v", o.Status)
			}
			n.run(2 * time.Second)
			if o := client.locate(guid(i)); o.Status != env.Absent {
				t.Errorf("replay after %v: locate after unpublish: %v", replay, o.Status)
			}
		}
		n.check(5)
	}
}
