package flood_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/model"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/flood"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/stagetest"
)

// reach is the slow form: how many nodes lie within so many hops of at.
func reach(o *stagetest.Overlay, at model.Addr, hops int) map[model.Addr]int {
	depth, edge := map[model.Addr]int{at: 0}, []model.Addr{at}
	for h := 1; h <= hops; h++ {
		var next []model.Addr
		for _, a := range edge {
			for _, b := range o.Node(a).Links() {
				if _, seen := depth[b]; !seen {
					depth[b] = h
					next = append(next, b)
				}
			}
		}
		edge = next
	}
	return depth
}

// TestFloodReachesItsHorizonAndNoFarther: the TTL counts down at each hop (Gnutella
// v0.4, section "Descriptor Header"). All lines are equally long here, so that the
// first copy of a question has come the shortest way.
func TestFloodReachesItsHorizonAndNoFarther(t *testing.T) {
	for _, horizon := range []int{1, 3, 5} {
		o := stagetest.Empty(t, flood.Protocol(flood.Config{Horizon: horizon}), stagetest.Flat(10*time.Millisecond))
		for i := range 600 {
			o.Add(stagetest.ID(i), i)
		}
		o.Settle()
		within := reach(o, 0, horizon)
		key := stagetest.Key(1)
		for i := 1; i < 600; i++ {
			o.Do(model.Addr(i), model.Request{Op: model.Publish, Key: key})
		}
		got, _ := o.Do(0, model.Request{Op: model.Locate, Key: key, Want: model.All})
		if len(got.Servers) != len(within)-1 || got.Hops != horizon {
			t.Errorf("horizon %d: %d found at up to %d hops, %d lie within", horizon, len(got.Servers), got.Hops, len(within)-1)
		}
		for _, server := range got.Servers {
			if _, ok := within[server]; !ok {
				t.Errorf("horizon %d: %d lies beyond", horizon, server)
			}
		}
	}
}

// TestQuestionCrossesEveryLineAtMostTwice: duplicates are dropped.
func TestQuestionCrossesEveryLineAtMostTwice(t *testing.T) {
	o := stagetest.New(t, flood.Protocol(flood.Config{}), 500)
	lines := 0
	for _, p := range o.Live() {
		lines += len(o.Node(p.At).Links())
	}
	o.Reset()
	o.Do(1, model.Request{Op: model.Locate, Key: stagetest.Key(1)})
	t.Logf("%d questions over %d lines", o.Kinds["query"], lines/2)
	if o.Kinds["query"] > lines || o.Kinds["query"] < lines/2 {
		t.Errorf("%d questions over %d lines", o.Kinds["query"], lines/2)
	}
}

func TestObjectIsFoundWhileItIsThere(t *testing.T) {
	stagetest.Objects(t, flood.Protocol(flood.Config{}), stagetest.Takes{Back: time.Second})
}

func TestLookupIsRefused(t *testing.T) {
	o := stagetest.New(t, flood.Protocol(flood.Config{}), 20)
	if got, took := o.Do(1, model.Request{Op: model.Lookup, Key: stagetest.Key(1)}); got.OK || took != 0 {
		t.Errorf("%+v after %v", got, took)
	}
}

// TestNeighborsAreReplaced: after a fifth has died and when nodes have joined one by
// one, everybody has neighbors that live.
func TestNeighborsAreReplaced(t *testing.T) {
	o := stagetest.Empty(t, flood.Protocol(flood.Config{}), stagetest.Flat(20*time.Millisecond))
	o.Grow(100, time.Second)
	for i := range 20 {
		o.Crash(model.Addr(5 * i))
	}
	o.Leave(1)
	o.Run(3 * time.Minute)
	for _, p := range o.Live() {
		links := o.Node(p.At).Links()
		if len(links) < 3 || len(links) > 8 {
			t.Errorf("%d has %d neighbors", p.At, len(links))
		}
		for _, to := range links {
			if o.Down(to) {
				t.Errorf("%d keeps the dead %d", p.At, to)
			}
		}
	}
	if n := len(reach(o, 2, 7)); n != 79 {
		t.Errorf("%d of 79 within reach", n)
	}
}
