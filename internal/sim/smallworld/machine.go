package smallworld

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// machine is a node and its world.
type machine struct {
	scene  *scene
	number int
	id     idspace.ID
	record *wire.SignedRecord
	node   *node.Node
	rng    *rand.Rand
	timers []timer
	set    uint64 // timers set so far
	// history is a hash over every input.
	history uint64

	seeds   []idspace.ID // nil until it is asked to join; its own founds
	member  bool         // its join came through
	refused bool         // its join did not: it is to ask again
	leaving bool
	gone    bool // its leave came through
	down    bool
}

type timer struct {
	key env.TimerKey
	at  mono.Time
	seq uint64
}

var _ env.World = (*machine)(nil)

const network = "small"

func newMachine(s *scene, number int) (*machine, error) {
	peer := fmt.Appendf(nil, "machine %d of %d", number, s.plan.Salt)
	payload, err := proto.Marshal(&wire.NodeRecord{Network: network, Peer: peer, Generation: 1})
	if err != nil {
		return nil, fmt.Errorf("record of machine %d: %w", number, err)
	}
	m := &machine{
		scene: s, number: number, id: idspace.Hash(peer), record: sealed(wire.NodeKind, payload, peer),
		rng: rand.New(rand.NewPCG(s.plan.Salt, uint64(number))),
	}
	m.node, err = node.New(node.Config{Self: m.id, Network: network, Record: m.record, Generation: 1})
	if err != nil {
		return nil, fmt.Errorf("machine %d: %w", number, err)
	}
	m.node.Start(m)
	return m, nil
}

func sealed(kind wire.RecordKind, payload, signer []byte) *wire.SignedRecord {
	return &wire.SignedRecord{PublicKey: signer, PayloadType: []byte(kind), Payload: payload, Signature: make([]byte, 64)}
}

// The kinds of input, for the history.
const (
	tookMessage uint64 = iota + 1
	tookHello
	tookLocal
	tookTimer
	tookCrash
)

// takes notes an input; who is the peer that it came from, or the number of an act.
func (m *machine) takes(kind uint64, who int) {
	for _, x := range [...]uint64{kind, uint64(who), uint64(m.scene.now)} {
		m.history = mix(m.history, x)
	}
}

func mix(h, x uint64) uint64 {
	h = (h ^ x) * 0x9e3779b97f4a7c15
	return h ^ h>>29
}

func (m *machine) step(from *machine, msg wire.Message) {
	m.takes(tookMessage, from.number)
	m.node.Step(m, from.id, msg)
	m.depart()
}

func (m *machine) local(l env.Local, who int) {
	m.takes(tookLocal, who)
	m.node.Local(m, l)
	m.depart()
}

// join asks for membership; the seeds are tried in the order that the node draws.
func (m *machine) join(act int) {
	m.refused = false
	m.local(&env.JoinRequest{Call: 1, Seeds: m.seeds}, act)
}

// depart takes a machine off the net that has left.
func (m *machine) depart() {
	if m.gone && !m.down {
		m.scene.crash(m)
	}
}

// due is the timer that comes next, nil if none is set.
func (m *machine) due() *timer {
	var first *timer
	for i := range m.timers {
		if t := &m.timers[i]; first == nil || t.at < first.at || t.at == first.at && t.seq < first.seq {
			first = t
		}
	}
	return first
}

func (m *machine) fire() {
	k := m.due().key
	m.StopTimer(k)
	m.takes(tookTimer, 0)
	m.node.OnTimer(m, k)
	m.depart()
}

// Now is the virtual time.
func (m *machine) Now() mono.Time { return m.scene.now }

// Rand is the node's randomness.
func (m *machine) Rand() *rand.Rand { return m.rng }

// Send gives a message to the link, if it is open.
func (m *machine) Send(to idspace.ID, msg wire.Message) {
	if peer := m.scene.find(to); peer != nil && m.scene.link(m, peer).open {
		m.scene.push(m, peer, msg)
	}
}

// SendDial opens the link first: the dial is on its way like a message.
func (m *machine) SendDial(to idspace.ID, msg wire.Message) {
	peer := m.scene.find(to)
	if peer == nil || peer == m {
		return
	}
	l := m.scene.link(m, peer)
	if !l.open && !l.dialing {
		l.dialing = true
		l.queue = append(l.queue, nil)
	}
	m.scene.push(m, peer, msg)
}

// Deliver takes the outcome of a join or leave.
func (m *machine) Deliver(d env.Delivery) {
	o, ok := d.(*env.Outcome)
	switch {
	case !ok:
	case m.leaving:
		m.gone = true
	case o.Status == env.OK:
		m.member = true
	default:
		m.refused = true
	}
}

// Emit is not looked at.
func (m *machine) Emit(env.Event) {}

// Sign seals a record without a signature.
func (m *machine) Sign(kind wire.RecordKind, payload []byte) *wire.SignedRecord {
	return sealed(kind, payload, m.record.PublicKey)
}

// SetTimer replaces a timer of the same key.
func (m *machine) SetTimer(k env.TimerKey, d time.Duration) {
	m.StopTimer(k)
	m.set++
	m.timers = append(m.timers, timer{k, m.scene.now.Add(d), m.set})
}

// StopTimer forgets a timer.
func (m *machine) StopTimer(k env.TimerKey) {
	m.timers = slices.DeleteFunc(m.timers, func(t timer) bool { return t.key == k })
}
