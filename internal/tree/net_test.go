package tree_test

import (
	"bufio"
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/tree"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
	"google.golang.org/protobuf/proto"
)

const (
	roots   = 4
	backups = 1
	recordS = 3600
)

// failer is what a test and a rapid test have in common.
type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// chains are those of the test: making one costs 4096 hashes.
var chains = make(map[string]*lease.Chain)

func chainOf(name string, generation uint64) *lease.Chain {
	key := fmt.Sprint(name, generation)
	if chains[key] == nil {
		guid := idspace.Hash([]byte(key))
		chains[key] = lease.New([4]uint64{uint64(guid[0]), uint64(guid[1]), uint64(guid[2])<<8 | uint64(guid[3]), generation})
	}
	return chains[key]
}

// nodeRecord is the signed record of a node with the lease of a generation.
func nodeRecord(name string, generation, version uint64) *wire.SignedRecord {
	anchor := chainOf(name, generation).Anchor()
	return envtest.Seal(wire.NodeKind, name, &wire.NodeRecord{
		Network: envtest.Network, Peer: []byte(name), Generation: generation, Version: version, Lease: anchor[:],
	})
}

// router is the real one, of which a Keeper asks for near nodes alone.
func router(tables *surrogate.Tables, links *links.Table) *routing.Router {
	return routing.New(routing.Config{}.WithDefaults(), tables, links)
}

// rooms are what a Keeper stands on.
type rooms struct {
	tables *surrogate.Tables
	links  *links.Table
	store  *pointers.Store
}

func newRooms(space idspace.Space, self idspace.ID, limits pointers.Limits) rooms {
	return rooms{
		tables: &surrogate.Tables{Space: space, Self: self, Map: neighbormap.New(space, self, 8), Leaves: leafset.New(self, 4)},
		links:  links.New(links.Config{}.WithDefaults()),
		store:  pointers.New(self, limits),
	}
}

func (r rooms) deps() tree.Deps {
	return tree.Deps{Router: router(r.tables, r.links), Tables: r.tables, Links: r.links, Store: r.store}
}

// know puts a node into all tables.
func (r rooms) know(id idspace.ID, rtt time.Duration) {
	r.links.Close(id)
	r.links.Open(id).Mine = wire.Use_USE_LEAF
	r.links.Sample(id, rtt)
	if r.tables.Map.Has(id) {
		r.tables.Map.Update(id, rtt)
		return
	}
	r.tables.Map.Insert(neighbormap.Neighbor{ID: id, RTT: rtt})
	r.tables.Leaves.Insert(id)
}

func (r rooms) lose(id idspace.ID) {
	r.links.Close(id)
	r.tables.Map.Remove(id)
	r.tables.Leaves.Bury(id)
}

// net is a network of Keepers whose time is virtual.
type net struct {
	t      failer
	space  idspace.Space
	now    mono.Time
	rng    *rand.Rand
	queue  events
	order  uint64
	hosts  []*host
	rtts   map[[2]int]time.Duration
	cut    map[[2]int]bool
	loss   float64 // of everything that is sent
	twice  float64 // comes again, later
	sent   map[string]int
	bytes  map[string]int // of frames, by kind
	total  int
	names  envtest.Names
	limits pointers.Limits
	window int
	large  bool // too large to check each step
	trace  func(string, ...any)
}

