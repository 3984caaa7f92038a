// Package world is a network of many nodes on virtual time: it implements env.World for
// each of them, carries what they send with delay, loss and queues, and takes them off
// and on the net.
//
// The nodes are those that run on real hosts, unchanged (design §4). Everything is done
// by one goroutine in an order that depends on the seed alone. Signatures are not made
// or checked: a record carries 64 zero bytes and a modelled cost is not counted.
//
// A place is where a node is on the map of delays; a host is one life of a node at a
// place, numbered from 0 in order of birth.
//
// Invariants: the same Config and the same calls give the same Hash; a host that is
// down does nothing; frames that one step sends to one peer are one packet.
//
// Layer 7, part of the room internal/sim: imports node, its letters and topology.
package world

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/sim/calendar"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Delays says how long a message is under way between two places.
type Delays interface {
	OneWay(from, to int) time.Duration
}

// Codec says whether messages are encoded and decoded, or handed over as they are.
type Codec uint8

// The codecs.
const (
	Real Codec = iota // every message passes through internal/wire, both ways
	None              // only its size is computed
)

// Transport says what becomes of messages that the network loses.
type Transport uint8

// The transports.
const (
	Stream   Transport = iota // they come late, and what follows waits for them
	Datagram                  // they are gone; messages may overtake each other
)

// Config says how the network behaves. Zero fields mean a perfect one.
type Config struct {
	Seed      uint64
	Network   string // in every record
	Delays    Delays
	Codec     Codec
	Transport Transport

	Loss      float64 // share of packets lost
	Jitter    float64 // a packet takes up to this share of its delay longer
	Reorder   float64 // share of datagrams that take up to twice their delay
	Duplicate float64 // share of datagrams that come twice
	// Bandwidth of a node's uplink in bit/s; 0: unlimited.
	Bandwidth float64
	// Nontransitive is the share of pairs that cannot reach each other.
	Nontransitive float64

	// Node changes a node's configuration before it is built, if not nil.
	Node func(*node.Config)
}

// Hooks are told what happens. Each may be nil; none may call a node.
type Hooks struct {
	Event   func(*Host, env.Event)
	Outcome func(*Host, *env.Outcome)
	// Upcall answers a message that a node delivers to its application.
	Upcall func(*Host, *env.Upcall) *env.HandlerReply
	// Sent is told of every message with its size. The first of a packet has its headers to
	// bear, the others that share it none.
	Sent func(from, to *Host, m wire.Message, size, headers int)
	// Dialed is told of every connection that a node opens, and of the message for which.
	Dialed func(from *Host, to idspace.ID, m wire.Message)
	// Arrived is told of every message before its node is.
	Arrived func(from, to *Host, m wire.Message)
	// Stepped is told after every event of a node.
	Stepped func(*Host)
	// Alter says what a message becomes at the seam, nil if it is to be nothing; it must not
	// change the message itself. For nodes that lie, and faults on purpose.
	Alter func(from, to *Host, m wire.Message) wire.Message
	// Lose drops a message at the seam, Mute a timer: faults on purpose, for tests.
	Lose func(from, to *Host, m wire.Message) bool
	Mute func(*Host, env.TimerKey) bool
}

// overhead is what headers add to each packet: IP, UDP and QUIC, or TCP and yamux.
const overhead = 60

// World is the network. It is not safe for concurrent use.
type World struct {
	cfg   Config
	Hooks Hooks

	now   mono.Time
	queue *calendar.Queue
	rng   *rand.Rand
	hosts []*Host
	byID  map[idspace.ID]*Host // the latest life of each identity
	// records holds the latest of each node, by its peer ID.
	records map[string]*wire.SignedRecord

	timers    []timer
	freeTimer int32
	packets   []packet
	freePkt   []int32
	actions   []func()
	freeAct   []int32

	cut []uint8 // side of each place while the network is partitioned, nil if it is not

	oneWayLost float64 // see LoseOneWay
	events     uint64
	hash       uint64
	totals     Totals
}

