package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
	"golang.org/x/sync/errgroup"
)

// playTogether plays simulations, some of them beside each other, and returns the
// reports in their order: of those that came to an end, if one fails or the user has had
// enough. A run does not hear of that, and nobody waits for it then.
func (c *cli) playTogether(ctx context.Context, all []*simulation, parallel int) ([]report.Report, error) {
	m := newMeter(c.bar(), all)
	defer m.clear()
	played := &takes{reports: make([]report.Report, len(all))}
	ended := make(chan error, 1)
	go func() { ended <- playAll(ctx, all, parallel, played, m) }()
	select {
	case err := <-ended:
		return played.ended(), err
	case <-ctx.Done():
		return played.ended(), ctx.Err()
	}
}

// takes are the reports of simulations that are played at the same time.
type takes struct {
	mu      sync.Mutex
	reports []report.Report // blank until it has come to its end
}

func (t *takes) set(i int, r report.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reports[i] = r
}

// ended are those that have come to their end by now.
func (t *takes) ended() []report.Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(t.reports), func(r report.Report) bool { return r.Protocol == "" })
}

func playAll(ctx context.Context, all []*simulation, parallel int, played *takes, m *meter) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, s := range all {
		if s.progress == "auto" {
			s.cfg.Progress = func(p sim.Progress) { m.advance(i, s, p) }
		}
		g.Go(func() error {
			if ctx.Err() != nil { // another one has failed
				return ctx.Err()
			}
			r, err := s.run()
			if parallel > 1 { // what is in use is that of all together
				r.State.HeapBytesPerNode = 0
			}
			played.set(i, r)
			return s.failed(err)
		})
	}
	return g.Wait()
}

// failed says which simulation an error is of.
func (s *simulation) failed(err error) error {
	if err == nil {
		return nil
	}
	r := s.cfg.Blank()
	named := fmt.Errorf("%s, sessions %s, %s: %w", s.cfg.Protocol, r.Sessions(), s.cfg.Transport, err)
	var file *sim.FileError
	if errors.As(err, &file) {
		return usageError{named}
	}
	return named
}

// meter shows on one bar how far several simulations have come together.
type meter struct {
	mu    sync.Mutex
	bar   *bar
	text  string
	done  []time.Duration
	total time.Duration
}

func newMeter(b *bar, all []*simulation) *meter {
	m := &meter{bar: b, text: count(len(all), "scenario"), done: make([]time.Duration, len(all))}
	for _, s := range all {
		m.total += s.cfg.Warmup + s.cfg.Duration
	}
	return m
}

// advance takes what one of them tells.
func (m *meter) advance(i int, s *simulation, p sim.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch p.Stage {
	case "warming up":
		m.done[i] = p.Done
	case "running":
		m.done[i] = s.cfg.Warmup + p.Done
	}
	sum := time.Duration(0)
	for _, d := range m.done {
		sum += d
	}
	m.bar.advance(m.text, int(sum.Seconds()), int(m.total.Seconds()))
}

func (m *meter) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bar.clear()
}
