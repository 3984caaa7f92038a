//go:build !race

// What is played here is long and has one goroutine: the race detector would take ten times as
// long for it, and see nothing that shorter tests do not show.

package sim

import (
	"testing"
	"time"
)

// What holds today when a fifth of the nodes crash at once, in each window of five seconds
// from the kill on: the share of answers that name a server which lives. A first answer may
// come from a node that knows dead ones alone. Wanted: 0.99, from the first window on.
const (
	livingAfterKillToday         = 0.93
	livingMeasuredAfterKillToday = 0.99 // in all
)

// TestObjectsOutliveAMassKill: nobody lays pointers anew within that time, of objects that have a
// living server.
func TestObjectsOutliveAMassKill(t *testing.T) {
	t.Parallel()
	for seed := range runs(2) {
		c := small(400)
		c.Seed, c.Fast, c.Transport, c.Loss = seed, true, "datagram", 0.02
		c.LookupEvery, c.PublishEvery, c.LocateEvery = 0, 0, 3750*time.Microsecond
		c.Objects, c.Duration, c.Kill = 400, 25*time.Second, Moments{{0.2, 5 * time.Second}}
		r := played(t, c)
		for _, w := range r.Timeline {
			t.Logf("from %v s: %.2f %% of %d", w.FromS, 100*w.LivingRatio, w.Asks)
			if w.Asks < 600 || w.LivingRatio < livingAfterKillToday || w.FromS < 5 && w.LivingRatio < 0.99 {
				t.Errorf("%+v", w)
			}
		}
		l := r.Locates
		t.Logf("measured answers: %.2f %%; %d wrongly absent", 100*l.LivingMeasuredRatio, l.WrongAbsent)
		if l.LivingMeasuredRatio < livingMeasuredAfterKillToday || l.WrongAbsent > 0 {
			t.Errorf("%+v", l)
		}
	}
}

// livingInChurnToday is the share of answers that name a server which lives, under sessions
// of ten minutes. Wanted: 0.999.
const livingInChurnToday = 0.98

// TestObjectsAreFoundInChurn: sessions of ten minutes at the median.
func TestObjectsAreFoundInChurn(t *testing.T) {
	t.Parallel()
	c := small(200)
	c.Fast, c.Check, c.SessionMedian, c.Duration = true, true, 10*time.Minute, 3*time.Minute
	c.LookupEvery, c.PublishEvery, c.LocateEvery = 0, time.Second, 20*time.Millisecond
	r := played(t, c)
	l := r.Locates
	t.Logf("%.3f %% found, %.3f %% name a server that lives, %.3f %% of the measured; %d wrongly absent", 100*l.FoundRatio,
		100*l.LivingRatio, 100*l.LivingMeasuredRatio, l.WrongAbsent)
	if l.Total < 8000 || l.LivingRatio < livingInChurnToday || l.WrongAbsent > 0 || r.Oracles[historic] > 0 {
		t.Errorf("%+v, %v", l, r.Oracles)
	}
}

// TestTablesAreRightUnderChurn: sessions of ten minutes, in tables so full that nodes refuse links. No slot
// stays empty, and nobody who is down stays in a leaf set, for longer than repair may take.
func TestTablesAreRightUnderChurn(t *testing.T) {
	t.Parallel()
	c := Default()
	c.RTTMatrix, c.Seed, c.Nodes, c.Transport, c.Loss = planetLab(t), 2, 400, "datagram", 0.02
	c.Fast, c.Check, c.SessionMedian, c.Warmup, c.Duration = true, true, 10*time.Minute, time.Minute, 4*time.Minute
	c.Objects, c.PublishEvery, c.LocateEvery, c.LookupEvery = 0, 0, 0, 200*time.Millisecond
	for oracle, found := range played(t, c).Oracles {
		if found > 0 {
			t.Errorf("%d violations of %s", found, oracle)
		}
	}
}
