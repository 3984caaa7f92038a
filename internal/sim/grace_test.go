package sim

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// TestWhatHasToBeRepairedIsForgivenForAWhile goes through what may excuse a finding, and
// demands that nothing excuses one that lasts.
func TestWhatHasToBeRepairedIsForgivenForAWhile(t *testing.T) {
	for _, c := range []struct {
		what    string
		happens func(*run, *member, *member)
		excuses time.Duration // how long from when it happens; 0: not at all
		lasts   bool          // even a finding that lasts
		anybody bool
	}{
		{"nothing", func(*run, *member, *member) {}, 0, false, false},
		{"somebody has come or gone", func(r *run, _, _ *member) { r.people.changed = r.world.Now() }, graceTime, false, false},
		{"it takes somebody for dead", func(r *run, m, _ *member) { r.people.disturb(m) }, graceTime, false, false},
		{"who is missed has stalled", func(r *run, _, x *member) { r.people.disturb(x) }, graceTime, false, false},
		{"somebody else has stalled", func(r *run, _, _ *member) { r.people.disturb(r.people.active[5]) }, 0, false, false},
		{"somebody on the way has stalled", func(r *run, _, _ *member) { r.people.disturb(r.people.active[5]) }, graceTime, false, true},
		{"the net was cut", func(r *run, _, _ *member) { r.people.healed = r.world.Now() }, mergeTime, true, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			cfg := small(10)
			cfg.Check = true
			r, err := prepare(cfg)
			if err == nil {
				err = r.begin()
			}
			if err != nil {
				t.Fatal(err)
			}
			m, missed := r.people.active[0], r.people.active[1]
			w := whereof{host: m, about: []idspace.ID{missed.host.ID()}, anybody: c.anybody}
			c.happens(r, m, missed)
			forgives := func(age time.Duration) bool { return r.audit.forgiven(w, age) }
			if forgives(0) != (c.excuses > 0) || forgives(graceTime) != c.lasts {
				t.Errorf("at once: new %v, old %v", forgives(0), forgives(graceTime))
			}
			r.world.Run(c.excuses + time.Second)
			if forgives(0) {
				t.Errorf("still forgiven %v later", c.excuses+time.Second)
			}
		})
	}
}

// TestStalledNodesAreNobodysFault lets a fifth of the nodes stop for moments, again and
// again: what is missing for want of them is found, and forgiven while they are back soon.
func TestStalledNodesAreNobodysFault(t *testing.T) {
	cfg := small(40)
	cfg.Check, cfg.Stall, cfg.Duration = true, Stall{0.2, 300 * time.Millisecond, 900 * time.Millisecond}, 40*time.Second
	demandNoViolation(t, played(t, cfg))
}
