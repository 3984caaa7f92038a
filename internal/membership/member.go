// Package membership decides who is in this node's tables: it joins, it is the one
// gate that every candidate passes (candidate, probe, admit), and it keeps neighbor
// map and leaf set healthy by periodic exchange (JSAC §III-C; Bamboo; design §6).
//
// Nobody enters a table on hearsay and nobody leaves it on hearsay: exchanges and
// join replies only name candidates, heartbeat's verdict admits them, and heartbeat's
// judgement removes them. No message is sent because a table changed, but for joining
// and leaving themselves and one rate-limited question about a slot that just emptied.
// (Reactive, which the simulator can set, is there to show why.)
//
// A node is inserted by the root of its own ID, its surrogate, which lends its tables and
// has internal/multicast tell all that need to know it (insertion); each hands over what
// becomes the new node's. It departs from JSAC in that the new node decides when it is
// active, and passes on what comes before that (design §6, activation at the joiner).
//
// Invariants: whoever is in a table has a link whose use heartbeat knows (told); at
// most Config.Probes candidates are at the gate at once; everything learned from
// peers is bounded.
//
// Layer 5: imports routing and below; node alone imports it.
package membership

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/setting"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Config holds the periods and bounds of membership.
type Config struct {
	// LeafPeriod is the mean time between leaf-set exchanges with one random member.
	// If zero, 4 s (Bamboo).
	LeafPeriod time.Duration
	// RowPeriod is the mean time between row exchanges with one random neighbor of a
	// level. If zero, 10 s (Bamboo's near table).
	RowPeriod time.Duration
	// Stretch is how many times longer both get when nothing changes, or nobody answers. If
	// zero, 3.
	Stretch int
	// Eager is what both periods are divided by at most, right after activation, while the
	// tables still fill; they grow with the member's age until EagerFor. If zero, 8 and 30 s.
	Eager    int
	EagerFor time.Duration
	// Probes is the most candidates at the gate at once. If zero, 16.
	Probes int
	// Known is the most node records kept of nodes that are in no table. If zero, 512.
	Known int
	// JoinTimeout is how long one seed has to bring a join back; JoinRounds how often all
	// seeds are tried before Join gives up. If zero, 3 s and 10.
	JoinTimeout time.Duration
	JoinRounds  int
	// Refused and Forgotten are how long a candidate is left alone after it, or this
	// node, had no room, and after it was found dead. If zero, 15 s and 60 s.
	Refused, Forgotten time.Duration
	// Sample is the least time between two measurements of candidates for which there is
	// room only if they are clearly nearer than somebody. If zero, 20 s (Bamboo's far table).
	Sample time.Duration
	// Resample is how long the gate's measurement of a candidate counts: until then
	// coordinates are not asked how far it is. If zero, 10 min.
	Resample time.Duration
	// Improve is how many candidates are measured each RowPeriod that coordinates say are
	// clearly nearer than somebody; while the map changes it is one. If zero, 3.
	Improve int
	// Insertions is the most joining nodes that are inserted at once. If zero, 64.
	Insertions int
	// LeaveTimeout bounds an announced departure. If zero, 4 s.
	LeaveTimeout time.Duration
	// Recovery is when tables are exchanged. If zero, Periodic; Reactive is for comparison.
	Recovery Recovery
	// Partition says how overlays that have lost each other find together again.
	Partition PartitionConfig
}

// WithDefaults returns c with zero fields filled in.
func (c Config) WithDefaults() Config {
	c = c.reactiveDefaults()
	setting.Fill(c.settings())
	return c
}

// Validate names the field that makes no sense.
func (c Config) Validate() error {
	if c.Recovery > Reactive {
		return fmt.Errorf("membership: Recovery %d: want Periodic or Reactive", c.Recovery)
	}
	return setting.Check("membership", c.settings())
}

func (c *Config) settings() []setting.Setting {
	return append([]setting.Setting{
		setting.Of("LeafPeriod", &c.LeafPeriod, 4*time.Second),
		setting.Of("RowPeriod", &c.RowPeriod, 10*time.Second),
		setting.Of("Stretch", &c.Stretch, 3),
		setting.Of("Eager", &c.Eager, 8),
		setting.Of("EagerFor", &c.EagerFor, 30*time.Second),
		setting.Of("Probes", &c.Probes, 16),
		setting.Of("Known", &c.Known, 512),
		setting.Of("JoinTimeout", &c.JoinTimeout, 3*time.Second),
		setting.Of("JoinRounds", &c.JoinRounds, 10),
		setting.Of("Refused", &c.Refused, 15*time.Second),
		setting.Of("Forgotten", &c.Forgotten, time.Minute),
		setting.Of("Sample", &c.Sample, 20*time.Second),
		setting.Of("Resample", &c.Resample, 10*time.Minute),
		setting.Of("Improve", &c.Improve, 3),
		setting.Of("Insertions", &c.Insertions, 64),
		setting.Of("LeaveTimeout", &c.LeaveTimeout, 4*time.Second),
	}, c.Partition.settings()...)
}

