package tapestry_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

// A publish for which too few roots have room is none: its object is not served, and not written
// down for the next life, though one root has acknowledged it.
func TestAPublishThatALimitEndsLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		_, first, _ := around(t, 2, d, tapestry.WithLimits(tapestry.Limits{Pointers: 2}))
		r, err := first.PublishObjects(t.Context(), app, slices.Values(guids(12)))
		if !errors.Is(err, tapestry.ErrLimit) || r.Placed == 0 {
			t.Fatalf("%d placed, %d failed: %v", r.Placed, len(r.Failed), err)
		}
		t.Logf("%d placed, %d failed", r.Placed, len(r.Failed))
		if s, got := first.Status(), d.records(t); s.Published != r.Placed || len(got) != r.Placed {
			t.Errorf("%d placed, %d published, %d written down", r.Placed, s.Published, len(got))
		}
	})
}

// What was published before is served from the start: a message that follows a pointer of the former
// life is not turned away, and who asks here is told.
func TestWhatWasPublishedBeforeIsServedBeforeItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, all := newDisk(), guids(300)
		hosts, first, others := around(t, 8, d)
		if _, err := first.PublishObjects(t.Context(), app, slices.Values(all)); err != nil {
			t.Fatal(err)
		}
		first.Close()
		again, err := tapestry.New(hosts[0], tapestry.WithDatastore(d), tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(hosts[1])}))
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		again.Handle(app, &echo{id: again.ID()})
		if s := again.Status(); s.Published != 300 || s.Resume.Left != 300 {
			t.Errorf("%d published, %d left", s.Published, s.Resume.Left)
		}
		if err := errors.Join(again.Join(t.Context()), again.WaitReady(t.Context())); err != nil {
			t.Fatal(err)
		}
		early, through := 0, 0
		for i, g := range all {
			if again.Status().Resume.Done > 0 {
				break
			}
			early++
			switch _, err := others[i%7].RouteToObject(t.Context(), g, app, []byte("x")); {
			case err == nil:
				through++
			case !errors.Is(err, tapestry.ErrNotFound): // nobody knows of the former life any more
				t.Errorf("a message to object %d: %v", i, err)
			}
			if ids, err := replicas(t, again, g, tapestry.First()); err != nil || !slices.Equal(ids, []tapestry.ID{again.ID()}) {
				t.Errorf("object %d, asked here: %v, %v", i, ids, err)
			}
		}
		t.Logf("%d objects asked for before the first had its turn; %d messages came through", early, through)
		if through == 0 {
			t.Error("no message came through")
		}
	})
}

// A resumed object for which there is no room is served meanwhile, published again and again, and
// placed when there is room; it is never withdrawn.
func TestAResumedObjectWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 20
		d, all := newDisk(), guids(3*limit)
		hosts, first, others := around(t, 5, d, tapestry.WithLimits(tapestry.Limits{Pointers: limit}))
		mine := all[:5]
		if _, err := first.PublishObjects(t.Context(), app, slices.Values(mine)); err != nil {
			t.Fatal(err)
		}
		first.Close()
		time.Sleep(2 * time.Minute) // pointers of the former life are no more
		for _, g := range all[5:] { // somebody else takes the room
			if err := others[3].PublishObject(t.Context(), g, app); err != nil && !errors.Is(err, tapestry.ErrLimit) {
				t.Fatal(err)
			}
		}
		var withdrawn atomic.Int32
		again := founder(t, hosts[0], tapestry.WithDatastore(d), tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(hosts[1])}),
			tapestry.WithTracer(tapestry.Tracer{Removed: func(g tapestry.GUID, _ tapestry.ID, why string) {
				if why == "withdrawn" && slices.Contains(mine, g) {
					withdrawn.Add(1)
				}
			}}))
		for range 60 {
			time.Sleep(time.Second)
			if n := again.Status().Published; n != 5 {
				t.Fatalf("%d are served", n)
			}
		}
		s := again.Status().Resume
		if s.Left == 0 || s.Failures == 0 || withdrawn.Load() > 0 {
			t.Errorf("while there is no room: %+v, taken back: %d", s, withdrawn.Load())
		}
		others[3].Close()
		after, took := resumed(t, again)
		t.Logf("%d failures in a minute, all placed %v after the other is gone", s.Failures, took)
		if after.Done != 5 {
			t.Errorf("%+v", after)
		}
		for i, g := range mine {
			if ids, err := replicas(t, others[i%3], g); err != nil || len(ids) != 1 {
				t.Errorf("object %d: %v, %v", i, ids, err)
			}
		}
	})
}

// A node that is stopped and started again at other addresses, again and again within seconds, is a
// member soon each time, and what it serves is found.
func TestRestartsInQuickSuccessionAreNotHeldAgainstANode(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			net := p2ptest.NewNet(t, p2ptest.Config{Seed: seed})
			d, all := newDisk(), guids(10)
			at, other := net.Host(), net.Host()
			first := founder(t, at, tapestry.WithDatastore(d))
			second := founder(t, other, tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(at)}))
			if _, err := first.PublishObjects(t.Context(), app, slices.Values(all)); err != nil {
				t.Fatal(err)
			}
			for range 6 {
				time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
				if err := errors.Join(first.Leave(t.Context()), first.Close(), at.Close()); err != nil {
					t.Fatal(err)
				}
				at = net.Again(0)
				began := time.Now()
				first = founder(t, at, tapestry.WithDatastore(d), tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(other)}))
				for i := 0; i < len(all) && time.Since(began) < 2*againSoon; {
					if ids, err := replicas(t, second, all[i], tapestry.First()); err == nil && len(ids) == 1 {
						i++
						continue
					}
					time.Sleep(100 * time.Millisecond)
				}
				if took := time.Since(began); took > againSoon {
					t.Errorf("seed %d: everything is found %v after the start", seed, took)
				}
			}
		})
	}
}

// againSoon is how long it may take until everything is found again that a node serves which was
// started again: to join, and to publish a window at a time.
const againSoon = 5 * time.Second
