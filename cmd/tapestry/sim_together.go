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
// reports in their order: of those that came to an end, if one fails. A run does not hear
// of it when the user has had enough, so that nobody waits for it then.
func (c *cli) playTogether(ctx context.Context, all []*simulation, parallel int) ([]report.Report, error) {
	m := newMeter(c.bar(), all)
	defer m.clear()
	type end struct {
		reports []report.Report
		err     error
	}
	ended := make(chan end, 1)
	go func() {
		reports, err := playAll(ctx, all, parallel, m)
		ended <- end{reports, err}
	}()
	select {
	case e := <-ended:
		return e.reports, e.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func playAll(ctx context.Context, all []*simulation, parallel int, m *meter) ([]report.Report, error) {
	played := make([]report.Report, len(all))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, s := range all {
		if s.progress == "auto" {
			s.cfg.Progress = func(p sim.Progress) { m.advance(i, s, p) }
		}
		g.Go(func() (err error) {
			if ctx.Err() != nil { // another one has failed
				return ctx.Err()
			}
			played[i], err = s.run()
			if parallel > 1 { // what is in use is that of all together
				played[i].State.HeapBytesPerNode = 0
			}
			return s.failed(err)
		})
	}
	err := g.Wait()
	return slices.DeleteFunc(played, func(r report.Report) bool { return r.Protocol == "" }), err
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
