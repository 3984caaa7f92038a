// Package heartbeat watches the neighbors that this node points at: beacons measure
// round trips, renew the neighbor's backpointer and find out who has gone (JSAC §IV-A;
// design §7). It answers the gate's probes and it alone writes internal/links.
//
// Suspicion and death differ. A missed acknowledgement makes a suspect, which routing
// avoids at once; death takes DeathProbes unanswered beacons in a row, at least
// ProbeSpacing apart and not doubling (findings A.3). A connection that closes starts
// those probes at once, and so does the hint of a neighbor that somebody is dead, which
// is never believed but shortens them (confirm.go). Who must not be missed is given up only
// when others cannot reach it either (indirect.go).
//
// Beacons tune themselves to the rate at which neighbors die, and any traffic counts as
// one (MSPastry [6]; design §6; docs/adr/0009-beacons-tune-themselves.md).
//
// A node that did not run notices by the clock, and asks its neighbors before they have
// forgotten it (awake.go; docs/adr/0013-a-node-that-did-not-run.md).
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
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Config holds the periods of the failure detector.
type Config struct {
	// Fastest and Slowest bound the mean time between beacons to a neighbor; each is drawn
	// from 0.5 to 1.5 times it. If zero, 5 s and 60 s.
	Fastest, Slowest time.Duration
	// Stale is the share of neighbors that may be dead unnoticed: with the rate at which
	// they die it makes the period. If zero, 0.1 (findings A.2).
	Stale float64
	// DeathProbes is how many unanswered beacons make a suspect dead. If zero, 4 (findings A.3).
	DeathProbes int
	// ProbeSpacing is the least time between them. If zero, 150 ms.
	ProbeSpacing time.Duration
	// Awareness is how many times longer at most this node waits for its neighbors when
	// answers come late: Lifeguard's highest local health score. If zero, 7; below zero it
	// never waits longer.
	Awareness int
	// Confirmations is how many others, who have found a suspect dead, have its death take the
	// fewest probes: two. Fewer shorten it by their logarithm (Lifeguard). If zero, 2; below zero
	// nobody's word shortens it.
	Confirmations int
	// Helpers is how many others are asked whether they reach a node that this one must not
	// miss, before it is given up (SWIM). If zero, 3; below zero nobody is.
	Helpers int
	// Untold keeps it from a suspect that it is one (Lifeguard's buddy system tells it).
	Untold bool
	// Asleep is for how long this node has not run when it no longer trusts what it believes.
	// If zero, 15 s (design §7); below zero it never notices that it has not run.
	Asleep time.Duration
	// GateProbes is how often a stranger is asked before the gate gives up. If zero, 3.
	GateProbes int
	// GateSpacing is the longest time between those, dialing included; it is less where all known
	// nodes are near. If zero, 1500 ms.
	GateSpacing time.Duration
}

// WithDefaults returns c with zero fields filled in.
func (c Config) WithDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.Fastest, 5*time.Second)
	def(&c.Slowest, 60*time.Second)
	def(&c.ProbeSpacing, 150*time.Millisecond)
	def(&c.GateSpacing, 1500*time.Millisecond)
	def(&c.Asleep, 15*time.Second)
	if c.Stale == 0 {
		c.Stale = 0.1
	}
	if c.DeathProbes == 0 {
		c.DeathProbes = 4
	}
	if c.GateProbes == 0 {
		c.GateProbes = 3
	}
	if c.Awareness == 0 {
		c.Awareness = 7
	}
	if c.Confirmations == 0 {
		c.Confirmations = 2
	}
	if c.Helpers == 0 {
		c.Helpers = 3
	}
	return c
}

