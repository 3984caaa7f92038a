//go:build !race

// What is played here is long and has one goroutine: the race detector would take ten times as
// long for it, and see nothing that shorter tests do not show.

package sim

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
)

// Bounds for servers that have crashed, beside others of the same objects that live. A holder
// that nobody asks does not look after servers: the first who asks may be told of a dead one, as
// long as a pointer lives.
const (
	lateToday   = 0.001              // of all answers name one first more than 15 s after; wanted: 0
	namedToday  = lease.Life + sweep // wanted: no more than 2 min
	livingToday = 0.99               // of all answers name a server that lives; wanted: 1
)

// TestACrashedServerIsForgotten: of each object one of four servers crashes, one after
// another, and everybody goes on asking.
func TestACrashedServerIsForgotten(t *testing.T) {
	t.Parallel()
	for seed := range runs(2) {
		c := small(300)
		c.Seed, c.Fast, c.LookupEvery, c.PublishEvery, c.LocateEvery = seed, true, 0, 0, 7500*time.Microsecond
		c.Objects, c.Duration = 15, 110*time.Second
		r, err := prepare(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.begin(); err != nil {
			t.Fatal(err)
		}
		r.publishAll()
		for i, o := range r.objects {
			r.world.After(time.Duration(1+i)*time.Second, func() { r.crash(o.servers[0].member) })
		}
		r.warmUp()
		r.measure()
		s, g := r.stats, r.stats.leftover
		t.Logf("named first for up to %v, %d times after more than %v, at all for up to %v; in %d of %d answers, of which %d name one that lives, %d before all others; of %d messages %d came through",
			g.first, g.late, tolerated, g.named, g.answers, s.asks, s.living, s.livingFirst, s.searched-s.asks, s.found-s.asks)
		if g.answers == 0 || ratio(g.late, s.asks) > lateToday || g.first > namedToday || g.named > namedToday {
			t.Errorf("%+v", g)
		}
		if ratio(s.living, s.asks) < livingToday || s.asks < 7000 {
			t.Errorf("%d of %d answers name a server that lives", s.living, s.asks)
		}
	}
}

// strayToday is how long a pointer may lie where no path of its server leads any more: it
// runs out there.
const strayToday = lease.Life + sweep

// TestPointersAreTidyAfterNodesWereReplaced: after as many have come as have crashed, no
// pointer is left to the dead, and none that lies astray, beyond a pointer's life.
func TestPointersAreTidyAfterNodesWereReplaced(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0.01, 0.1} {
		c := small(300)
		c.Fast, c.Check, c.LookupEvery, c.PublishEvery, c.LocateEvery = true, true, 0, time.Second, 0
		c.Objects, c.Duration = 150, 110*time.Second
		c.Kill, c.Join = Moments{{share, 5 * time.Second}}, Moments{{share, 6 * time.Second}}
		r := played(t, c)
		for _, oracle := range []string{outlived, historic} {
			if n := r.Oracles[oracle]; n > 0 {
				t.Errorf("%d violations of %s: %q", n, oracle, r.Violations)
			}
		}
		t.Logf("%v replaced: %+v", share, r.Litter)
		if l := r.Litter; l.Stale > 0 || l.StrayMaxS > strayToday.Seconds() || l.StrayMaxS == 0 || l.Pointers < 4000 {
			t.Errorf("%+v", l)
		}
	}
}

// TestNothingIsAstrayInACalmOverlay, and a fault put in on purpose is seen.
func TestNothingIsAstrayInACalmOverlay(t *testing.T) {
	c := small(150)
	c.Check, c.Fast = true, true
	if l := played(t, c).Litter; l.Stale+l.Stray > 0 || l.Pointers == 0 {
		t.Errorf("%+v", l)
	}
	r, err := prepare(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.begin(); err != nil {
		t.Fatal(err)
	}
	r.publishAll()
	for _, m := range r.some(50) {
		r.crash(m)
	}
	for range 60 {
		if r.world.Run(time.Second); r.litter.Stray == 0 {
			r.litter.look(r)
		}
	}
	t.Logf("%+v", r.litter.Litter)
	if r.litter.Stray == 0 {
		t.Errorf("nodes of the ways are gone: %+v", r.litter.Litter)
	}
	r.world.Hooks.Mute = func(_ *world.Host, k env.TimerKey) bool { return k.Room == env.Tree }
	r.world.Run(lease.Life + 2*sweep)
	if r.litter.look(r); r.litter.Stale == 0 {
		t.Errorf("nothing expires: %+v", r.litter.Litter)
	}
}
