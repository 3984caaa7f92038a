package sim

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

// amongTheHostile is an overlay in which others look for objects of one server each.
func amongTheHostile(t *testing.T, change func(*Config)) report.Report {
	t.Helper()
	c := small(300)
	c.Fast, c.LookupEvery, c.PublishEvery, c.LocateEvery = true, 0, 0, 10*time.Millisecond
	c.Objects, c.Replicas = 200, 1
	change(&c)
	r := played(t, c)
	t.Logf("%d locates, %.2f %% found, %d wrongly absent, %d unknown; %.1f %% of %d publishes placed", r.Locates.Total,
		100*r.Locates.FoundRatio, r.Locates.WrongAbsent, r.Locates.Unknown, 100*r.Publish.PlacedRatio, r.Publish.Total)
	return r
}

// TestObjectsAreFoundAmongNodesThatDeny: a tenth of the nodes says that there is nothing.
func TestObjectsAreFoundAmongNodesThatDeny(t *testing.T) {
	t.Parallel()
	for seed := range runs(2) {
		r := amongTheHostile(t, func(c *Config) { c.Deny, c.Seed = 0.1, seed })
		if l := r.Locates; l.Total < 1900 || l.FoundRatio < 0.995 || l.WrongAbsent > l.Total/1000 || r.Publish.PlacedRatio < 1 {
			t.Errorf("%+v", l)
		}
	}
	if r := amongTheHostile(t, func(c *Config) { c.Deny = 0.9 }); r.Locates.FoundRatio > 0.9 || r.Locates.WrongAbsent == 0 {
		t.Errorf("nine in ten deny, and yet: %+v", r.Locates)
	}
}

// TestObjectsAreFoundAmongNodesThatDropThem: a tenth of the nodes does nothing with publishes
// and locates. A publish needs three of four ways without such a node.
func TestObjectsAreFoundAmongNodesThatDropThem(t *testing.T) {
	t.Parallel()
	r := amongTheHostile(t, func(c *Config) { c.DropObjects = 0.1 })
	if l := r.Locates; l.Total < 1700 || l.FoundRatio < 0.99 || l.WrongAbsent > 0 || r.Publish.PlacedRatio < 0.85 {
		t.Errorf("%+v, %+v", l, r.Publish)
	}
	if r.Detector.FalseSuspicions > 0 {
		t.Errorf("%d suspicions of nodes that acknowledge what they drop", r.Detector.FalseSuspicions)
	}
	if r := amongTheHostile(t, func(c *Config) { c.DropObjects = 0.6 }); r.Publish.PlacedRatio > 0.5 {
		t.Errorf("six in ten drop everything, and yet: %+v", r.Publish)
	}
}
