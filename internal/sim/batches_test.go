package sim

import (
	"testing"
	"time"
)

// TestBatchesArriveAndAreFound publishes objects as batches: all are placed, found from anywhere, and cost less on their ways than one by one.
func TestBatchesArriveAndAreFound(t *testing.T) {
	cost := make(map[int]float64)
	for _, size := range []int{50, 800} {
		c := Default()
		c.Nodes, c.Objects, c.Batch, c.Replicas, c.Warm, c.Check = 150, 800, size, 1, "always", true
		c.LocateEvery, c.LookupEvery, c.PublishEvery, c.Duration = 20*time.Millisecond, 0, 0, 10*time.Second
		r := played(t, c)
		b := r.Publish.Batches
		t.Logf("batches of %d: %+v", size, *b)
		if b.PlacedRatio != 1 || r.Locates.FoundRatio != 1 || len(r.Violations) > 0 {
			t.Errorf("batches of %d: %.3f placed, %.3f found, %v", size, b.PlacedRatio, r.Locates.FoundRatio, r.Violations)
		}
		cost[size] = b.PathBytes
	}
	if cost[800] >= cost[50] {
		t.Errorf("bytes on paths by size: %v", cost)
	}
}