type event struct {
	at    mono.Time
	order uint64
	do    func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

func newNet(t failer, space idspace.Space, seed uint64) *net {
	return &net{
		t: t, space: space, now: mono.Time(time.Second), rng: rand.New(rand.NewPCG(seed, 7)),
		rtts: make(map[[2]int]time.Duration), cut: make(map[[2]int]bool), sent: make(map[string]int), bytes: make(map[string]int), names: make(envtest.Names),
		trace: func(string, ...any) {},
	}
}

func (n *net) after(d time.Duration, do func()) {
	n.order++
	heap.Push(&n.queue, event{n.now.Add(d), n.order, do})
}

// run lets d pass.
func (n *net) run(d time.Duration) {
	end := n.now.Add(d)
	for len(n.queue) > 0 && n.queue[0].at <= end {
		e := heap.Pop(&n.queue).(event)
		n.now = e.at
		e.do()
	}
	n.now = end
}

// host is a node of it.
type host struct {
	rooms
	net        *net
	number     int
	name       string
	id         idspace.ID
	generation uint64
	dead       bool
	died       mono.Time
	keeper     *tree.Keeper
	timers     map[env.TimerKey]uint64
	stamp      uint64
	seen       uint64 // of the changes of its store, when it was last checked
	handed     map[idspace.ID]int
	settled    []idspace.ID // withdrawals of which all know
	served     map[pointers.Key]*service
	counter    uint64
	verdicts   map[uint64]*verdict // of batches, by their sequence
	batches    []*served           // that were published
	rng        *rand.Rand
}

// service is the last record of an object that a host serves.
type service struct {
	sequence  pointers.Sequence
	withdrawn bool
}

// served is a batch that a host has published.
type served struct {
	record  *wire.BatchRecord // its newest header
	objects []pointers.Key
}

var _ env.Env = (*host)(nil)

// add starts a node that is in nobody's tables yet.
func (n *net) add(name string, generation uint64) *host {
	h := &host{net: n, number: len(n.hosts), name: name, id: n.space.Truncate(n.names.ID(name)), generation: generation}
	n.names.Call(h.id, name)
	h.rooms = newRooms(n.space, h.id, n.limits)
	h.timers, h.handed, h.served = make(map[env.TimerKey]uint64), make(map[idspace.ID]int), make(map[pointers.Key]*service)
	h.rng = rand.New(rand.NewPCG(uint64(h.number), generation))
	cfg := tree.Config{
		Space: n.space, Self: h.id, Network: envtest.Network, Record: nodeRecord(name, generation, 1), Lease: chainOf(name, generation), Window: n.window,
	}
	if err := cfg.Validate(); err != nil {
		n.t.Fatalf("%v", err)
	}
	h.verdicts = make(map[uint64]*verdict)
	h.keeper = tree.New(cfg, h.deps())
	h.keeper.Heed(h)
	n.hosts = append(n.hosts, h)
	return h
}

func (n *net) host(id idspace.ID) *host {
	for _, h := range n.hosts {
		if h.id == id && !h.dead {
			return h
		}
	}
	return nil
}

func (n *net) living() (all []*host) {
	for _, h := range n.hosts {
		if !h.dead {
			all = append(all, h)
		}
	}
	return all
}

func pair(a, b *host) [2]int { return [2]int{min(a.number, b.number), max(a.number, b.number)} }

// setRTT says how far two nodes are apart; both measure it at once.
func (n *net) setRTT(a, b *host, rtt time.Duration) {
	n.rtts[pair(a, b)] = rtt
	for _, x := range [][2]*host{{a, b}, {b, a}} {
		if x[0].tables.Map.Has(x[1].id) {
			x[0].know(x[1].id, rtt)
			x[0].step(func() { x[0].keeper.OnChanged(x[0], &env.Changed{}) })
		}
	}
}

// meet has a node take another one into its tables.
func (n *net) meet(h, o *host) {
	if h.dead || o.dead || h == o || h.tables.Map.Has(o.id) {
		return
	}
	h.know(o.id, n.rtts[pair(h, o)])
	h.step(func() { h.keeper.OnChanged(h, &env.Changed{Added: []idspace.ID{o.id}}) })
}

// miss has a node find another one dead, rightly or not.
func (n *net) miss(h, o *host) {
	if h.dead || !h.tables.Map.Has(o.id) {
		return
	}
	h.lose(o.id)
	ids := []idspace.ID{o.id}
	h.step(func() { h.keeper.OnChanged(h, &env.Changed{Removed: ids, Dead: ids}) })
}

// step runs something of a host, and checks it.
func (h *host) step(do func()) {
	if h.dead {
		return
	}
	do()
	if changes := h.store.Changes(); changes != h.seen && !h.net.large {
		h.seen = changes
		if err := errors.Join(h.store.Check(), h.keeper.CheckLinks(), h.keeper.CheckDuties()); err != nil {
			h.net.t.Fatalf("%s: %v", h.name, err)
		}
	}
}

func (h *host) Now() mono.Time                    { return h.net.now }
func (h *host) Rand() *rand.Rand                  { return h.rng }
func (h *host) SendDial(idspace.ID, wire.Message) { h.net.t.Fatalf("%s dials", h.name) }
func (h *host) Deliver(d env.Delivery)            { h.net.t.Fatalf("%s delivers %T", h.name, d) }
func (h *host) StopTimer(k env.TimerKey)          { delete(h.timers, k) }
func (h *host) SetTimer(k env.TimerKey, d time.Duration) {
	h.stamp++
	stamp := h.stamp
	h.timers[k] = stamp
	h.net.after(d, func() {
		if h.timers[k] == stamp {
			delete(h.timers, k)
			h.step(func() { h.keeper.OnTimer(h, k) })
		}
	})
}

func (h *host) Emit(ev env.Event) {
	switch ev := ev.(type) {
	case *env.Stored:
		h.net.trace("%v %s stored %s of %s", h.net.now, h.name, h.net.names.Of(ev.GUID), h.net.names.Of(ev.Server))
	case *env.Removed:
		h.net.trace("%v %s removed %s of %s: %s", h.net.now, h.name, h.net.names.Of(ev.GUID), h.net.names.Of(ev.Server), ev.Why)
	case *env.Dropped:
		h.net.trace("%v %s dropped from %s: %s", h.net.now, h.name, h.net.names.Of(ev.Peer), ev.Why)
	}
}

func (h *host) Sign(kind wire.RecordKind, payload []byte) *wire.SignedRecord {
	return &wire.SignedRecord{PublicKey: []byte(h.name), PayloadType: []byte(kind), Payload: payload, Signature: make([]byte, 64)}
}

func (h *host) Post(l env.Local) {
	if p, ok := l.(*env.Probe); ok {
		h.probe(p.Peer)
		return
	}
	if s, ok := l.(*env.Settled); ok {
		h.settled = append(h.settled, s.GUID)
		return
	}
	m, ok := l.(*env.HandedOver)
	if !ok {
		h.net.t.Fatalf("%s posts %T", h.name, l)
	}
	h.handed[m.To]--
	if h.handed[m.To] < 0 {
		h.net.t.Fatalf("%s has handed over to %s more often than it was asked to", h.name, h.net.names.Of(m.To))
	}
}

// probe finds out whether a node lives, as heartbeat does.
func (h *host) probe(id idspace.ID) {
	o := h.net.host(id)
	alive := o != nil && !h.net.cut[pair(h, o)]
	took := 4 * time.Second
	if alive {
		took = h.net.rtts[pair(h, o)]
	}
	h.net.after(took, func() {
		if l := h.links.Link(id); alive && l != nil {
			l.Heard = h.net.now
		}
		h.step(func() { h.keeper.OnVerdict(h, &env.Verdict{Peer: id, For: env.Tree, Alive: alive}) })
	})
}

// Send carries a message through its encoding to the other node, unless it is lost.
func (h *host) Send(to idspace.ID, m wire.Message) {
	n := h.net
	frame, err := wire.AppendFrame(nil, m)
	if err != nil {
		n.t.Fatalf("%s sends %v: %v", h.name, m.Kind(), err)
	}
	n.sent[m.Kind().String()]++
	n.bytes[m.Kind().String()] += len(frame)
	if n.total++; n.total > 50_000 {
		n.t.Fatalf("%d messages, and no end: %s → %s: %s", n.total, h.name, n.names.Of(to), tell(n.names, m))
	}
	n.sent["to "+h.name+" "+n.names.Of(to)]++
	n.trace("%v %s → %s: %s", n.now, h.name, n.names.Of(to), tell(n.names, m))
	n.carry(h, to, func(o *host) { o.take(n.t, h.id, frame) })
}

// carry brings something to a node, if the network lets it.
func (n *net) carry(h *host, to idspace.ID, do func(*host)) {
	times := 1
	if n.rng.Float64() < n.twice {
		times = 2
	}
	for range times {
		if n.rng.Float64() < n.loss {
			continue
		}
		o := n.host(to)
		if o == nil {
			return
		}
		delay := n.rtts[pair(h, o)] / 2
		if n.loss > 0 {
			delay += time.Duration(n.rng.Int64N(int64(200 * time.Millisecond)))
		}
		n.after(delay, func() {
			if !n.cut[pair(h, o)] && !o.dead {
				o.step(func() { do(o) })
			}
		})
	}
}

func (h *host) take(t failer, from idspace.ID, frame []byte) {
	m := decoded(frame)
	if m == nil {
		t.Fatalf("%s cannot read what it was sent", h.name)
	}
	dispatch(h.keeper, h, from, m)
}

// decoded is the message of a frame, nil if it makes no sense.
func decoded(frame []byte) wire.Message {
	packed, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(frame)), nil)
	if err != nil {
		return nil
	}
	m, err := wire.Decode(packed)
	if err != nil {
		return nil
	}
	return m
}

