package world

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// Host is one life of a node, and its world. After its death only who it was is left.
type Host struct {
	world  *World
	number int32
	place  int32
	id     idspace.ID

	node    *node.Node // nil once it is down
	record  *wire.SignedRecord
	rng     *rand.Rand
	timers  timerTable
	conns   connTable
	out     []outgoing // what this step has sent so far
	stalled mono.Time  // nothing reaches the node before
	uplink  mono.Time  // when its uplink will have sent everything
	muted   bool       // what it sends goes nowhere: while tables are settled from outside

	down       bool
	generation uint64
	born, died mono.Time
	// Mark is the scenario's own.
	Mark any
}

var _ env.World = (*Host)(nil)

// Birth says who is born where.
type Birth struct {
	Place int
	// Again brings a node that is down back at its place, with the same identity and a
	// higher generation; Place does not count then.
	Again *Host
}

// Add puts a node on the net. It is not asked to join.
func (w *World) Add(b Birth) (*Host, error) {
	h := &Host{
		world: w, number: int32(len(w.hosts)), place: int32(b.Place), generation: 1,
		born: w.now,
	}
	key := publicKey(w.cfg.Seed, h.number)
	if b.Again != nil {
		key = b.Again.record.PublicKey
		h.place, h.generation = b.Again.place, b.Again.generation+1
	}
	h.id = idspace.Hash(wire.PeerOf(key))
	h.rng = rand.New(rand.NewPCG(w.cfg.Seed, uint64(h.number)+1))
	chain := lease.New([4]uint64{w.cfg.Seed, uint64(h.number), h.generation})
	anchor := chain.Anchor()
	payload, err := proto.Marshal(&wire.NodeRecord{
		Network: w.cfg.Network, Generation: h.generation, Lease: anchor[:],
		Addrs: [][]byte{{4, 10, byte(h.place >> 16), byte(h.place >> 8), byte(h.place), 0x91, 2, 0x10, 0x40, 0xcc, 3}},
	})
	if err != nil {
		return nil, fmt.Errorf("record of node %d: %w", h.number, err)
	}
	h.record = sealed(wire.NodeKind, payload, key)
	w.records[string(key)] = h.record
	cfg := node.Config{
		Self: h.id, Network: w.cfg.Network, Record: h.record, Generation: h.generation, Lease: chain, Same: w.same,
	}
	if w.cfg.Node != nil {
		w.cfg.Node(&cfg)
	}
	if h.node, err = node.New(cfg); err != nil {
		return nil, fmt.Errorf("node %d: %w", h.number, err)
	}
	w.hosts = append(w.hosts, h)
	w.byID[h.id] = h
	h.node.Start(h)
	h.settle()
	return h, nil
}

// same returns the record that the world has in place of an equal one that a node has
// decoded: what a host keeps of all others would be most of its memory (internal/p2p
// remembers which records were good, and so does not check them again).
func (w *World) same(r *wire.SignedRecord) *wire.SignedRecord {
	if own := w.records[string(r.PublicKey)]; own != nil && bytes.Equal(own.Payload, r.Payload) {
		return own
	}
	return r
}

// zeros stands for every signature.
var zeros = make([]byte, 64)

func sealed(kind wire.RecordKind, payload, signer []byte) *wire.SignedRecord {
	return &wire.SignedRecord{PublicKey: signer, PayloadType: []byte(kind), Payload: payload, Signature: zeros}
}

// ID is the node's identifier.
func (h *Host) ID() idspace.ID { return h.id }

// Number counts the hosts of a world from 0; Place is where it stands.
func (h *Host) Number() int { return int(h.number) }

// Place is described at Number.
func (h *Host) Place() int { return int(h.place) }

// Node is the node itself, for oracles; nil once it is down.
func (h *Host) Node() *node.Node { return h.node }

// Down reports whether the node is off the net, Died since when.
func (h *Host) Down() bool { return h.down }

// Died is described at Down.
func (h *Host) Died() mono.Time { return h.died }

// Born is when it came onto the net.
func (h *Host) Born() mono.Time { return h.born }

// Timers and Conns return how many timers are set and connections known.
func (h *Host) Timers() int { return h.timers.count }

// Conns is described at Timers.
func (h *Host) Conns() int { return h.conns.count }

// String names a host in traces.
func (h *Host) String() string { return fmt.Sprintf("%d:%s", h.number, h.id.Short()) }

// Request hands the node a request of its application.
func (h *Host) Request(l env.Local) { h.local(l) }

func (h *Host) local(l env.Local) {
	switch {
	case h.down:
		return
	case h.Stalled(): // neither does its application run
		h.world.After(h.stalled.Sub(h.world.now), func() { h.local(l) })
		return
	}
	h.world.note(uint64(h.number), 0x10ca1)
	h.node.Local(h, l)
	h.settle()
}

// Now is the virtual time.
func (h *Host) Now() mono.Time { return h.world.now }

// Rand is the node's randomness.
func (h *Host) Rand() *rand.Rand { return h.rng }

// Deliver hands something to the scenario; an upcall is answered at once.
func (h *Host) Deliver(d env.Delivery) {
	hooks := &h.world.Hooks
	switch d := d.(type) {
	case *env.Outcome:
		if hooks.Outcome != nil {
			hooks.Outcome(h, d)
		}
	case *env.Upcall:
		if hooks.Upcall == nil {
			return
		}
		if reply := hooks.Upcall(h, d); reply != nil {
			reply.For, reply.Ticket = d.For, d.Ticket
			h.world.After(0, func() { h.local(reply) })
		}
	}
}

// Emit acts on the uses of links, and passes all events on.
func (h *Host) Emit(ev env.Event) {
	if use, ok := ev.(*env.LinkUsed); ok {
		h.used(use)
	}
	if f := h.world.Hooks.Event; f != nil {
		f(h, ev)
	}
}

// publicKey makes up the key of a host, as long as an Ed25519 key of libp2p: sizes count.
func publicKey(seed uint64, number int32) []byte {
	key := sha256.Sum256(fmt.Appendf(nil, "sim-%d-%d", seed, number))
	return append([]byte{8, 1, 0x12, 0x20}, key[:]...)
}

// Sign seals a record without a signature.
func (h *Host) Sign(kind wire.RecordKind, payload []byte) *wire.SignedRecord {
	return sealed(kind, payload, h.record.PublicKey)
}

// settle ends a step: what it sent leaves.
func (h *Host) settle() {
	h.flush()
	if f := h.world.Hooks.Stepped; f != nil {
		f(h)
	}
}

// Again reports whether this is not the first life of its node.
func (h *Host) Again() bool { return h.generation > 1 }
