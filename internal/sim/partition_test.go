package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// halves is a network of two sides that cannot reach each other, or could not.
type halves struct {
	*run
	t         testing.TB
	perSide   int
	healed    mono.Time
	found     int
	wrong     []time.Duration // when something was called absent that has a server on the asker's own side, after healing
	elsewhere []time.Duration // that has one on the other side only
}

// newHalves is an empty network for two sides of n nodes.
func newHalves(t testing.TB, n int, seed uint64) *halves {
	t.Helper()
	c := Default()
	c.Nodes, c.Seed, c.Check, c.Duration, c.Command = 2*n, seed, true, time.Hour, "go test ./internal/sim"
	r, err := prepare(c)
	if err != nil {
		t.Fatal(err)
	}
	return &halves{run: r, t: t, perSide: n}
}

func (h *halves) cut() {
	h.world.Partition(func(place int) bool { return place < h.perSide })
	h.parted = true
}

func (h *halves) heal() {
	h.world.Partition(nil)
	h.parted, h.healed = false, h.world.Now()
}

// grow lets n nodes join by way of each other, a quarter as many at once as have joined.
func (h *halves) grow(n int) (members []*member) {
	h.t.Helper()
	others := len(h.people.active)
	for len(members) < n {
		var newcomers []*member
		for range min(n-len(members), max(1, len(members)/4)) {
			m, err := h.born(h.people.free[0])
			if err != nil {
				h.t.Fatal(err)
			}
			newcomers = append(newcomers, m)
		}
		if h.parted {
			h.cut() // the newcomers too
		}
		for _, m := range newcomers {
			var names []idspace.ID
			for range min(seeds, len(members)) {
				names = append(names, members[h.world.Rand().IntN(len(members))].host.ID())
			}
			h.join(m, names)
		}
		members = append(members, newcomers...)
		h.until("all join", func() bool { return len(h.people.active) == others+len(members) })
	}
	h.world.Run(calm)
	return members
}

func (h *halves) join(m *member, seeds []idspace.ID) {
	m.joining = h.joinCall()
	m.host.Request(&env.JoinRequest{Call: m.joining, Seeds: seeds})
}

func (h *halves) until(what string, holds func() bool) {
	h.t.Helper()
	if err := h.world.Until(joinPatience, 50*time.Millisecond, holds); err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
}

// publish lays objects from everywhere.
func (h *halves) publish(objects int) {
	h.cfg.Objects = objects
	h.publishAll()
}

// faults counts what is wrong with the tables of everybody now.
func (h *halves) faults() (count int) {
	a := newAuditor(h.run)
	a.strict, a.now = true, map[finding]mono.Time{}
	for _, m := range h.people.active {
		a.roots(m)
		a.holes(m)
		a.leaves(m)
	}
	return a.counts[oneRoot] + a.counts[falseHole] + a.counts[ring]
}

// search lets time pass while random nodes look for random objects.
func (h *halves) search(d time.Duration) {
	for end := h.world.Now().Add(d); h.world.Now() < end; h.world.Run(20 * time.Millisecond) {
		j := &judged{h, h.people.random(), h.objects[h.world.Rand().IntN(len(h.objects))]}
		h.ask(j.from, j, func(call env.Call) env.Local {
			return &env.LocateRequest{Call: call, GUID: j.object.guid, App: app, Limit: 4, First: true, Deadline: h.world.Now().Add(deadline)}
		})
	}
}

// judged is a search.
type judged struct {
	*halves
	from   *member
	object *object
}

func (*judged) arrived(*member) {}

func (j *judged) ended(o *env.Outcome) {
	switch o.Status {
	case env.OK:
		j.found++
	case env.Absent:
		side := func(m *member) bool { return m.host.Place() < j.perSide }
		near := func(s server) bool { return side(s.member) == side(j.from) }
		if after := j.world.Now().Sub(j.healed); slices.ContainsFunc(j.object.living(), near) {
			j.wrong = append(j.wrong, after)
		} else if !j.parted {
			j.elsewhere = append(j.elsewhere, after)
		}
	}
}

