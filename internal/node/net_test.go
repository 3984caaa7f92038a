package node_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
	"google.golang.org/protobuf/proto"
)

// net is a world of many nodes on virtual time, small enough to read: every message
// is encoded, takes the pair's delay and is decoded; nothing is lost unless a node is
// down. Links open in two round trips, and only by SendDial.
type net struct {
	t      testing.TB
	now    mono.Time
	seq    uint64
	queue  eventQueue
	rng    *rand.Rand
	hosts  []*host // in order of creation
	byID   map[idspace.ID]*host
	config func(*node.Config)
	dials  int
	loss   float64
	replay time.Duration // if not 0, every frame comes again after it

	forwards []env.Forwarded
}

type monoTime = mono.Time

type host struct {
	net       *net
	node      *node.Node
	id        idspace.ID
	rng       *rand.Rand
	record    *wire.SignedRecord
	timers    map[env.TimerKey]uint64
	open      map[idspace.ID]bool
	outcomes  map[env.Call]*env.Outcome
	upcalls   []*env.Upcall
	reply     func(*env.Upcall) *env.HandlerReply
	dropped   map[string]int
	down      bool
	x, y      float64
	delivered int
}

type event struct {
	at  mono.Time
	seq uint64
	do  func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func newNet(t testing.TB, seed uint64) *net {
	return &net{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: mono.Time(time.Hour),
		byID: make(map[idspace.ID]*host), config: func(*node.Config) {},
	}
}

func (n *net) at(d time.Duration, do func()) {
	n.seq++
	heap.Push(&n.queue, event{at: n.now.Add(d), seq: n.seq, do: do})
}

// run lets d of virtual time pass.
func (n *net) run(d time.Duration) {
	end := n.now.Add(d)
	for len(n.queue) > 0 && !end.Before(n.queue[0].at) {
		e := heap.Pop(&n.queue).(event)
		n.now = e.at
		e.do()
	}
	n.now = end
}

// until lets time pass until the condition holds, at most d.
func (n *net) until(d time.Duration, what string, holds func() bool) {
	n.t.Helper()
	for end := n.now.Add(d); !holds(); {
		if !n.now.Before(end) {
			n.t.Fatalf("%s: not within %v", what, d)
		}
		n.run(10 * time.Millisecond)
	}
}

func sealed(kind wire.RecordKind, payload []byte, signer []byte) *wire.SignedRecord {
	return &wire.SignedRecord{PublicKey: signer, PayloadType: []byte(kind), Payload: payload, Signature: make([]byte, 64)}
}

func (n *net) add() *host {
	n.t.Helper()
	peer := fmt.Appendf(nil, "peer-%d-%d", n.rng.Uint32(), len(n.hosts))
	chain := lease.New([4]uint64{uint64(len(n.hosts))})
	anchor := chain.Anchor()
	payload, err := proto.Marshal(&wire.NodeRecord{Network: "test", Peer: peer, Generation: 1, Lease: anchor[:]})
	if err != nil {
		n.t.Fatal(err)
	}
	h := &host{
		net: n, id: idspace.Hash(peer), rng: rand.New(rand.NewPCG(n.rng.Uint64(), 2)),
		record: sealed(wire.NodeKind, payload, peer), timers: make(map[env.TimerKey]uint64),
		open: make(map[idspace.ID]bool), outcomes: make(map[env.Call]*env.Outcome),
		dropped: make(map[string]int), x: n.rng.Float64(), y: n.rng.Float64(),
		reply: func(u *env.Upcall) *env.HandlerReply {
			return &env.HandlerReply{For: u.For, Ticket: u.Ticket, Payload: u.Payload}
		},
	}
	cfg := node.Config{Self: h.id, Network: "test", Record: h.record, Generation: 1, Lease: chain}
	n.config(&cfg)
	if h.node, err = node.New(cfg); err != nil {
		n.t.Fatal(err)
	}
	n.hosts = append(n.hosts, h)
	n.byID[h.id] = h
	h.node.Start(h)
	return h
}

// delay is the one-way delay between two hosts: 1 to about 71 ms.
func (n *net) delay(a, b *host) time.Duration {
	dx, dy := a.x-b.x, a.y-b.y
	return time.Millisecond + time.Duration((dx*dx+dy*dy)*float64(35*time.Millisecond))
}

// overlay grows an overlay of size nodes, which join one after another.
func (n *net) overlay(size int) {
	n.t.Helper()
	for range size {
		n.join(n.add())
	}
}

func (n *net) join(h *host) {
	n.t.Helper()
	var seeds []idspace.ID
	for _, other := range n.hosts {
		if other != h && other.node.Status(other.Now()).Ready && !other.down {
			seeds = append(seeds, other.id)
			break
		}
	}
	o := h.do(30*time.Second, func(c env.Call) env.Local { return &env.JoinRequest{Call: c, Seeds: seeds} })
	if o.Status != env.OK {
		n.t.Fatalf("join of %s: %v %s", h.id.Short(), o.Status, o.Error)
	}
}

// do makes a request and waits for its outcome.
func (h *host) do(d time.Duration, request func(env.Call) env.Local) *env.Outcome {
	h.net.t.Helper()
	call := env.Call(h.rng.Uint64())
	h.node.Local(h, request(call))
	h.net.until(d, "request", func() bool { return h.outcomes[call] != nil })
	return h.outcomes[call]
}

// all makes a request of every host at this moment, and waits for their outcomes.
func (n *net) all(request func(env.Call, *host) env.Local) (outcomes []*env.Outcome) {
	n.t.Helper()
	calls := make(map[*host]env.Call)
	for _, h := range n.hosts {
		calls[h] = env.Call(h.rng.Uint64())
		h.node.Local(h, request(calls[h], h))
	}
	n.until(15*time.Second, "requests", func() bool {
		return !slices.ContainsFunc(n.hosts, func(h *host) bool { return h.outcomes[calls[h]] == nil })
	})
	for _, h := range n.hosts {
		outcomes = append(outcomes, h.outcomes[calls[h]])
	}
	return outcomes
}

// crash takes a host off the net without a word.
func (h *host) crash() { h.down = true }

// ---- env.World ----

func (h *host) Now() mono.Time   { return h.net.now }
func (h *host) Rand() *rand.Rand { return h.rng }

func (h *host) Send(to idspace.ID, m wire.Message) {
	if other := h.net.byID[to]; other != nil && h.open[to] {
		h.transmit(other, m)
	}
}

func (h *host) transmit(other *host, m wire.Message) {
	frame, err := wire.AppendFrame(nil, m)
	if err != nil {
		h.net.t.Fatal(err)
	}
	if h.net.loss > 0 && h.net.rng.Float64() < h.net.loss {
		return
	}
	h.net.at(h.net.delay(h, other), func() { other.receive(h.id, frame) })
	if h.net.replay > 0 {
		h.net.at(h.net.delay(h, other)+h.net.replay, func() { other.receive(h.id, frame) })
	}
}

func (h *host) receive(from idspace.ID, frame []byte) {
	if h.down {
		return
	}
	_, prefix := readUvarint(frame)
	m, err := wire.Decode(frame[prefix:])
	if err != nil {
		h.net.t.Fatalf("decode: %v", err)
	}
	h.delivered++
	h.node.Step(h, from, m)
}

func readUvarint(b []byte) (v uint64, n int) {
	for ; b[n]&0x80 != 0; n++ {
	}
	return 0, n + 1
}

func (h *host) SendDial(to idspace.ID, m wire.Message) {
	other := h.net.byID[to]
	if other != nil && h.open[to] {
		h.transmit(other, m)
		return
	}
	if m.Kind() != wire.KindBeacon { // which the gate sends, whatever is asked
		h.net.dials++
	}
	if other == nil || other.down {
		h.net.at(100*time.Millisecond, func() { h.local(&env.Unreachable{Peer: to}) })
		return
	}
	h.net.at(4*h.net.delay(h, other), func() {
		if h.down || other.down {
			h.local(&env.Unreachable{Peer: to})
			return
		}
		if !h.open[to] {
			h.open[to], other.open[h.id] = true, true
			other.node.Step(other, h.id, &wire.Hello{Version: 1, Network: "test", Record: h.record})
			h.node.Step(h, to, &wire.Hello{Version: 1, Network: "test", Record: other.record})
			h.local(&env.LinkOpened{Peer: to, Dialed: true})
		}
		h.transmit(other, m)
	})
}

func (h *host) local(l env.Local) {
	if !h.down {
		h.node.Local(h, l)
	}
}

func (h *host) Deliver(d env.Delivery) {
	switch d := d.(type) {
	case *env.Outcome:
		h.outcomes[d.Call] = d
	case *env.Upcall:
		h.upcalls = append(h.upcalls, d)
		if r := h.reply(d); r != nil {
			h.net.at(time.Millisecond, func() { h.local(r) })
		}
	}
}

func (h *host) Emit(ev env.Event) {
	switch ev := ev.(type) {
	case *env.Dropped:
		h.dropped[ev.Why]++
	case *env.Forwarded:
		h.net.forwards = append(h.net.forwards, *ev)
		if !ev.Reply && ev.Rule != wire.Rule_RULE_NONE && ev.Rule != wire.Rule_RULE_FOLLOW && !idspace.Hex.Closer(ev.To, h.id, ev.Key) {
			h.net.t.Errorf("%s forwards %s to %s, which is no closer", h.id.Short(), ev.Key.Short(), ev.To.Short())
		}
	}
}

func (h *host) Sign(kind wire.RecordKind, payload []byte) *wire.SignedRecord {
	return sealed(kind, payload, h.record.PublicKey)
}

func (h *host) SetTimer(k env.TimerKey, d time.Duration) {
	h.net.seq++
	mine := h.net.seq
	h.timers[k] = mine
	h.net.at(d, func() {
		if h.timers[k] == mine && !h.down {
			delete(h.timers, k)
			h.node.OnTimer(h, k)
		}
	})
}

func (h *host) StopTimer(k env.TimerKey) { delete(h.timers, k) }

// ---- what all nodes together know ----

func (n *net) alive() (ids []idspace.ID) {
	for _, h := range n.hosts {
		if !h.down {
			ids = append(ids, h.id)
		}
	}
	return ids
}

// walk follows next hops from h to the node that believes to be the root of key.
func (n *net) walk(h *host, key idspace.ID) (root idspace.ID, hops int) {
	for ; hops <= wire.MaxHops; hops++ {
		next := h.node.NextHop(key)
		if next.Rule == wire.Rule_RULE_ROOT {
			return h.id, hops
		}
		if next.Wait {
			return idspace.ID{}, hops
		}
		h = n.byID[next.To]
	}
	return idspace.ID{}, hops
}

// wrongRoots counts walks of random keys from random nodes that miss the brute-force root.
func (n *net) wrongRoots(keys int) (wrong, mostHops int) {
	ids := n.alive()
	for range keys {
		key := idspace.Hash(fmt.Append(nil, n.rng.Uint64()))
		from := n.byID[ids[n.rng.IntN(len(ids))]]
		root, hops := n.walk(from, key)
		if root != surrogate.Root(idspace.Hex, ids, key) {
			wrong++
		}
		mostHops = max(mostHops, hops)
	}
	return wrong, mostHops
}
