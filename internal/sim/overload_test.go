//go:build !race

// What is played here is long and has one goroutine: the race detector would take ten times as
// long for it, and see nothing that shorter tests do not show.

package sim

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

// narrow is an overlay whose nodes have uplinks of 50 kbit/s and are asked by nobody but each other.
func narrow(nodes int) Config {
	c := small(nodes)
	c.Warm, c.Transport, c.Loss, c.Bandwidth, c.Fast = "always", "datagram", 0.02, 50e3, true
	c.Objects, c.LocateEvery, c.PublishEvery, c.LookupEvery = 0, 0, 0, 400*time.Millisecond
	return c
}

// capacity is how many lookups per second all uplinks carry together, if each is as full as any
// other: of what lookups cost where links are not limited, and what all else costs.
func capacity(t *testing.T, c Config) float64 {
	t.Helper()
	limit, nodes := c.Bandwidth/8, float64(c.Nodes)
	c.Bandwidth, c.Duration = 0, 20*time.Second
	calm := played(t, c)
	c.LookupEvery /= 20
	busy := played(t, c)
	rate := func(r report.Report) float64 { return float64(r.Lookups.Total) / r.VirtualS / nodes }
	cost := (busy.Traffic.BytesPerNodeS - calm.Traffic.BytesPerNodeS) / (rate(busy) - rate(calm))
	return nodes * (limit - calm.Traffic.BytesPerNodeS + cost*rate(calm)) / cost
}

// goodput is how many lookups per second are answered truly of those begun from one time to another.
func goodput(r report.Report, from, to time.Duration) (perSecond float64) {
	for _, w := range r.Timeline {
		if w.FromS >= from.Seconds() && w.FromS < to.Seconds() {
			perSecond += w.LookupSuccess * float64(w.Lookups) / (to - from).Seconds()
		}
	}
	return perSecond
}

// TestTwiceTheTrafficThatTheLinksCarry for five minutes: nobody is taken for dead, hardly anything is
// lost that was not refused, no less comes through than of half the traffic, and after ten
// seconds all is as before. What comes through is less than the mean of the uplinks would carry, because
// the busiest are full long before the others.
func TestTwiceTheTrafficThatTheLinksCarry(t *testing.T) {
	t.Parallel()
	c := narrow(80)
	most := capacity(t, c)
	calm := 10 / c.LookupEvery.Seconds()
	from, to := 10*time.Second, 310*time.Second
	c.Duration = 330 * time.Second
	c.Surge = Surges{{2 * most / calm, from, to}}
	twice := played(t, c)
	c.Duration, c.Surge = time.Minute, Surges{{most / calm, from, time.Minute}}
	once := played(t, c)
	l, through, half := twice.Lookups, goodput(twice, from, to), goodput(once, from, time.Minute)
	t.Logf("the mean uplink carries %.0f lookups/s; of twice as many %.0f came through, of as many %.0f; %.3f refused, %.4f lost",
		most, through, half, l.RefusedRatio, l.LostRatio)
	if d := twice.Detector; d.FalseDeaths > 0 {
		t.Errorf("%d false deaths", d.FalseDeaths)
	}
	if through < 0.5*most || through < 0.8*half || l.LostRatio > 0.02 || l.TrueRatio < 1 {
		t.Errorf("lookups %+v", l)
	}
	for _, w := range twice.Timeline {
		if w.FromS >= to.Seconds()+10 && w.LookupSuccess < 1 {
			t.Errorf("%v s after: %.3f of lookups answered, %.3f refused", w.FromS-to.Seconds(), w.LookupSuccess, w.LookupRefused)
		}
	}
}
