package sim

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/history"
)

// contested is a scenario in which nodes begin and cease to serve a few objects that all
// ask for.
func contested(seed uint64) Config {
	c := small(100 + int(seed%5)*25)
	c.Seed, c.Check, c.Fast, c.Duration = seed, true, true, 110*time.Second
	c.Objects, c.Replicas, c.LookupEvery, c.PublishEvery = 12, 3, 0, 0
	c.LocateEvery, c.ShuffleEvery = 40*time.Millisecond, 500*time.Millisecond
	return c
}

// disturbed draws one or two of what may happen to nodes and messages, and nothing for
// every sixth seed.
func disturbed(seed uint64) Config {
	c, rng := contested(seed), rand.New(rand.NewPCG(seed, 1))
	at := func() time.Duration { return time.Duration(5+rng.IntN(20)) * time.Second }
	harms := []func(){
		func() { c.Transport, c.Loss = "datagram", 0.01+0.04*rng.Float64() },
		func() { c.Kill = Moments{{0.1 + 0.4*rng.Float64(), at()}} },
		func() { c.SessionMedian = time.Duration(60+rng.IntN(240)) * time.Second },
		func() { c.Join = Moments{{0.3, at()}} },
		func() { c.Leave = Moments{{0.2, at()}} },
		func() {
			from := at()
			c.Partition = Spans{{0.1 + 0.4*rng.Float64(), from, from + time.Duration(5+rng.IntN(20))*time.Second}}
		},
	}
	if seed%6 > 0 {
		for _, i := range rng.Perm(len(harms))[:1+rng.IntN(2)] {
			harms[i]()
		}
	}
	return c
}

// told plays a scenario and returns what its history says, and what is wrong with it.
func told(t testing.TB, c Config, arrange func(*run)) (history.Counts, []history.Finding) {
	t.Helper()
	r, err := prepare(c)
	if err != nil {
		t.Fatal(err)
	}
	r.history.strict = true
	if err := r.begin(); err != nil {
		t.Fatal(err)
	}
	r.publishAll()
	if arrange != nil {
		arrange(r)
	}
	r.warmUp()
	r.measure()
	return r.history.log.Counts(), r.history.log.Check()
}

// demandHistory fails for every answer that was right at no moment.
func demandHistory(t *testing.T, c Config, wrong []history.Finding) {
	t.Helper()
	for _, f := range wrong {
		t.Errorf("seed %d, %d nodes, loss %.2f, kill %s, join %s, leave %s, partition %s, sessions %v: %s",
			c.Seed, c.Nodes, c.Loss, c.Kill.String(), c.Join.String(), c.Leave.String(), c.Partition.String(), c.SessionMedian, f.Text)
	}
}

// TestHistoriesHold plays scenarios with loss, crashes, churn, departures, joins and
// partitions: nothing is called absent that an asker could reach, and nobody is found who
// has withdrawn or crashed too long ago.
func TestHistoriesHold(t *testing.T) {
	t.Parallel()
	var sum history.Counts
	for seed := range runs(9) {
		c := disturbed(seed)
		counts, wrong := told(t, c, nil)
		demandHistory(t, c, wrong)
		sum.Objects += counts.Objects
		sum.Happened += counts.Happened
		sum.Found += counts.Found
		sum.Absent += counts.Absent
	}
	t.Logf("%+v", sum)
	if n := int(runs(9)); 9*sum.Happened < 2000*n || 9*sum.Found < 10000*n || 9*sum.Absent < 75*n { // of nine seeds
		t.Errorf("too little to be judged by: %+v", sum)
	}
}

// TestWhatWasTakenBackIsNamedToNobody who asks from then on, where nothing is lost: nodes begin and
// cease to serve all the while, and somebody always asks.
func TestWhatWasTakenBackIsNamedToNobody(t *testing.T) {
	t.Parallel()
	c := contested(1)
	c.LocateEvery, c.ShuffleEvery, c.Duration = 2*time.Millisecond, 100*time.Millisecond, 20*time.Second
	counts, wrong := told(t, c, nil)
	demandHistory(t, c, wrong)
	if t.Logf("%+v", counts); counts.Happened < 400 || counts.Found < 10000 {
		t.Errorf("too little to be judged by: %+v", counts)
	}
}

// TestHistoriesHoldWhenHalfAreKilled, with but one server left of some objects.
func TestHistoriesHoldWhenHalfAreKilled(t *testing.T) {
	t.Parallel()
	for seed := range runs(3) {
		c := contested(seed)
		c.Kill, c.LocateEvery, c.Duration = Moments{{0.5, 10 * time.Second}}, 12*time.Millisecond, 35*time.Second
		counts, wrong := told(t, c, nil)
		demandHistory(t, c, wrong)
		t.Logf("%+v", counts)
	}
}

// killHolders crashes the roots of all salted keys of every object and then, twice, who are the
// roots now: these are the heirs, who hold copies.
func killHolders(r *run) {
	for range 3 {
		killRoots(r)
	}
}

// killRoots crashes the roots of all salted keys of every object, but for its servers.
func killRoots(r *run) {
	for _, o := range r.objects {
		for salt := range salts {
			root := of(r.world.Host(r.people.root(idspace.Hex.Salted(o.guid, salt, salts))))
			serves := slices.ContainsFunc(r.objects, func(o *object) bool {
				return slices.ContainsFunc(o.servers, func(s server) bool { return s.member == root })
			})
			if !serves {
				r.crash(root)
			}
		}
	}
}

// promoted is a scenario in which nodes become roots all at once that have no pointers yet.
func promoted(seed uint64) Config {
	c := contested(seed)
	c.Nodes, c.Objects, c.Replicas, c.ShuffleEvery = 200, 8, 1, 0
	c.LocateEvery, c.Duration = 6*time.Millisecond, 20*time.Second
	return c
}

// TestAPromotedRootDoesNotDenyWhatItDoesNotKnowYet: all roots of an object crash at once, alone or
// with their heirs, and everybody asks.
func TestAPromotedRootDoesNotDenyWhatItDoesNotKnowYet(t *testing.T) {
	t.Parallel()
	for seed := range runs(3) {
		for _, kill := range []func(*run){killRoots, killHolders} {
			c := promoted(seed)
			counts, wrong := told(t, c, func(r *run) { r.world.After(2*time.Second, func() { kill(r) }) })
			demandHistory(t, c, wrong)
			t.Logf("%+v", counts)
		}
	}
}
