package main

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim"
)

// TestWhatWasPlayedIsKeptWhenTheUserHasHadEnough: the second simulation does not end before.
func TestWhatWasPlayedIsKeptWhenTheUserHasHadEnough(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	small := func(d time.Duration) *simulation {
		s := &simulation{cfg: sim.Default(), progress: "never"}
		s.cfg.Nodes, s.cfg.Objects, s.cfg.Warm, s.cfg.Duration = 3, 0, "always", d
		return s
	}
	short, long := small(time.Second), small(time.Minute)
	over := make(chan struct{})
	defer close(over)
	long.cfg.Progress = func(sim.Progress) {
		cancel()
		<-over
	}
	c := &cli{out: io.Discard, err: io.Discard}
	reports, err := c.playTogether(ctx, []*simulation{short, long}, 1)
	if !errors.Is(err, context.Canceled) || len(reports) != 1 || reports[0].VirtualS != 1 {
		t.Errorf("%d reports, %v: want the first, and that it was canceled", len(reports), err)
	}
}
