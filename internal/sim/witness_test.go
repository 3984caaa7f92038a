//go:build !invariants

// Holes are made here behind the machines' backs; with -tags invariants the node itself
// would stop at the first.

package sim

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// forget empties the slots of m's map by which a route to key would leave it, and reports
// whether m takes itself for the root now.
func forget(m *member, key idspace.ID) bool {
	tables := m.host.Node().Tables()
	level := idspace.Hex.CommonPrefix(tables.Self, key)
	for d := idspace.Hex.Digit(key, level); d != idspace.Hex.Digit(tables.Self, level); d = (d + 1) & 15 {
		for len(tables.Map.Slot(level, d)) > 0 {
			tables.Map.Remove(tables.Map.Slot(level, d)[0].ID)
		}
	}
	return tables.Next(key, surrogate.Skip{}).Rule == wire.Rule_RULE_ROOT
}

// across is a key of m but for its first digit, half around the ring.
func across(m *member) idspace.ID {
	self := m.host.ID()
	return idspace.Hex.WithDigit(self, 0, (idspace.Hex.Digit(self, 0)+7)&15)
}

// askOverHoles makes false holes at many nodes and asks each of them, at once, for a key
// that lives in one: it would say that it is the root itself. Messages that lose picks are lost.
func askOverHoles(t *testing.T, lose func(wire.Message) bool) stats {
	c := small(200)
	c.Objects, c.LookupEvery, c.Duration = 0, time.Hour, 20*time.Second
	r, err := prepare(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.begin(); err != nil {
		t.Fatal(err)
	}
	r.world.Hooks.Lose = func(_, _ *world.Host, m wire.Message) bool { return lose(m) }
	var before stats
	r.world.After(time.Second, func() {
		before = *r.stats
		for _, m := range r.people.active {
			r.askOverHole(m, across(m))
		}
	})
	r.warmUp()
	r.measure()
	s := *r.stats
	s.asked, s.completed, s.right = s.asked-before.asked, s.completed-before.completed, s.right-before.right
	if s.asked < 50 {
		t.Fatalf("only %d false holes would make a wrong root", s.asked)
	}
	return s
}

func (r *run) askOverHole(m *member, key idspace.ID) {
	if !forget(m, key) {
		return
	}
	l := &lookup{run: r, from: m, started: r.world.Now(), group: &group{key: key, stats: r.stats, window: r.window(), pending: 1}}
	r.stats.asked++
	r.ask(m, l, func(call env.Call) env.Local {
		return &env.SendRequest{Call: call, Key: key, App: app, Payload: payload(call), Deadline: r.world.Now().Add(deadline)}
	})
}

func TestNobodyAnswersAsRootOverAFalseHole(t *testing.T) {
	s := askOverHoles(t, func(wire.Message) bool { return false })
	t.Logf("%d asked, %d answered, %d by the root", s.asked, s.completed, s.right)
	if s.completed != s.asked || s.right != s.asked {
		t.Errorf("%d of %d lookups were answered, %d by the root", s.completed, s.asked, s.right)
	}
}

// Two witnesses are asked; when neither answers, nobody is the root.
func TestSilentWitnessesMeanUnknown(t *testing.T) {
	s := askOverHoles(t, func(m wire.Message) bool { return m.Kind() == wire.KindWitnessReply })
	t.Logf("%d asked, %d answered, %d by the root", s.asked, s.completed, s.right)
	if s.right != s.completed {
		t.Errorf("%d of %d answers are wrong", s.completed-s.right, s.completed)
	}
}

// In a settled overlay nearly all holes are on the covered span, or were found empty before.
func TestASettledOverlayNeedsHardlyAWitness(t *testing.T) {
	t.Parallel()
	for _, warm := range []string{"always", "never"} {
		c := small(200)
		c.Warm, c.Duration = warm, time.Minute
		r := played(t, c)
		kinds := r.Traffic.ByKind
		t.Logf("warm %s: %.3f B/s of %.0f per node", warm, kinds["witness"]+kinds["witness-reply"], r.Traffic.BytesPerNodeS)
		if bytes := kinds["witness"] + kinds["witness-reply"]; bytes > 0.5 {
			t.Errorf("warm %s: witnesses take %.2f B/s per node", warm, bytes)
		}
		if r.Lookups.TrueRatio != 1 || r.Lookups.CompletedRatio != 1 {
			t.Errorf("warm %s: lookups %+v", warm, r.Lookups)
		}
	}
}
