// Package demo shows the overlay at work: real hosts on loopback in one process
// publish the files of a folder, fetch them from each other and check every byte,
// lose a third of their number without a goodbye, and fetch again.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/cmd/tapestry/content"
)

// fetchTimeout is the patience for one file: enough to outlast the time in which
// the overlay notices that a server has died.
const fetchTimeout = time.Minute

// Config says what to show.
type Config struct {
	Nodes    int    // hosts to start, at least 2
	Replicas int    // servers of each object, at least 1 and fewer than Nodes
	Seed     uint64 // of all random choices but the hosts' identities
	Files    fs.FS  // what to publish
	// Progress is told how far a stage is; nil tells nobody. Calls do not overlap.
	Progress func(stage string, done, total int)
}

// Validate says what cannot be shown.
func (c Config) Validate() error {
	switch {
	case c.Nodes < 2:
		return fmt.Errorf("nodes: %d: want at least 2", c.Nodes)
	case c.Replicas < 1 || c.Replicas >= c.Nodes:
		return fmt.Errorf("replicas: %d: want at least 1 and fewer than the %d nodes", c.Replicas, c.Nodes)
	}
	return nil
}

// Report is how it went.
type Report struct {
	Nodes        int     `json:"nodes"`
	Objects      int     `json:"objects"`
	Fetched      int     `json:"fetched"`       // objects whose bytes came
	Verified     int     `json:"verified"`      // those of them with the right hash
	NearestRatio float64 `json:"nearest_ratio"` // share that the nearest server served, see measure
	Stretch      Stretch `json:"stretch"`
	AfterKill    Phase   `json:"after_kill"` // the same once a third of the nodes has died
	HopsMean     float64 `json:"hops_mean"`  // overlay links that a message crossed to its server
	WallS        float64 `json:"wall_s"`

	Replicas  int      `json:"-"`
	Bytes     int64    `json:"-"` // of all objects
	Killed    int      `json:"-"` // nodes
	Surviving int      `json:"-"` // objects that had a living server after the kill
	Failures  []string `json:"-"`
}

// Stretch is how long a message to an object took there and back, divided by the round-trip time to
// its nearest server: half and nine tenths of the messages took no more.
type Stretch struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
}

// Phase counts the fetches of one phase.
type Phase struct {
	Fetched  int `json:"fetched"`
	Verified int `json:"verified"`
}

// Complete reports whether every object that had a living server was fetched and
// verified.
func (r Report) Complete() bool {
	return r.Verified == r.Objects && r.AfterKill.Verified == r.Surviving && len(r.Failures) == 0
}

// errNothing: a demo of no files would prove nothing.
var errNothing = errors.New("no regular files to publish")

// Run shows what the settings ask for. Its error is for what kept it from showing;
// what the overlay failed at is in the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	items, err := content.HashAll(cfg.Files)
	if err != nil {
		return Report{}, err
	}
	if len(items) == 0 {
		return Report{}, errNothing
	}
	begin := time.Now()
	s := &show{cfg: cfg, rand: rand.New(rand.NewPCG(cfg.Seed, 0))}
	defer s.close()
	if err := s.start(ctx); err != nil {
		return Report{}, err
	}
	r := s.run(ctx, items)
	r.WallS = time.Since(begin).Seconds()
	return r, ctx.Err()
}

// run publishes, fetches, kills and fetches again.
func (s *show) run(ctx context.Context, items []content.Item) Report {
	r := Report{Nodes: s.cfg.Nodes, Objects: len(items), Replicas: s.cfg.Replicas}
	for _, item := range items {
		r.Bytes += item.Size
	}
	objects := s.assign(items)
	r.Failures = s.publish(ctx, objects)

	before := s.fetch(ctx, "fetching", objects)
	r.Fetched, r.Verified, r.HopsMean = before.fetched, before.verified, before.hopsMean()
	quiet := s.measure(ctx, before.trips)
	r.NearestRatio = quiet.nearest
	r.Stretch = Stretch{P50: quantile(quiet.stretch, 0.5), P90: quantile(quiet.stretch, 0.9)}

	r.Killed = s.kill(s.cfg.Nodes / 3)
	surviving := s.living(objects)
	r.Surviving = len(surviving)
	after := s.fetch(ctx, "fetching again", surviving)
	r.AfterKill = Phase{after.fetched, after.verified}
	r.Failures = slices.Concat(r.Failures, before.failures, quiet.failures, after.failures)
	return r
}
