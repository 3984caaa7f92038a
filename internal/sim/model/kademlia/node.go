package kademlia

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// Config has the constants of the network; the zero of each stands for its default,
// which is go-libp2p-kad-dht's or go-libp2p's.
type Config struct {
	K           int           // size of a bucket, and how many nodes keep a provider record: 20
	Alpha       int           // questions of a lookup that are under way at once: 10
	Beta        int           // nearest nodes that must have answered for a lookup to end: 3
	DialTimeout time.Duration // for an answer over a connection that must be opened first: 15 s
	ReadTimeout time.Duration // for an answer over an open one: 10 s
	Refresh     time.Duration // of all buckets: 10 min
	Validity    time.Duration // of a provider record: 48 h
	Reprovide   time.Duration // 22 h
	HighWater   int           // connections at which the connection manager trims: 192
	LowWater    int           // down to: 160
}

func (c Config) filled() Config {
	for _, field := range []struct {
		at   *int
		want int
	}{{&c.K, 20}, {&c.Alpha, 10}, {&c.Beta, 3}, {&c.HighWater, 192}, {&c.LowWater, 160}} {
		if *field.at == 0 {
			*field.at = field.want
		}
	}
	for _, field := range []struct {
		at   *time.Duration
		want time.Duration
	}{
		{&c.DialTimeout, 15 * time.Second}, {&c.ReadTimeout, 10 * time.Second}, {&c.Refresh, 10 * time.Minute},
		{&c.Validity, 48 * time.Hour}, {&c.Reprovide, 22 * time.Hour},
	} {
		if *field.at == 0 {
			*field.at = field.want
		}
	}
	return c
}

// The timers.
const (
	rpcTimer uint8 = iota
	joinTimer
	refreshTimer
	reprovideTimer
	payloadTimer
)

// Node is one node of the DHT.
type Node struct {
	cfg     Config
	self    model.Peer
	seeds   []model.Peer
	table   table
	conns   map[model.Addr]mono.Time // open connections, with their last use
	queries map[uint64]*query
	rpcs    map[uint64]rpc
	last    uint64 // number given to a query or RPC
	shelf   model.Shelf
	mine    []idspace.ID
	courier model.Courier
	stale   []int // buckets that are yet to be refreshed
}

type rpc struct {
	to    model.Peer
	query uint64 // 0: of none
}

// Protocol describes the model.
func Protocol(cfg Config) model.Protocol {
	return model.Protocol{
		Name:   "kademlia",
		New:    func(self model.Peer) model.Node { return New(self, cfg) },
		Settle: settle,
		Root:   Root,
	}
}

// New makes a node.
func New(self model.Peer, cfg Config) *Node {
	n := &Node{cfg: cfg.filled(), self: self}
	n.table = table{self: self.ID, k: n.cfg.K}
	n.conns, n.queries, n.rpcs = map[model.Addr]mono.Time{}, map[uint64]*query{}, map[uint64]rpc{}
	n.courier = model.Courier{Self: self.At, Patience: n.cfg.DialTimeout, What: payloadTimer, Has: n.has}
	return n
}

func (n *Node) has(key idspace.ID) bool { return slices.Contains(n.mine, key) }

// Begin starts a request. A record cannot be taken back: Unpublish forgets the
// object here and fails, for the records name this node until they run out.
func (n *Node) Begin(w model.World, r model.Request) {
	if n.courier.Here(w, r) {
		return
	}
	switch r.Op {
	case model.Publish:
		if !n.has(r.Key) {
			n.mine = append(n.mine, r.Key)
			n.keepProviding(w)
		}
	case model.Unpublish:
		n.mine = slices.DeleteFunc(n.mine, func(k idspace.ID) bool { return k == r.Key })
		n.shelf.Remove(r.Key, n.self.At)
		w.Done(model.Outcome{Call: r.Call})
		return
	}
	n.start(w, &query{request: r, target: r.Key, foreign: true})
}

// Step takes a message.
func (n *Node) Step(w model.World, from model.Addr, m model.Message) {
	n.touch(w, from)
	switch m := m.(type) {
	case find:
		n.onFind(w, m)
	case found:
		n.onFound(w, m)
	case addProvider:
		n.table.add(m.from, w.Now())
		n.shelf.Put(m.key, model.Entry{Server: m.from.At, Until: w.Now().Add(n.cfg.Validity)})
	default:
		n.courier.Step(w, from, m)
	}
}

// OnTimer takes a timer.
func (n *Node) OnTimer(w model.World, k model.Timer) {
	switch k.What {
	case rpcTimer:
		n.onTimeout(w, k.N)
	case joinTimer:
		n.onJoinTimer(w)
	case refreshTimer:
		n.onRefreshTimer(w)
	case reprovideTimer:
		n.onReprovideTimer(w)
	case payloadTimer:
		n.courier.OnTimer(w, k)
	}
}

// onFind answers with the nearest peers known, and for a find-providers with who
// provides.
func (n *Node) onFind(w model.World, m find) {
	reply := found{rpc: m.rpc, closer: n.table.nearest(m.target, n.cfg.K)}
	if m.providers {
		reply.servers = n.shelf.Servers(m.target, w.Now())
		reply.servers = reply.servers[:min(len(reply.servers), n.cfg.K)]
	}
	reply.closer = slices.DeleteFunc(reply.closer, func(p model.Peer) bool { return p == m.from })
	w.Send(m.from.At, reply)
	n.table.add(m.from, w.Now())
}

// ask sends a question and waits for its answer.
func (n *Node) ask(w model.World, to model.Peer, query uint64, m find) {
	n.last++
	m.rpc, m.from = n.last, n.self
	n.rpcs[n.last] = rpc{to: to, query: query}
	patience := n.cfg.DialTimeout
	if w.RTT(to.At) > 0 {
		patience = n.cfg.ReadTimeout
	}
	w.SetTimer(model.Timer{What: rpcTimer, N: n.last}, patience)
	n.touch(w, to.At)
	w.Send(to.At, m)
}

func (n *Node) onFound(w model.World, m found) {
	r, ok := n.rpcs[m.rpc]
	if !ok {
		return
	}
	delete(n.rpcs, m.rpc)
	w.StopTimer(model.Timer{What: rpcTimer, N: m.rpc})
	n.table.add(r.to, w.Now())
	if q := n.queries[r.query]; q != nil {
		q.answered(n.self, r.to, m)
		n.advance(w, r.query)
	}
}

// onTimeout: a peer that does not answer leaves the table (query.go).
func (n *Node) onTimeout(w model.World, number uint64) {
	r, ok := n.rpcs[number]
	if !ok {
		return
	}
	delete(n.rpcs, number)
	n.table.remove(r.to.At)
	delete(n.conns, r.to.At)
	w.Close(r.to.At)
	if q := n.queries[r.query]; q != nil {
		q.set(r.to, unreachable)
		n.advance(w, r.query)
	}
}