// whole lets time pass until nothing is wrong with any table, and says how long that took.
func (h *halves) whole(most time.Duration) time.Duration {
	h.t.Helper()
	began := h.world.Now()
	for {
		left := h.faults()
		took := h.world.Now().Sub(began)
		switch {
		case left == 0:
			return took
		case took > most:
			h.t.Fatalf("after %v %d faults are left", took, left)
		}
		h.search(time.Second)
	}
}

// demandObjects fails if anything with a living server is not found, or was called absent
// that was on the asker's side all the time, or later than a side may take to learn that
// the other is there.
func (h *halves) demandObjects(met time.Duration) {
	h.t.Helper()
	h.search(40 * time.Second) // one lay, and what was asked before
	h.world.Run(deadline)
	h.found = 0
	h.search(5 * time.Second)
	h.world.Run(deadline)
	if h.found != 250 {
		h.t.Errorf("%d of 250 searches find something", h.found)
	}
	if len(h.wrong) > 0 {
		h.t.Errorf("called absent on the server's own side: %v", h.wrong)
	}
	if n := len(h.elsewhere); n > 0 && h.elsewhere[n-1] > met {
		h.t.Errorf("the last of the other side's objects was called absent %v after healing, want at most %v", h.elsewhere[n-1], met)
	}
}

// TestTheHalvesOfAPartitionBecomeOne: five minutes apart, each side has buried the other.
func TestTheHalvesOfAPartitionBecomeOne(t *testing.T) {
	t.Parallel()
	h := newHalves(t, 100, 1)
	h.grow(2 * h.perSide)
	h.publish(100)
	h.cut()
	h.search(5 * time.Minute)
	h.heal()
	t.Logf("one overlay of %d again after %v", 2*h.perSide, h.whole(2*time.Minute))
	h.demandObjects(15 * time.Second)
}

// TestOverlaysThatFormedApartBecomeOne: one node of the one is told of one of the other.
func TestOverlaysThatFormedApartBecomeOne(t *testing.T) {
	t.Parallel()
	h := newHalves(t, 200, 1)
	h.cut()
	a, b := h.grow(h.perSide), h.grow(h.perSide)
	h.publish(100)
	h.heal()
	b[17].host.Request(&env.Seeds{IDs: []idspace.ID{a[0].host.ID()}})
	t.Logf("one overlay of %d after %v", 2*h.perSide, h.whole(3*time.Minute))
	h.demandObjects(15 * time.Second)
}

// TestFreshNodesThatNameOnlyEachOtherFormOneOverlay: whichever comes first.
func TestFreshNodesThatNameOnlyEachOtherFormOneOverlay(t *testing.T) {
	for seed := range uint64(20) {
		h := newHalves(t, 3, seed+1)
		var fresh []*member
		var ids []idspace.ID
		for range 3 {
			m, err := h.born(h.people.free[0])
			if err != nil {
				t.Fatal(err)
			}
			fresh, ids = append(fresh, m), append(ids, m.host.ID())
		}
		for i, m := range fresh {
			names := slices.DeleteFunc(slices.Clone(ids), func(id idspace.ID) bool { return id == m.host.ID() })
			if seed%2 == 1 {
				names = []idspace.ID{ids[(i+1)%3]} // in a ring
			}
			h.join(m, names)
			h.world.Run(time.Duration(h.world.Rand().Int64N(int64(4 * time.Second))))
		}
		h.until("all are members", func() bool { return len(h.people.active) == 3 })
		h.until("one overlay", func() bool { return h.faults() == 0 })
		if took := h.world.Now().Sub(fresh[2].host.Born()); took > 30*time.Second {
			t.Errorf("seed %d: %v after the last was started", seed, took)
		}
	}
}