// dispatch gives a message to a Keeper, as node does.
func dispatch(k *tree.Keeper, e env.Env, from idspace.ID, m wire.Message) {
	switch m := m.(type) {
	case *wire.Refresh:
		k.OnRefresh(e, from, m)
	case *wire.RefreshReply:
		k.OnRefreshReply(e, from, m)
	case *wire.Listing:
		k.OnListing(e, from, m)
	case *wire.Wanted:
		k.OnWanted(e, from, m)
	case *wire.Deposit:
		k.OnDeposit(e, from, m)
	case *wire.Placed:
		k.OnPlaced(e, from, m)
	}
}

// publish lays a record of an object along the paths to its roots.
func (h *host) publish(object string, withdrawn bool) {
	key := pointers.Key{GUID: h.net.names.ID(object), App: "app"}
	h.counter++
	s := &service{pointers.Sequence{Generation: h.generation, Counter: h.counter}, withdrawn}
	h.served[key] = s
	h.net.trace("%v %s publishes %s %v withdrawn=%v", h.net.now, h.name, object, s.sequence, withdrawn)
	signed := envtest.Pointer(h.name, &wire.BatchRecord{
		Guid: key.GUID[:], App: key.App, Server: h.id[:], Generation: h.generation, Counter: h.counter, Withdrawn: withdrawn, LifeS: recordS,
	})
	for salt := range roots {
		h.step(func() {
			h.arrive(&wire.Publish{
				Pointer: signed, Server: nodeRecord(h.name, h.generation, 1), Salt: uint32(salt), Roots: roots, LeftS: recordS,
				Pulse: h.keeper.Pulse(h.net.now),
			}, h.id, 0)
		})
	}
}