// Totals count since the beginning.
type Totals struct {
	Packets, Messages, Bytes uint64 // Bytes with overhead
	Lost, Dials              uint64
	// Overdue are packets that a full uplink threw away.
	Overdue uint64
}

// The kinds of calendar event.
const (
	evPacket uint8 = iota
	evTimer
	evAction
)

// Start is the virtual time at which every world begins: not zero, which machines may
// take for "never".
const Start = mono.Time(time.Hour)

// New returns an empty network.
func New(cfg Config) *World {
	return &World{
		cfg: cfg, now: Start, queue: calendar.New(), freeTimer: -1,
		rng:  rand.New(rand.NewPCG(cfg.Seed, 0x6e6574)),
		byID: make(map[idspace.ID]*Host), records: make(map[string]*wire.SignedRecord), hash: cfg.Seed ^ 0x9e3779b97f4a7c15,
	}
}

// Now is the virtual time.
func (w *World) Now() mono.Time { return w.now }

// Rand is the randomness of the scenario, apart from that of any node.
func (w *World) Rand() *rand.Rand { return w.rng }

// Events returns how many events there have been, and Hash a hash over all of them.
func (w *World) Events() uint64 { return w.events }

// Hash is described at Events.
func (w *World) Hash() uint64 { return w.hash }

// Totals returns the counts of the network.
func (w *World) Totals() Totals { return w.totals }

// Pending returns how many events are yet to come.
func (w *World) Pending() int { return w.queue.Len() }

// Hosts returns every host that has ever been, by number: a view.
func (w *World) Hosts() []*Host { return w.hosts }

// Host returns the latest life of a node, nil if there is none.
func (w *World) Host(id idspace.ID) *Host { return w.byID[id] }

// After does something after d of virtual time. It is for the scenario, not for nodes.
func (w *World) After(d time.Duration, do func()) {
	var i int32
	if n := len(w.freeAct); n > 0 {
		i = w.freeAct[n-1]
		w.freeAct = w.freeAct[:n-1]
	} else {
		w.actions = append(w.actions, nil)
		i = int32(len(w.actions) - 1)
	}
	w.actions[i] = do
	w.queue.Push(calendar.Event{At: w.now.Add(d), Kind: evAction, Arg: i})
}

// Run lets d of virtual time pass.
func (w *World) Run(d time.Duration) {
	end := w.now.Add(d)
	for {
		at, ok := w.queue.Peek()
		if !ok || end.Before(at) {
			break
		}
		w.step()
	}
	w.now = end
}

// Until lets time pass until holds, at most d, looking every so often.
func (w *World) Until(d, every time.Duration, holds func() bool) error {
	for end := w.now.Add(d); !holds(); w.Run(every) {
		if !w.now.Before(end) {
			return fmt.Errorf("not within %v of virtual time", d)
		}
	}
	return nil
}

func (w *World) step() {
	e, _ := w.queue.Pop()
	w.now = max(w.now, e.At)
	switch e.Kind {
	case evPacket:
		w.arrive(e)
	case evTimer:
		w.fire(e)
	case evAction:
		do := w.actions[e.Arg]
		w.actions[e.Arg] = nil
		w.freeAct = append(w.freeAct, e.Arg)
		do()
	}
}

// deferred puts an event of a node that stalls off, and reports whether it did.
func (w *World) deferred(h *Host, e calendar.Event) bool {
	if !w.now.Before(h.stalled) {
		return false
	}
	e.At = h.stalled
	w.queue.Push(e)
	return true
}

// note takes an event into the count and the hash (FNV with words for bytes, rotated
// so that high bits reach low ones).
func (w *World) note(words ...uint64) {
	w.events++
	h := w.hash ^ uint64(w.now)
	for _, x := range words {
		h = (h ^ x) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	w.hash = h
}