// TestANodeThatLostEverybodyDoesNotSayAbsent: it may be the one that was cut off.
func TestANodeThatLostEverybodyDoesNotSayAbsent(t *testing.T) {
	h := newHalves(t, 1, 1)
	h.cfg.Nodes = 8
	lone := h.grow(8)[0]
	h.cut()
	ask := func() env.Status {
		s := &status{}
		h.ask(lone, s, func(call env.Call) env.Local {
			return &env.LocateRequest{Call: call, GUID: idspace.ID{1}, App: app, Deadline: h.world.Now().Add(deadline)}
		})
		h.world.Run(deadline)
		return s.is
	}
	h.until("all are taken for dead", func() bool { return lone.host.Node().Tables().Map.Len() == 0 })
	if got := ask(); got != env.Unknown {
		t.Errorf("just cut off: %v", got)
	}
	h.world.Run(time.Minute)
	if got := ask(); got != env.Absent {
		t.Errorf("with nobody to be found for a minute: %v", got)
	}
	h.heal()
	h.until("one overlay", func() bool { return h.faults() == 0 })
}

// status keeps how a request ended.
type status struct{ is env.Status }

func (*status) arrived(*member)        {}
func (s *status) ended(o *env.Outcome) { s.is = o.Status }

// TestTheLastOfTwoGoesOnServing: of few, the others may well have crashed.
func TestTheLastOfTwoGoesOnServing(t *testing.T) {
	for n := 2; n <= 3; n++ {
		h := newHalves(t, 2, 1)
		members := h.grow(n)
		for _, m := range members[1:] {
			h.crash(m)
		}
		h.until("alone", func() bool { return members[0].host.Node().Tables().Leaves.Len() == 0 })
		o := &object{guid: h.guid()}
		s := &status{is: env.Busy}
		h.run.publish(o, members[0], func(_ *publishing, out *env.Outcome) { s.is = out.Status })
		h.world.Run(time.Second)
		if s.is != env.OK {
			t.Errorf("of %d: publishing ends with %v", n, s.is)
		}
	}
}

// TestANodeThatDidNotRunDropsItsClaims: while it stood still the others have found it dead, and
// somebody may have come to stand in for it.
func TestANodeThatDidNotRunDropsItsClaims(t *testing.T) {
	t.Parallel()
	h := newHalves(t, 20, 1)
	members := h.grow(40)
	h.until("one overlay", func() bool { return h.faults() == 0 })
	sleeper := members[7]
	h.world.Stall(sleeper.host, 40*time.Second)
	h.people.disturb(sleeper)
	h.world.Run(39 * time.Second)
	known := func() (count int) {
		for _, m := range members {
			if m != sleeper && m.host.Node().Tables().Leaves.Has(sleeper.host.ID()) {
				count++
			}
		}
		return count
	}
	if n := known(); n > 0 {
		t.Errorf("%d have it in their leaf sets after 39 s", n)
	}
	h.world.Run(1200 * time.Millisecond)
	if sleeper.host.Node().Status(sleeper.host.Now()).Ready {
		t.Error("it answers as root as soon as it runs again")
	}
	woke := h.world.Now()
	h.until("it answers as root", func() bool { return sleeper.host.Node().Status(sleeper.host.Now()).Ready })
	h.until("one overlay", func() bool { return h.faults() == 0 })
	if took := h.world.Now().Sub(woke); took > 15*time.Second {
		t.Errorf("one overlay after %v", took)
	}
	t.Logf("one overlay %v after it woke", h.world.Now().Sub(woke))
}

// TestAFewCutOffUnderChurnComeBack: both sides have lists of lost nodes that grow by those
// who really die. These scenarios the explorer found.
func TestAFewCutOffUnderChurnComeBack(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{155879, 155885, 155887} {
		c := small(15)
		c.Seed, c.Check, c.Objects, c.SessionMedian, c.Duration = seed, true, 12, 115*time.Second, 200*time.Second
		c.Partition = Spans{{0.27, time.Second, 6 * time.Second}}
		demandNoViolation(t, played(t, c))
	}
}