// The timers of this room.
const (
	timerLeaf    uint8 = iota // exchange leaf sets with a member
	timerRow                  // exchange a row with a neighbor
	timerJoin                 // the join under way has waited long enough
	timerLeave                // the departure under way has waited long enough
	timerLock                 // the insertion of Peer has had its time
	timerProbe                // probe for this node's own ID
	timerAlone                // this node has been lonely for long enough
	timerStalled              // this node may trust itself again after a stall
)

// Phase is how far this node's membership has come.
type Phase uint8

// The phases.
const (
	Idle    Phase = iota // not asked to join
	Joining              // looking for its place
	Active               // a member
	Leaving              // handing over
)

// Member is the machine. It is not safe for concurrent use.
type Member struct {
	cfg    Config
	tables *surrogate.Tables
	links  *links.Table
	router *routing.Router
	group  func(idspace.ID, *wire.SignedRecord) string

	phase     Phase
	activated mono.Time
	book      *book
	gate      gate
	told      []env.Use // what heartbeat was last told of each table entry, in order of ID
	tellings  uint64    // how often told has changed
	stall     stall
	away      map[idspace.ID]away // who lives, and cannot be reached from here
	join      joining
	inserting map[idspace.ID]*insertion // joining nodes that this one inserts or is told of
	leaving   leaving
	partition *partition
	founding  founding
	sampled   mono.Time // when a redundant candidate was last measured
	asked     mono.Time // when a question about an emptied slot was last sent
	shared    uint32    // losses of the leaf set up to which the map's entries were offered to it
	lists     [lists]upkeep
	swaps     map[idspace.ID]*[lists]swap // by linked peer
}

// Deps are the tables that membership writes and the machines it calls.
type Deps struct {
	Tables *surrogate.Tables
	Links  *links.Table
	Router *routing.Router
	Own    *wire.SignedRecord // this node's record
	// Same returns a record to keep instead of one that is equal to it; nil if each is kept.
	Same func(*wire.SignedRecord) *wire.SignedRecord
	// Group labels the network that a node is in; nil if nobody's is known.
	Group func(idspace.ID, *wire.SignedRecord) string
}

// New returns a member. cfg must be valid; d.Own must hold this node's record.
func New(cfg Config, d Deps) (*Member, error) {
	m := &Member{
		cfg: cfg, tables: d.Tables, links: d.Links, router: d.Router, group: d.Group,
		book: newBook(cfg.Known, d.Same), swaps: make(map[idspace.ID]*[lists]swap),
		away: make(map[idspace.ID]away), inserting: make(map[idspace.ID]*insertion),
		gate: gate{probing: make(map[idspace.ID]wire.Use), named: make(map[idspace.ID]bool)},
	}
	m.partition = newPartition(m, cfg.Partition)
	if err := m.setOwn(d.Own); err != nil {
		return nil, fmt.Errorf("own record: %w", err)
	}
	return m, nil
}

func (m *Member) setOwn(own *wire.SignedRecord) error {
	id, err := m.book.learn(own)
	if err != nil {
		return err
	}
	if id != m.tables.Self {
		return fmt.Errorf("it names %s, this node is %s", id, m.tables.Self)
	}
	m.book.keep(id, inTable)
	return nil
}

// Phase returns how far this node's membership has come.
func (m *Member) Phase() Phase { return m.phase }

// Record returns the record of a node, nil if it is not known.
func (m *Member) Record(id idspace.ID) *wire.SignedRecord {
	if p := m.book.find(id); p != nil {
		return p.record
	}
	return nil
}

// Known returns which record of a node is known.
func (m *Member) Known(id idspace.ID) wire.Stamp {
	if p := m.book.find(id); p != nil {
		return p.stamp
	}
	return wire.Stamp{}
}

// OnSelf takes this node's new record.
func (m *Member) OnSelf(e env.Env, s *env.SelfChanged) {
	if err := m.setOwn(s.Record); err != nil {
		e.Emit(&env.Dropped{Why: "own record: " + err.Error()})
	}
}

// OnTimer takes back a timer that this machine set.
func (m *Member) OnTimer(e env.Env, k env.TimerKey) {
	switch k.What {
	case timerLeaf:
		m.exchangeLeaves(e)
	case timerRow:
		m.exchangeRow(e)
	case timerJoin:
		m.joinLate(e)
	case timerLeave:
		m.leaveLate(e)
	case timerLock:
		m.forgetInsertion(e, k.Peer)
	case timerProbe:
		m.partition.look(e)
	case timerAlone:
		m.partition.endLoneliness(e)
	case timerStalled:
		m.regain(e)
	}
}
