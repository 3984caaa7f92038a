package stage

import (
	"math/rand/v2"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/calendar"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// Delays says how long a message is under way between two places.
type Delays interface {
	OneWay(from, to int) time.Duration
}

// Config says how the network behaves. Zero fields mean a perfect one.
type Config struct {
	Seed      uint64
	Delays    Delays
	Datagrams bool    // what is lost is gone; else it comes late, as on a stream
	Loss      float64 // share of packets lost
	Jitter    float64 // a packet takes up to this share of its delay longer
	Bandwidth float64 // of a node's uplink in bit/s; 0: unlimited
	// Nontransitive is the share of pairs that cannot reach each other.
	Nontransitive float64
}

// Hooks are told what happens. Each may be nil; none may call a node.
type Hooks struct {
	Outcome   func(at model.Addr, o model.Outcome)
	Delivered func(at model.Addr, call uint64)
	// Sent is told of every message with its size, packet overhead aside.
	Sent func(from, to model.Addr, m model.Message)
	// Opened is told of every connection that a node opens.
	Opened func(from, to model.Addr)
}

// Overhead is what headers add to each packet, as in internal/sim/world.
const Overhead = 60

// Totals count since the beginning. Bytes are those of packets, with Overhead.
type Totals struct {
	Packets, Messages, Bytes, Lost, Dials, Overdue uint64
}

// Stage is the network. It is not safe for concurrent use.
type Stage struct {
	Hooks    Hooks
	cfg      Config
	protocol model.Protocol
	now      mono.Time
	queue    *calendar.Queue
	rng      *rand.Rand
	actors   []*actor

	timers  slab[timer]
	packets slab[packet]
	actions slab[func()]

	cut    func(place int) bool // side of the partition, nil if there is none
	events uint64
	hash   uint64
	totals Totals
}

const (
	evPacket uint8 = iota
	evTimer
	evAction
)

// Start is the virtual time at which every stage begins.
const Start = mono.Time(time.Hour)

// New returns an empty network for nodes of protocol.
func New(cfg Config, protocol model.Protocol) *Stage {
	return &Stage{
		cfg: cfg, protocol: protocol, now: Start, queue: calendar.New(),
		rng: rand.New(rand.NewPCG(cfg.Seed, 0x7374616765)), hash: cfg.Seed ^ 0x9e3779b97f4a7c15,
	}
}

// Now is the virtual time, Events how many events there were, Hash a hash over all of
// them, Totals what was sent.
func (s *Stage) Now() mono.Time { return s.now }

// Rand is the randomness of the scenario, apart from that of any node.
func (s *Stage) Rand() *rand.Rand { return s.rng }

// Events is described at Now.
func (s *Stage) Events() uint64 { return s.events }

// Hash is described at Now.
func (s *Stage) Hash() uint64 { return s.hash }

// Totals is described at Now.
func (s *Stage) Totals() Totals { return s.totals }

// Add puts a node on the net at a place; it has not joined.
func (s *Stage) Add(id idspace.ID, place int) model.Peer {
	a := &actor{stage: s, self: model.Peer{ID: id, At: model.Addr(len(s.actors))}, place: place}
	a.rng = rand.New(rand.NewPCG(s.cfg.Seed, uint64(a.self.At)+1))
	s.actors = append(s.actors, a)
	a.live(s.protocol)
	return a.self
}

// Again puts a node that is down back on the net, with the same identity and empty
// tables; it has not joined.
func (s *Stage) Again(at model.Addr) {
	if a := s.actors[at]; a.down {
		a.live(s.protocol)
	}
}

// Settle gives all nodes that are up the tables of a settled overlay.
func (s *Stage) Settle() {
	all := model.Settled{
		Peers: s.Live(),
		Node:  func(at model.Addr) model.Node { return s.actors[at].node },
		World: func(at model.Addr) model.World { return s.actors[at] },
		RTT:   func(a, b model.Addr) time.Duration { return s.rtt(s.actors[a], s.actors[b]) },
	}
	s.protocol.Settle(all)
	for _, p := range all.Peers {
		for _, to := range s.actors[p.At].node.Links() {
			s.link(s.actors[p.At], s.actors[to])
		}
	}
}

// Live lists the nodes that are up.
func (s *Stage) Live() (all []model.Peer) {
	for _, a := range s.actors {
		if !a.down {
			all = append(all, a.self)
		}
	}
	return all
}

// Peer is the node of a number, Place where it stands.
func (s *Stage) Peer(at model.Addr) model.Peer { return s.actors[at].self }

// Place is described at Peer.
func (s *Stage) Place(at model.Addr) int { return s.actors[at].place }

// Down reports whether a node is off the net.
func (s *Stage) Down(at model.Addr) bool { return s.actors[at].down }

// Node is the node itself, nil if it is down.
func (s *Stage) Node(at model.Addr) model.Node { return s.actors[at].node }

// Join has a node join by way of seeds.
func (s *Stage) Join(at model.Addr, seeds []model.Peer) {
	a := s.actors[at]
	a.step(func() { a.node.Join(a, seeds) })
}

// Begin asks something of a node.
func (s *Stage) Begin(at model.Addr, r model.Request) {
	a := s.actors[at]
	a.step(func() { a.node.Begin(a, r) })
}

// Leave has a node take leave, and then takes it off the net.
func (s *Stage) Leave(at model.Addr) {
	a := s.actors[at]
	a.step(func() { a.node.Leave(a) })
	s.Crash(at)
}

// Crash takes a node off the net without a word.
func (s *Stage) Crash(at model.Addr) {
	a := s.actors[at]
	s.note(uint64(at), 0xdead)
	a.down, a.node, a.conns, a.timers, a.out = true, nil, nil, nil, nil
}

// Stall keeps a node from running for d.
func (s *Stage) Stall(at model.Addr, d time.Duration) {
	s.actors[at].stalled = max(s.actors[at].stalled, s.now.Add(d))
}

// Partition cuts the network in two: places for which side is true can reach only each
// other. Nil heals it.
func (s *Stage) Partition(side func(place int) bool) { s.cut = side }

// After does something after d of virtual time. It is for the scenario, not for nodes.
func (s *Stage) After(d time.Duration, do func()) {
	s.push(calendar.Event{At: s.now.Add(d), Kind: evAction, Arg: s.actions.put(do)})
}

// Run lets d of virtual time pass.
func (s *Stage) Run(d time.Duration) {
	s.Until(d, func() bool { return false })
}

// Until lets time pass until holds, which is asked after every event, at most d.
func (s *Stage) Until(d time.Duration, holds func() bool) bool {
	end := s.now.Add(d)
	for !holds() {
		at, ok := s.queue.Peek()
		if !ok || end.Before(at) {
			s.now = end
			return false
		}
		e, _ := s.queue.Pop()
		s.now = max(s.now, e.At)
		s.happen(e)
	}
	return true
}

func (s *Stage) push(e calendar.Event) { s.queue.Push(e) }

func (s *Stage) happen(e calendar.Event) {
	switch e.Kind {
	case evPacket:
		s.arrive(e)
	case evTimer:
		s.fire(e)
	case evAction:
		s.actions.take(e.Arg)()
	}
}

// deferred puts an event of a node that stalls off, and reports whether it did.
func (s *Stage) deferred(a *actor, e calendar.Event) bool {
	if !s.now.Before(a.stalled) {
		return false
	}
	e.At = a.stalled
	s.push(e)
	return true
}

// note takes an event into the count and the hash.
func (s *Stage) note(words ...uint64) {
	s.events++
	h := s.hash ^ uint64(s.now)
	for _, x := range words {
		h = (h ^ x) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	s.hash = h
}

// slab keeps values under numbers that are used again.
type slab[T any] struct {
	values []T
	free   []int32
}

func (b *slab[T]) put(v T) int32 {
	if n := len(b.free); n > 0 {
		i := b.free[n-1]
		b.free = b.free[:n-1]
		b.values[i] = v
		return i
	}
	b.values = append(b.values, v)
	return int32(len(b.values) - 1)
}

func (b *slab[T]) take(i int32) T {
	var zero T
	v := b.values[i]
	b.values[i] = zero
	b.free = append(b.free, i)
	return v
}