// publishBatch lays a record of several objects.
func (h *host) publishBatch(objects []string, withdrawn bool) {
	h.counter++
	var guids []idspace.ID
	for _, object := range objects {
		guids = append(guids, h.net.names.ID(object))
		h.served[pointers.Key{GUID: h.net.names.ID(object), App: "app"}] = &service{pointers.Sequence{Generation: h.generation, Counter: h.counter}, withdrawn}
	}
	h.net.trace("%v %s publishes %v as a batch withdrawn=%v", h.net.now, h.name, objects, withdrawn)
	part, err := batch.Build(h.net.space, guids, roots)
	if err != nil {
		h.net.t.Fatalf("%v", err)
	}
	rec := &wire.BatchRecord{
		App: "app", Server: h.id[:], Generation: h.generation, Counter: h.counter, Withdrawn: withdrawn, LifeS: recordS,
	}
	part.Commit(rec)
	b := &served{record: rec}
	for _, guid := range guids {
		b.objects = append(b.objects, pointers.Key{GUID: guid, App: "app"})
	}
	h.batches = append(h.batches, b)
	h.verdicts[h.counter] = &verdict{objects: len(guids)}
	h.step(func() {
		h.keeper.Serve(h, h.counter, envtest.Pointer(h.name, rec), part, h.net.now.Add(10*time.Second))
	})
}

// renewBatch has a batch go on under a new header, unless something of it does not stand under the old one any more.
func (h *host) renewBatch(b *served) {
	for _, key := range b.objects {
		if h.served[key].sequence != pointers.SequenceOf(b.record) || b.record.Withdrawn {
			return
		}
	}
	rec := proto.CloneOf(b.record)
	rec.Counter = h.counter + 1
	h.step(func() {
		if !h.keeper.Renew(h, envtest.Pointer(h.name, rec), rec) {
			return
		}
		h.net.trace("%v %s renews %d objects", h.net.now, h.name, len(b.objects))
		h.counter, b.record = rec.Counter, rec
		for _, key := range b.objects {
			h.served[key].sequence = pointers.SequenceOf(rec)
		}
	})
}

// verdict is what became of a batch.
type verdict struct{ objects, placed, missing int }

func (h *host) OnSought(env.Env, pointers.Key) {}

func (h *host) OnPlaced(_ env.Env, batch uint64, _ idspace.ID, placed bool) {
	if v := h.verdicts[batch]; placed {
		v.placed++
	} else {
		v.missing++
	}
}

// arrive is a hop of a routed publish: it is kept, and goes on.
func (h *host) arrive(m *wire.Publish, from idspace.ID, spent time.Duration) {
	rec, err := m.Pointer.Pointer()
	if err != nil {
		h.net.t.Fatalf("%v", err)
	}
	hop := h.tables.Course(h.net.space.Salted(wire.ID(rec.Guid), int(m.Salt), roots))
	result, err := h.keeper.Arrive(h, tree.Arrival{Publish: m, From: from, Next: hop.To, Latency: spent})
	if err != nil || result.Kind == pointers.Older || hop.To == h.id {
		return
	}
	h.net.carry(h, hop.To, func(o *host) { o.arrive(m, h.id, spent+h.net.rtts[pair(h, o)]/2) })
}
