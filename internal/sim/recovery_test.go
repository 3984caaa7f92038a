package sim

import (
	"testing"
	"time"
)

// TestRepairThatReactsFillsTheLinks: nodes that exchange tables because they have changed
// send more where there is least room for it, and answer less ([4], on reactive recovery). They do
// not send ever more, since a full link is no longer taken for a death that calls for repair.
func TestRepairThatReactsFillsTheLinks(t *testing.T) {
	t.Parallel()
	c := small(100)
	c.Transport, c.Bandwidth, c.SessionMedian = "datagram", 15e3, 10*time.Minute
	c.Objects, c.LocateEvery, c.PublishEvery, c.LookupEvery = 0, 0, 0, time.Second
	c.Warmup, c.Duration, c.Fast = 20*time.Second, 40*time.Second, true
	periodic := played(t, c)
	c.Recovery = "reactive"
	reactive := played(t, c)
	if a, b := periodic.Traffic.BytesPerNodeS, reactive.Traffic.BytesPerNodeS; b < 1.5*a {
		t.Errorf("%.0f bytes per node and second, %.0f with reactions, of %.0f that there is room for", a, b, c.Bandwidth/8)
	}
	if a, b := periodic.Lookups, reactive.Lookups; a.CompletedRatio < 0.7 || b.CompletedRatio > 0.97*a.CompletedRatio {
		t.Errorf("%.3f of lookups answered, %.3f with reactions", a.CompletedRatio, b.CompletedRatio)
	}
	if a, b := periodic.Detector.FalseDeaths, reactive.Detector.FalseDeaths; a > 10 || b > 10 {
		t.Errorf("%d false deaths, %d with reactions", a, b)
	}
	if periodic.Recovery != "periodic" || reactive.Recovery != "reactive" {
		t.Errorf("reports of %q and %q", periodic.Recovery, reactive.Recovery)
	}
}