// Validate names the field that makes no sense.
func (c Config) Validate() error {
	switch {
	case c.ProbeSpacing <= 0 || c.GateSpacing <= 0:
		return fmt.Errorf("heartbeat: ProbeSpacing %v, GateSpacing %v: want positive", c.ProbeSpacing, c.GateSpacing)
	case c.Fastest < time.Second || c.Slowest < c.Fastest || c.Slowest > maxLife/lives:
		return fmt.Errorf("heartbeat: Fastest %v, Slowest %v: want 1 s to %v, in order", c.Fastest, c.Slowest, maxLife/lives)
	case c.Asleep >= 0 && c.Asleep < 2*c.Fastest:
		return fmt.Errorf("heartbeat: Asleep is %v, want at least twice Fastest, %v", c.Asleep, c.Fastest)
	case c.Stale <= 0 || c.Stale >= 1:
		return fmt.Errorf("heartbeat: Stale is %v, want a share between 0 and 1", c.Stale)
	case c.DeathProbes < 1 || c.GateProbes < 1:
		return fmt.Errorf("heartbeat: DeathProbes %d, GateProbes %d: want at least 1", c.DeathProbes, c.GateProbes)
	}
	return nil
}

// The timers of this room.
const (
	timerBeat  uint8 = iota // the next beacon to Peer is due
	timerAgain              // the beacon to Peer was not answered in time
	timerSweep              // look for backpointers that were not renewed, and retune
)

// Monitor is the machine. It is not safe for concurrent use.
type Monitor struct {
	cfg     Config
	links   *links.Table
	watches idspace.Table[*watch] // one per link, and one per stranger being probed
	open    bool                  // this node has begun to join: others may point at it

	running   running
	health    health
	failures  failures
	inquiries map[uint64]idspace.ID // whom each open one is about, see inquire
	period    time.Duration         // the mean time between beacons, as it is now
	paced     time.Duration         // what it was when beacons were pulled in last, or the longest since
}

// watch is what is under way between this node and one other.
type watch struct {
	seq    uint64    // of the beacon that waits for its acknowledgement, 0 if none does
	sent   mono.Time // when it left
	tries  int       // beacons sent in this series
	since  mono.Time // when it began
	first  beaten    // the first of them: a late answer proves life as well
	closed bool      // the connection has gone: probing has to dial
	asks   []env.Probe

	due     mono.Time     // of the next routine beacon
	told    wire.Use      // what the latest beacon said of this node's use
	life    time.Duration // and for how long to remember it
	sampled mono.Time     // when a round trip was measured last, 0 if never
	hinted  mono.Time     // when a hint made this node probe it last, 0 if never
	doubt   *doubt        // nil if there is none
}

// beaten is a beacon that was sent.
type beaten struct {
	seq  uint64
	sent mono.Time
}

// New returns a monitor that writes table. cfg must be valid.
func New(cfg Config, table *links.Table) *Monitor {
	return &Monitor{
		cfg: cfg, links: table, inquiries: make(map[uint64]idspace.ID),
		period: cfg.Fastest, paced: cfg.Fastest, health: health{most: max(cfg.Awareness, 0)},
	}
}

// Start sets the first timer, and this node somewhere among the coordinates.
func (m *Monitor) Start(e env.Env) {
	m.links.Begin(e.Rand())
	m.running.last = e.Now()
	m.nextSweep(e)
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
	l := m.links.Link(from)
	if l == nil {
		return
	}
	l.Heard = e.Now()
	if l.Theirs != wire.Use_USE_NONE {
		l.Until = max(l.Until, e.Now().Add(l.Life))
	}
}

func (m *Monitor) watch(id idspace.ID) *watch {
	w := m.watches.Of(id)
	if w == nil {
		w = new(watch)
		m.watches.Set(id, w)
	}
	return w
}

// rest forgets a watch that nothing needs any more.
func (m *Monitor) rest(e env.Env, id idspace.ID) {
	w := m.watches.Of(id)
	if w == nil || len(w.asks) > 0 || m.links.Linked(id) {
		return
	}
	m.tellAll(e, w, wire.Finding_FINDING_UNKNOWN)
	m.watches.Delete(id)
	e.StopTimer(env.TimerKey{Room: env.Heartbeat, What: timerAgain, Peer: id})
	e.StopTimer(env.TimerKey{Room: env.Heartbeat, What: timerBeat, Peer: id})
}
