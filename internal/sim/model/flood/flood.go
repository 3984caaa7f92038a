// Package flood models Gnutella: no node knows where anything is; a question goes
// to all neighbors and from them on to theirs, as far as its time to live, the
// horizon, and hits come back the way it went. Sources: "The Gnutella Protocol
// Specification v0.4" (Clip2, 2001); M. Ripeanu, "Peer-to-Peer Architecture Case
// Study: Gnutella Network", P2P 2001, for the degree.
//
// Where it departs: pings are not flooded; a neighbor answers with addresses that
// it knows, as the pong caches of version 0.6 do, which is kinder to the network.
// There are no roots, so a Lookup fails at once.
//
// Layer 7, inside the room of the simulator.
package flood

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// Config has the constants of the network; the zero of each stands for its default.
type Config struct {
	Horizon   int           // hops that a question goes: 7, v0.4's usual TTL
	Degree    int           // neighbors that a node looks for: 4 (Ripeanu: 3.4 on average)
	MaxDegree int           // that it accepts: 8
	Wait      time.Duration // for hits: 5 s
	Period    time.Duration // of pings to neighbors: 10 s; one that misses three is dropped
}

func (c Config) filled() Config {
	if c.Horizon == 0 {
		c.Horizon = 7
	}
	if c.Degree == 0 {
		c.Degree = 4
	}
	if c.MaxDegree == 0 {
		c.MaxDegree = max(8, c.Degree)
	}
	if c.Wait == 0 {
		c.Wait = 5 * time.Second
	}
	if c.Period == 0 {
		c.Period = 10 * time.Second
	}
	return c
}

// The timers.
const (
	pingTimer uint8 = iota
	callTimer
	payloadTimer
)

// remembered is how many questions a node knows again.
const remembered = 10_000

// Node is one servent.
type Node struct {
	cfg       Config
	self      model.Peer
	neighbors []neighbor
	known     []model.Addr // addresses heard of, latest last
	mine      []idspace.ID
	open      map[uint64]*search
	courier   model.Courier
	way       map[uint64]model.Addr // question to the neighbor that it came from
	order     []uint64              // of way, oldest first
}

type neighbor struct {
	at    model.Addr
	heard mono.Time
}

type search struct {
	request model.Request
	servers []model.Addr
	hops    int
}

// Protocol describes the model.
func Protocol(cfg Config) model.Protocol {
	return model.Protocol{
		Name:   "flood",
		New:    func(self model.Peer) model.Node { return New(self, cfg) },
		Settle: settle,
	}
}

// New makes a node.
func New(self model.Peer, cfg Config) *Node {
	n := &Node{cfg: cfg.filled(), self: self, open: map[uint64]*search{}, way: map[uint64]model.Addr{}}
	n.courier = model.Courier{Self: self.At, Patience: 3 * time.Second, What: payloadTimer, Has: n.has}
	return n
}

// settle links every node with random others, up to its degree.
func settle(s model.Settled) {
	for _, p := range s.Peers {
		n, w := s.Node(p.At).(*Node), s.World(p.At)
		for tries := 0; len(n.neighbors) < n.cfg.Degree && tries < 20*n.cfg.Degree; tries++ {
			q := s.Peers[w.Rand().IntN(len(s.Peers))]
			other := s.Node(q.At).(*Node)
			if q != p && len(other.neighbors) < other.cfg.MaxDegree && !n.Linked(q.At) {
				n.befriend(w, q.At)
				other.befriend(w, p.At)
			}
		}
		w.SetTimer(model.Timer{What: pingTimer}, model.Jitter(w, n.cfg.Period))
	}
}

func (n *Node) has(key idspace.ID) bool { return slices.Contains(n.mine, key) }

// Member reports whether it has a neighbor.
func (n *Node) Member() bool { return len(n.neighbors) > 0 }

// Linked reports whether a node is a neighbor.
func (n *Node) Linked(at model.Addr) bool {
	return slices.ContainsFunc(n.neighbors, func(b neighbor) bool { return b.at == at })
}

func (n *Node) befriend(w model.World, at model.Addr) {
	n.neighbors = append(n.neighbors, neighbor{at: at, heard: w.Now()})
	n.learn(at)
}

func (n *Node) unfriend(at model.Addr) {
	n.neighbors = slices.DeleteFunc(n.neighbors, func(b neighbor) bool { return b.at == at })
	n.known = slices.DeleteFunc(n.known, func(a model.Addr) bool { return a == at })
}

// Links are the neighbors.
func (n *Node) Links() []model.Addr {
	all := make([]model.Addr, len(n.neighbors))
	for i, b := range n.neighbors {
		all[i] = b.at
	}
	return all
}

// Begin starts a request. To publish is to have: nobody is told.
func (n *Node) Begin(w model.World, r model.Request) {
	if n.courier.Here(w, r) {
		return
	}
	switch r.Op {
	case model.Publish:
		if !n.has(r.Key) {
			n.mine = append(n.mine, r.Key)
		}
		w.Done(model.Outcome{Call: r.Call, OK: true})
	case model.Unpublish:
		n.mine = slices.DeleteFunc(n.mine, func(k idspace.ID) bool { return k == r.Key })
		w.Done(model.Outcome{Call: r.Call, OK: true})
	case model.Lookup:
		w.Done(model.Outcome{Call: r.Call})
	case model.Locate, model.Deliver:
		n.search(w, r)
	}
}

// Step takes a message.
func (n *Node) Step(w model.World, from model.Addr, m model.Message) {
	n.heard(w, from)
	switch m := m.(type) {
	case ping:
		n.onPing(w, from, m)
	case pong:
		n.onPong(w, from, m)
	case bye:
		n.unfriend(from)
	case query:
		n.onQuery(w, from, m)
	case hit:
		n.onHit(w, m)
	default:
		n.courier.Step(w, from, m)
	}
}

// OnTimer takes a timer.
func (n *Node) OnTimer(w model.World, k model.Timer) {
	switch k.What {
	case pingTimer:
		n.onPingTimer(w)
	case callTimer:
		if n.open[k.N] != nil {
			n.conclude(w, k.N)
		}
	case payloadTimer:
		n.courier.OnTimer(w, k)
	}
}
