//go:build !race

// As in popular_test.go: long, and of one goroutine.

package sim

import (
	"testing"
	"time"
)

// TestDoorsBringMessagesSooner sends messages to objects of which holders know the servers' doors, and of which they
// do not (docs/adr/0026). The slowest of ten is delivered clearly sooner, at no more messages.
func TestDoorsBringMessagesSooner(t *testing.T) {
	t.Parallel()
	play := func(without ...string) (raced, once, messages float64) {
		const seeds = 4
		for seed := range uint64(seeds) {
			c := Default()
			c.RTTMatrix, c.Seed, c.Nodes, c.Objects, c.Replicas, c.Warm, c.Fast, c.Without = planetLab(t), seed+1, 490, 300, 4, "always", true, without
			c.LookupEvery, c.PublishEvery, c.LocateEvery, c.Duration = 0, 0, 20*time.Millisecond, 20*time.Second
			l := played(t, c).Locates
			if l.FoundRatio < 1 {
				t.Errorf("without %v: found %.4f", without, l.FoundRatio)
			}
			raced, once, messages = raced+l.DeliveryStretch.P90/seeds, once+l.DeliveryStretchOnce.P90/seeds, messages+l.MessagesMean/seeds
		}
		t.Logf("without %v: nine of ten raced within %.2f, at most once within %.2f, %.1f messages", without, raced, once, messages)
		return raced, once, messages
	}
	raced, once, messages := play()
	racedBare, onceBare, messagesBare := play("doors")
	if raced > 0.95*racedBare || once > 0.97*onceBare || messages > 1.02*messagesBare {
		t.Errorf("raced %.2f for %.2f, at most once %.2f for %.2f, %.1f messages for %.1f",
			raced, racedBare, once, onceBare, messages, messagesBare)
	}
}
