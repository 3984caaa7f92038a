package publish

import (
	"testing"

	"pgregory.net/rapid"
)

// TestThePaceFollowsWhatComesThrough: the window doubles with each round trip until something
// is late, and stays within its bounds whatever happens.
func TestThePaceFollowsWhatComesThrough(t *testing.T) {
	c := newPace()
	for range firstWindow {
		c.acked(attempt{tries: 1})
	}
	if c.window != 2*firstWindow {
		t.Errorf("after a round trip %v may be open, want %d", c.window, 2*firstWindow)
	}
	c.late()
	c.acked(attempt{tries: 2})
	if c.window != firstWindow {
		t.Errorf("after a loss %v may be open, want %d", c.window, firstWindow)
	}
	rapid.Check(t, func(t *rapid.T) {
		c := newPace()
		t.Repeat(map[string]func(*rapid.T){
			"acked": func(t *rapid.T) { c.acked(attempt{tries: rapid.IntRange(1, 3).Draw(t, "tries")}) },
			"late":  func(*rapid.T) { c.late() },
			"": func(t *rapid.T) {
				if c.window < 1 || c.window > maxWindow {
					t.Fatalf("window %v", c.window)
				}
			},
		})
	})
}
