package sim

import (
	"testing"
	"time"
)

// TestRepairThatReactsFillsTheLinks: nodes that exchange tables because they have changed
// send more where there is least room for it, and answer less ([4], on reactive recovery): when
// three in ten crash at once, all others react to the same deaths. They do not send ever more, since
// a full link is no longer taken for a death that calls for repair.
func TestRepairThatReactsFillsTheLinks(t *testing.T) {
	t.Parallel()
	clock, reaction := 0.0, 0.0
	for seed := range runs(9) {
		c := small(100)
		c.Seed, c.Transport, c.Bandwidth, c.SessionMedian = seed, "datagram", 40e3, 10*time.Minute
		c.Kill = Moments{{0.3, 5 * time.Second}}
		c.Objects, c.LocateEvery, c.PublishEvery, c.LookupEvery = 0, 0, 0, time.Second
		c.Warmup, c.Duration, c.Fast = 20*time.Second, 40*time.Second, true
		periodic := played(t, c)
		c.Recovery = "reactive"
		reactive := played(t, c)
		clock += periodic.Traffic.BytesPerNodeS
		reaction += reactive.Traffic.BytesPerNodeS
		if a, b := periodic.Lookups, reactive.Lookups; a.CompletedRatio < 0.85 || b.CompletedRatio > 0.8*a.CompletedRatio {
			t.Errorf("seed %d: %.3f of lookups answered, %.3f with reactions", seed, a.CompletedRatio, b.CompletedRatio)
		}
		if a, b := periodic.Detector.FalseDeaths, reactive.Detector.FalseDeaths; a > 10 || b > 10 {
			t.Errorf("seed %d: %d false deaths, %d with reactions", seed, a, b)
		}
		if periodic.Recovery != "periodic" || reactive.Recovery != "reactive" {
			t.Errorf("reports of %q and %q", periodic.Recovery, reactive.Recovery)
		}
	}
	if reaction < 2.5*clock {
		t.Errorf("over %d seeds %.0f bytes per node and second, %.0f with reactions", runs(9), clock, reaction)
	}
}
