package tapestry_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapestry-dolr/tapestry"
)

// Nodes that are full refuse, say so to the publisher, and count it; what they hold stays.
func TestFullNodesRefuseAndCountIt(t *testing.T) {
	for name, full := range map[string]struct {
		limits tapestry.Limits
		says   string
	}{
		"pointers":         {tapestry.Limits{Pointers: 4}, "pointers brought by one peer"},
		"bytes":            {tapestry.Limits{PointerBytes: 450}, "bytes of pointers at one node"},
		"bytes of one":     {tapestry.Limits{PointerBytes: 1500}, "pointers brought by one peer"},
		"pointers of one":  {tapestry.Limits{PointersPerNode: 2}, "pointers of one server"},
		"published at all": {tapestry.Limits{Published: 2}, "objects published here"},
	} {
		limits := full.limits
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes, all := world(t, 2, tapestry.WithLimits(limits)), guids(10)
				r, err := nodes[0].PublishObjects(t.Context(), app, slices.Values(all))
				if !errors.Is(err, tapestry.ErrLimit) || r.Placed < 1 || len(r.Failed) == 0 || r.Placed+len(r.Failed) != 10 {
					t.Fatalf("%d placed, %d failed: %v", r.Placed, len(r.Failed), err)
				}
				by, most := nodes[1].ID(), 160*time.Second
				if limits.Published > 0 {
					by, most = nodes[0].ID(), 0
				}
				for _, f := range r.Failed {
					var limit *tapestry.LimitError
					if !errors.As(f.Err, &limit) || len(limit.Refusals) != 1 {
						t.Fatalf("%v", f.Err)
					}
					at := limit.Refusals[0]
					if at.By != by || at.Limit != full.says || at.RetryAfter > most || (at.RetryAfter > 0) != (most > 0) {
						t.Errorf("%v", f.Err)
					}
				}
				t.Log(r.Failed[0].Err)
				s := nodes[1].Status()
				t.Logf("%d placed; the other keeps %d of %d bytes and refused %d", r.Placed, s.Pointers, s.Store.Bytes, s.Store.Refused)
				if own := limits.Published > 0; (s.Store.Refused > 0) == own || s.Store.Servers != 1 || s.Store.Evicted != 0 {
					t.Errorf("%+v", s.Store)
				}
			})
		})
	}
}

// A batch for which there is no room ends when that is known, and its objects say why.
func TestABatchThatMeetsALimitEndsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, all := world(t, 2, tapestry.WithLimits(tapestry.Limits{PointersPerNode: 100})), guids(400)
		began := time.Now()
		r, err := nodes[0].PublishObjects(t.Context(), app, slices.Values(all))
		var limit *tapestry.LimitError
		if !errors.As(err, &limit) || r.Placed < 1 || r.Placed+len(r.Failed) != len(all) {
			t.Fatalf("%d placed, %d failed: %v", r.Placed, len(r.Failed), err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%d placed of %d in %v", r.Placed, len(all), took)
		}
	})
}

// Of the servers of one object the nearest are kept; who gave way is counted.
func TestNearServersTakeThePlaceOfFarOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, g := world(t, 5, tapestry.WithLimits(tapestry.Limits{ServersPerGUID: 2})), guids(1)[0]
		refused, evicted := uint64(0), uint64(0)
		for _, n := range nodes {
			if err := n.PublishObject(t.Context(), g, app); err != nil && !errors.Is(err, tapestry.ErrLimit) {
				t.Error(err)
			}
		}
		for _, n := range nodes {
			s := n.Status().Store
			refused, evicted = refused+s.Refused, evicted+s.Evicted
			if s.Servers > 3 { // two, and itself
				t.Errorf("%d servers of one object", s.Servers)
			}
		}
		if refused+evicted == 0 {
			t.Error("five servers, room for two, and nothing was refused or given up")
		}
		t.Logf("%d refused, %d given up", refused, evicted)
	})
}
