//go:build !invariants

// The faults here are put into tables behind the machines' backs; with -tags invariants
// the node itself would stop at the first.

package sim

import (
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
		{"a pointer never expires", 40, []string{outlived}, 90 * time.Second, neverExpire},
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
				m.host.Node().Pointers().Bury(server)
			}
		}
	})
}

func neverExpire(r *run) {
	r.world.Hooks.Mute = func(_ *world.Host, k env.TimerKey) bool { return k.Room == env.Publish }
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
