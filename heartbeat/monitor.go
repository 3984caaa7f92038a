// Package heartbeat watches the neighbors that this node points at: beacons measure
// round trips, renew the neighbor's backpointer and find out who has gone (JSAC §IV-A;
// design §7). It answers the gate's probes and it alone writes internal/links.
//
// Suspicion and death differ. A missed acknowledgement makes a suspect, which routing
// avoids at once; death takes DeathProbes unanswered beacons in a row, at least
// ProbeSpacing apart and not doubling (findings A.3). A connection that closes starts
// those probes at once.
//
// It departs from JSAC in that every beacon says what its sender uses the link for, so
// that a node at its cap can refuse the least useful links (docs/adr/0006-links-have-uses.md).
//
// Invariants: a series of probes ends in Up, Down or a Verdict; no link is opened
// beyond the cap.
//
// Layer 5: imports links and below; node alone imports it.
package heartbeat

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// Config holds the periods of the failure detector.
type Config struct {
	// Period is the mean time between beacons to a neighbor; each is drawn from 0.5 to
	// 1.5 times it. If zero, 8 s.
	Period time.Duration
	// Life is how long the other side keeps a backpointer without a beacon. If zero, 4 × Period.
	Life time.Duration
	// DeathProbes is how many unanswered beacons make a suspect dead. If zero, 4 (findings A.3).
	DeathProbes int
	// ProbeSpacing is the least time between them. If zero, 150 ms.
	ProbeSpacing time.Duration
	// GateProbes is how often a stranger is asked before the gate gives up. If zero, 3.
	GateProbes int
	// GateSpacing is the time between those, dialing included. If zero, 1500 ms.
	GateSpacing time.Duration
}

// WithDefaults returns c with zero fields filled in.
func (c Config) WithDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.Period, 8*time.Second)
	def(&c.Life, 4*c.Period)
	def(&c.ProbeSpacing, 150*time.Millisecond)
	def(&c.GateSpacing, 1500*time.Millisecond)
	if c.DeathProbes == 0 {
		c.DeathProbes = 4
	}
	if c.GateProbes == 0 {
		c.GateProbes = 3
	}
	return c
}

// Validate names the field that makes no sense.
func (c Config) Validate() error {
	switch {
	case c.Period <= 0 || c.ProbeSpacing <= 0 || c.GateSpacing <= 0:
		return fmt.Errorf("heartbeat: Period %v, ProbeSpacing %v, GateSpacing %v: want positive", c.Period, c.ProbeSpacing, c.GateSpacing)
	case c.Life < 2*c.Period:
		return fmt.Errorf("heartbeat: Life %v is less than twice Period %v", c.Life, c.Period)
	case c.DeathProbes < 1 || c.GateProbes < 1:
		return fmt.Errorf("heartbeat: DeathProbes %d, GateProbes %d: want at least 1", c.DeathProbes, c.GateProbes)
	}
	return nil
}

// The timers of this room.
const (
	timerBeat  uint8 = iota // the next beacon to Peer is due
	timerAgain              // the beacon to Peer was not answered in time
	timerSweep              // look for backpointers that were not renewed
)

// Monitor is the machine. It is not safe for concurrent use.
type Monitor struct {
	cfg     Config
	links   *links.Table
	watches map[idspace.ID]*watch // one per link, and one per stranger being probed
	open    bool                  // this node has begun to join: others may point at it
}

// watch is what is under way between this node and one other.
type watch struct {
	seq    uint64    // of the beacon that waits for its acknowledgement, 0 if none does
	sent   mono.Time // when it left
	tries  int       // beacons sent in this series
	closed bool      // the connection has gone: probing has to dial
	opened bool      // the link was opened while the beacon waited: its answer measures the dial
	asks   []env.Probe
}

// New returns a monitor that writes table. cfg must be valid.
func New(cfg Config, table *links.Table) *Monitor {
	return &Monitor{cfg: cfg, links: table, watches: make(map[idspace.ID]*watch)}
}

// Start sets the first timer.
func (m *Monitor) Start(e env.Env) {
	e.SetTimer(env.TimerKey{Room: env.Heartbeat, What: timerSweep}, m.cfg.Period)
}

// Open lets others point at this node from now on: it joins.
func (m *Monitor) Open() { m.open = true }

// OnDeparting refuses to be pointed at from now on, and points at nobody.
func (m *Monitor) OnDeparting() { m.open = false }

// OnTimer takes back a timer that this machine set.
func (m *Monitor) OnTimer(e env.Env, k env.TimerKey) {
	switch k.What {
	case timerBeat:
		m.beat(e, k.Peer)
	case timerAgain:
		m.again(e, k.Peer)
	case timerSweep:
		m.sweep(e)
	}
}

// OnTraffic notes that something came from a node: it is as good as a beacon.
func (m *Monitor) OnTraffic(e env.Env, from idspace.ID) {
	if l := m.links.Link(from); l != nil {
		l.Heard = e.Now()
	}
}

func (m *Monitor) watch(id idspace.ID) *watch {
	w := m.watches[id]
	if w == nil {
		w = new(watch)
		m.watches[id] = w
	}
	return w
}

// rest forgets a watch that nothing needs any more.
func (m *Monitor) rest(e env.Env, id idspace.ID) {
	w := m.watches[id]
	if w == nil || len(w.asks) > 0 || m.links.Linked(id) {
		return
	}
	delete(m.watches, id)
	e.StopTimer(env.TimerKey{Room: env.Heartbeat, What: timerAgain, Peer: id})
	e.StopTimer(env.TimerKey{Room: env.Heartbeat, What: timerBeat, Peer: id})
}
