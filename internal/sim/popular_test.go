//go:build !race

// What is played here is long and has one goroutine: the race detector would take ten times as
// long for it, and see nothing that shorter tests do not show.

package sim

import (
	"testing"
	"time"
)

// TestPopularObjectsComeNearer sends messages to two objects again and again, with pointers cached a hop
// further out and without (design §8). They come to be delivered sooner, and cost no more messages.
func TestPopularObjectsComeNearer(t *testing.T) {
	t.Parallel()
	play := func(without ...string) (raced, once, messages float64) {
		const seeds = 2
		for seed := range uint64(seeds) {
			c := Default()
			c.Seed, c.Nodes, c.Objects, c.Replicas, c.Warm, c.Fast, c.Without = seed+1, 300, 2, 2, "always", true, without
			c.LookupEvery, c.PublishEvery, c.LocateEvery, c.Duration = 0, 0, 2*time.Millisecond, 10*time.Second
			l := played(t, c).Locates
			if l.FoundRatio < 1 {
				t.Errorf("without %v: found %.4f", without, l.FoundRatio)
			}
			raced, once, messages = raced+l.DeliveryStretch.P90/seeds, once+l.DeliveryStretchOnce.P50/seeds, messages+l.MessagesMean/seeds
		}
		t.Logf("without %v: raced p90 %.2f, at most once p50 %.2f, %.1f messages", without, raced, once, messages)
		return raced, once, messages
	}
	raced, once, messages := play()
	racedBare, onceBare, messagesBare := play("caching")
	if raced > 0.97*racedBare || once > 0.97*onceBare || messages > 1.1*messagesBare {
		t.Errorf("raced %.2f for %.2f, at most once %.2f for %.2f, %.1f messages for %.1f",
			raced, racedBare, once, onceBare, messages, messagesBare)
	}
}
