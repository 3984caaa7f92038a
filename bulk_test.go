package tapestry_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapestry-dolr/tapestry"
)

// Whoever publishes many and takes many back sees each as it is done, and how far it is; what one call has
// published another adds to.
func TestManyObjectsArePublishedAndTakenBackOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, all := world(t, 3), guids(120)
		seen := map[tapestry.GUID]int{}
		var steps []tapestry.Progress
		each := tapestry.OnEach(func(g tapestry.GUID, err error) {
			if seen[g]++; err != nil {
				t.Errorf("%s: %v", g.Short(), err)
			}
		})
		progress := tapestry.OnProgress(10*time.Millisecond, func(p tapestry.Progress) { steps = append(steps, p) })
		p, err := nodes[0].PublishObjects(t.Context(), app, slices.Values(all[:100]), each, progress)
		if err != nil || p.Placed != 100 || len(p.Failed) != 0 || len(seen) != 100 {
			t.Fatalf("%+v, %d seen: %v", p, len(seen), err)
		}
		last := steps[len(steps)-1]
		if len(steps) < 2 || last.Done != 100 || last.Failed != 0 || last.Elapsed <= 0 || !slices.IsSortedFunc(steps, byDone) {
			t.Errorf("progress %+v", steps)
		}
		if p, err := nodes[0].PublishObjects(t.Context(), app, slices.Values(all[100:])); err != nil || p.Placed != 20 {
			t.Fatalf("%+v: %v", p, err)
		}
		clear(seen)
		u, err := nodes[0].UnpublishObjects(t.Context(), app, slices.Values(all[:60]), each)
		if err != nil || u.Withdrawn != 60 || len(u.Failed) != 0 || len(seen) != 60 {
			t.Fatalf("%+v, %d seen: %v", u, len(seen), err)
		}
		if left := len(maps.Collect(nodes[0].Published())); left != 60 {
			t.Errorf("%d are published", left)
		}
		for _, g := range all[60:] {
			if ids, err := replicas(t, nodes[2], g, tapestry.First()); err != nil || len(ids) != 1 || ids[0] != nodes[0].ID() {
				t.Fatalf("%s: %v, %v", g.Short(), ids, err)
			}
		}
		for _, g := range all[:60] {
			if _, err := replicas(t, nodes[1], g, tapestry.First()); !errors.Is(err, tapestry.ErrNotFound) {
				t.Fatalf("%s: %v", g.Short(), err)
			}
		}
	})
}

func byDone(a, b tapestry.Progress) int { return a.Done - b.Done }

// A report lists so many failures, counts the others, and keeps what was done when the caller
// has enough.
func TestAReportOfManyFailuresStaysSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, all := world(t, 2), guids(tapestry.MaxFailures+50)
		ctx, cancel := context.WithCancel(t.Context())
		half := func(yield func(tapestry.GUID) bool) {
			for i, g := range all[:40] {
				if i == 20 {
					time.Sleep(time.Second) // of the bubble's: those before are done
					cancel()
				}
				if !yield(g) {
					return
				}
			}
		}
		p, err := nodes[0].PublishObjects(ctx, app, half)
		if !errors.Is(err, context.Canceled) || p.Placed < 10 || p.Placed+len(p.Failed) > 20 {
			t.Errorf("%+v: %v", p, err)
		}
		nodes[0].Close()
		u, err := nodes[0].UnpublishObjects(t.Context(), app, slices.Values(all))
		if !errors.Is(err, tapestry.ErrClosed) || u.Withdrawn != 0 || len(u.Failed) != tapestry.MaxFailures || u.More != 50 {
			t.Errorf("%d withdrawn, %d failed and %d more: %v", u.Withdrawn, len(u.Failed), u.More, err)
		}
	})
}

// TestABatchOutlivesItsRecord has real hosts serve two batches for more than the hour that a record lives. One of them is renewed
// by its header, the other one, of which something was taken back, as what is left of it; a single node does so, too.
func TestABatchOutlivesItsRecord(t *testing.T) {
	for _, count := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			nodes, all := world(t, count), guids(80)
			for batch := range slices.Chunk(all, 40) {
				if p, err := nodes[0].PublishObjects(t.Context(), app, slices.Values(batch)); err != nil || p.Placed != 40 {
					t.Fatalf("%+v: %v", p, err)
				}
			}
			gone := all[40]
			if err := nodes[0].UnpublishObject(t.Context(), gone, app); err != nil {
				t.Fatal(err)
			}
			for range 4 {
				time.Sleep(20 * time.Minute) // bubble: that of the test
				for i, g := range all {
					ids, err := replicas(t, nodes[i%count], g, tapestry.First())
					if g == gone && !errors.Is(err, tapestry.ErrNotFound) || g != gone && (err != nil || len(ids) != 1) {
						t.Fatalf("%d nodes, object %d: %v, %v", count, i, ids, err)
					}
				}
			}
		})
	}
}
