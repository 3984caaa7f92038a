//go:build !invariants

// The faults here are put into tables behind the machines' backs; with -tags invariants
// the node itself would stop at the first.

package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
)

// again does something every so often until the run is over.
func (r *run) again(every time.Duration, do func()) {
	do()
	r.world.After(every, func() {
		if r.loading {
			r.again(every, do)
		}
	})
}

// TestOraclesCatchFaults puts a fault in on purpose for each oracle and demands that
// it is caught, named, and told with what it takes to see it again.
func TestOraclesCatchFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault   string
		nodes   int
		caught  []string
		run     time.Duration
		arrange func(*run)
	}{
		{"next hop ignores level 1", 250, []string{oneRoot, falseHole}, 8 * time.Second, ignoreLevelOne},
		{"a dead node is revived by gossip", 40, []string{ring}, 70 * time.Second, reviveTheDead},
		{"deaths are believed on hearsay", 40, []string{locatable, wrongAbsent}, 20 * time.Second, buryEverybody},
		{"a pointer never expires", 40, []string{outlived}, 2 * time.Minute, neverExpire},
		{"a slot holds a node of another digit", 40, []string{shrink}, 20 * time.Second, misfile},
		{"a request leaves a timer behind", 40, []string{bounded}, 20 * time.Second, leakTimers},
	} {
		t.Run(c.fault, func(t *testing.T) {
			cfg := small(c.nodes)
			cfg.Check, cfg.Duration = true, c.run
			r, err := prepare(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.begin(); err != nil {
				t.Fatal(err)
			}
			r.publishAll()
			r.world.After(time.Second, func() { c.arrange(r) })
			r.warmUp()
			r.measure()
			for _, oracle := range c.caught {
				if r.audit.counts[oracle] == 0 {
					t.Errorf("%s did not catch it; all: %v", oracle, r.audit.counts)
				}
			}
			text := strings.Join(r.audit.texts, "\n")
			for _, want := range append(c.caught, "again with: tapestry sim", " at ") {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not told:\n%s", want, text)
				}
			}
		})
	}
}

func ignoreLevelOne(r *run) {
	r.world.Hooks.Stepped = func(h *world.Host) {
		if h.Down() {
			return
		}
		table := h.Node().Tables().Map
		for _, nb := range table.Row(1) {
			table.Remove(nb.ID)
		}
	}
}

func reviveTheDead(r *run) {
	dead := r.people.active[3].host
	r.crash(of(dead))
	r.again(100*time.Millisecond, func() {
		for _, m := range r.people.active {
			m.host.Node().Tables().Leaves.Insert(dead.ID())
		}
	})
}

func buryEverybody(r *run) {
	r.again(50*time.Millisecond, func() {
		for _, m := range r.people.active {
			for _, server := range r.people.ring {
				m.host.Node().Pointers().Bury(server, r.world.Now())
			}
		}
	})
}

func neverExpire(r *run) {
	r.world.Hooks.Mute = func(_ *world.Host, k env.TimerKey) bool { return k.Room == env.Tree }
}

// misfile puts the same node into every slot of the first level of a node.
func misfile(r *run) {
	table := r.people.active[0].host.Node().Tables().Map
	other := table.Row(0)[0].ID
	for d := range idspace.Digit(idspace.Hex.Radix()) {
		for i := range table.Slot(0, d) {
			table.Slot(0, d)[i].ID = other
		}
	}
}

func leakTimers(r *run) {
	h := r.people.active[5].host
	for i := range uint64(maxTimers + 1) {
		h.SetTimer(env.TimerKey{Room: env.Locate, What: 99, N: i}, time.Hour)
	}
}

// TestLookupsOutliveAMassKill: JSAC Fig. 20 dips to 55 % when a fifth of its nodes is killed at
// once, and is back within a minute. Here no window of five seconds is below 99.5 %, or 99 % when half of
// them are.
func TestLookupsOutliveAMassKill(t *testing.T) {
	t.Parallel()
	for share, least := range map[float64]float64{0.2: 0.995, 0.5: 0.99} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			t.Parallel()
			c := small(400)
			c.Warm, c.Transport, c.Loss, c.Fast = "always", "datagram", 0.02, true
			c.Objects, c.LocateEvery, c.PublishEvery, c.LookupEvery = 0, 0, 0, 20*time.Millisecond
			c.Kill, c.Duration = Moments{{share, 5 * time.Second}}, 45*time.Second
			r := played(t, c)
			for _, w := range r.Timeline {
				if w.Lookups < 1000 || w.LookupSuccess < least || w.FromS >= 35 && w.LookupSuccess < 1 {
					t.Errorf("%+v", w)
				}
			}
		})
	}
}

// TestWhoeverCannotReachTheRootFindsIt: 2.3 % of pairs that cannot talk are what is measured on the
// Internet. Their nodes would take themselves for roots that they cannot reach.
func TestWhoeverCannotReachTheRootFindsIt(t *testing.T) {
	t.Parallel()
	c := small(200)
	c.Warm, c.Fast, c.Check, c.Nontransitive = "never", true, true, 0.023
	c.Objects, c.LocateEvery, c.PublishEvery, c.LookupEvery = 0, 0, 0, 20*time.Millisecond
	c.Duration = time.Minute
	r := played(t, c)
	if l := r.Lookups; l.CompletedRatio < 1 || l.TrueRatio < 0.999 || l.ConsistentRatio < 0.999 {
		t.Errorf("%+v", l)
	}
	for oracle, n := range r.Oracles {
		if n > 0 {
			t.Errorf("%s: %d violations: %s", oracle, n, r.Violations)
		}
	}
}

// TestLinksThatLoseOneWayAreGoneAround: on one link in a hundred all that goes in one direction is lost,
// from one moment on, while connections stay open. Few neighbors are dropped twice within a minute, and none
// that was taken for a neighbor again in between.
func TestLinksThatLoseOneWayAreGoneAround(t *testing.T) {
	t.Parallel()
	deaths, flaps := 0, 0
	for seed := range runs(9) {
		c := small(200)
		c.Seed, c.Warm, c.Fast, c.Transport, c.Loss = seed, "never", true, "datagram", 0.02
		c.OneWay = Spans{{0.01, 5 * time.Second, 4 * time.Minute}}
		c.Objects, c.LocateEvery, c.PublishEvery, c.LookupEvery = 0, 0, 0, 50*time.Millisecond
		c.Duration = 2 * time.Minute
		r := played(t, c)
		if l := r.Lookups; l.Total < 20000 || l.TrueRatio < 0.9999 || l.ConsistentRatio < 0.9999 || l.CompletedRatio < 0.999 {
			t.Errorf("%d lookups, of which %v completed, %v true, %v consistent", l.Total, l.CompletedRatio, l.TrueRatio, l.ConsistentRatio)
		}
		if d := r.Detector; d.WellDeaths < 10 || d.Relapses > 0 {
			t.Errorf("%d neighbors found dead though they live, %d taken back and dropped again within a minute", d.WellDeaths, d.Relapses)
		}
		deaths += r.Detector.WellDeaths
		flaps += r.Detector.Flaps
	}
	if 10*flaps > deaths {
		t.Errorf("%d neighbors found dead though they live, %d twice within a minute", deaths, flaps)
	}
}
