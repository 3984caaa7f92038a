// Package central models a central index as Napster ran it: one well-known server
// knows who has what; members tell it, and ask it. Source: S. Saroiu, P. Gummadi,
// S. Gribble, "A Measurement Study of Peer-to-Peer File Sharing Systems", MMCN
// 2002, section 1.1.
//
// Where it is kinder than the real one: the index is one node that never fails and
// is as fast as the network. Node 0 is the index.
//
// Layer 7, inside the room of the simulator.
package central

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// The index is the node of this number.
const index model.Addr = 0

// A member greets the index this often; one that has not for three times as long
// is forgotten, with what it shared.
const (
	greetPeriod = 30 * time.Second
	memberLife  = 3 * greetPeriod
)

// patience is how long the index may take to answer: a round trip, with a new
// connection three, of the longest of the Internet.
const patience = 3 * time.Second

// maxServers is how many servers of an object the index names.
const maxServers = 100

// The timers.
const (
	greetTimer uint8 = iota
	callTimer
	payloadTimer
)

// Node is a member, or the index.
type Node struct {
	self    model.Peer
	courier model.Courier
	mine    []idspace.ID
	open    map[uint64]model.Request
	// At the index alone:
	shelf model.Shelf
	seen  map[model.Addr]mono.Time
}

// Protocol describes the model.
func Protocol() model.Protocol {
	return model.Protocol{
		Name:   "central",
		Fixed:  1,
		New:    func(self model.Peer) model.Node { return New(self) },
		Settle: settle,
		Root:   func([]model.Peer, idspace.ID) model.Addr { return index },
	}
}

// New makes a node.
func New(self model.Peer) *Node {
	n := &Node{self: self, open: map[uint64]model.Request{}, seen: map[model.Addr]mono.Time{}}
	n.courier = model.Courier{Self: self.At, Patience: patience, What: payloadTimer, Has: n.has}
	return n
}

func settle(s model.Settled) {
	for _, p := range s.Peers {
		w := s.World(p.At)
		if p.At != index {
			w.SetTimer(model.Timer{What: greetTimer}, model.Jitter(w, greetPeriod))
		}
		s.Node(index).(*Node).seen[p.At] = w.Now()
	}
}

func (n *Node) has(key idspace.ID) bool { return slices.Contains(n.mine, key) }

// Join greets the index.
func (n *Node) Join(w model.World, _ []model.Peer) {
	if n.self.At != index {
		n.greet(w)
	}
}

// Leave tells the index.
func (n *Node) Leave(w model.World) { w.Send(index, bye{}) }

// Closed: a member whose connection has gone is gone, as in Napster.
func (n *Node) Closed(_ model.World, peer model.Addr) { n.forget(peer) }

// Links are the connection to the index; at the index, to all members.
func (n *Node) Links() []model.Addr {
	if n.self.At != index {
		return []model.Addr{index}
	}
	var all []model.Addr
	for member := range n.seen { // sorted below
		if member != index {
			all = append(all, member)
		}
	}
	slices.Sort(all)
	return all
}

// Linked reports whether a node is among the Links.
func (n *Node) Linked(peer model.Addr) bool {
	_, member := n.seen[peer]
	return peer != n.self.At && (peer == index || member)
}

// Member reports whether it may ask: always.
func (n *Node) Member() bool { return true }

func (n *Node) greet(w model.World) {
	w.Send(index, hello{})
	w.SetTimer(model.Timer{What: greetTimer}, model.Jitter(w, greetPeriod))
}

// Begin asks the index; the index asks itself.
func (n *Node) Begin(w model.World, r model.Request) {
	if n.courier.Here(w, r) {
		return
	}
	switch r.Op {
	case model.Publish:
		if !n.has(r.Key) {
			n.mine = append(n.mine, r.Key)
		}
	case model.Unpublish:
		n.mine = slices.DeleteFunc(n.mine, func(k idspace.ID) bool { return k == r.Key })
	}
	n.open[r.Call] = r
	q := question{call: r.Call, op: r.Op, key: r.Key}
	if n.self.At == index {
		n.answered(w, n.answer(w, index, q))
		return
	}
	w.SetTimer(model.Timer{What: callTimer, N: r.Call}, patience)
	w.Send(index, q)
}

// Step takes a message.
func (n *Node) Step(w model.World, from model.Addr, m model.Message) {
	switch m := m.(type) {
	case hello:
		n.seen[from] = w.Now()
	case bye:
		n.forget(from)
	case question:
		w.Send(from, n.answer(w, from, m))
	case answer:
		n.answered(w, m)
	default:
		n.courier.Step(w, from, m)
	}
}

// OnTimer takes a timer.
func (n *Node) OnTimer(w model.World, k model.Timer) {
	switch k.What {
	case greetTimer:
		n.greet(w)
	case callTimer:
		if _, ok := n.open[k.N]; ok {
			delete(n.open, k.N)
			w.Done(model.Outcome{Call: k.N})
		}
	case payloadTimer:
		n.courier.OnTimer(w, k)
	}
}

// answer is the index at work.
func (n *Node) answer(w model.World, from model.Addr, q question) answer {
	n.seen[from] = w.Now()
	a := answer{call: q.call}
	switch q.op {
	case model.Publish:
		n.shelf.Put(q.key, model.Entry{Server: from, Until: model.Forever})
	case model.Unpublish:
		n.shelf.Remove(q.key, from)
	case model.Locate, model.Deliver:
		a.servers = n.servers(w, q.key)
	}
	return a
}

func (n *Node) servers(w model.World, key idspace.ID) (living []model.Addr) {
	for _, server := range n.shelf.Servers(key, w.Now()) {
		if server != index && n.seen[server].Add(memberLife).Before(w.Now()) {
			n.forget(server)
		} else if len(living) < maxServers {
			living = append(living, server)
		}
	}
	return living
}

func (n *Node) forget(member model.Addr) {
	n.shelf.Drop(member)
	delete(n.seen, member)
}

func (n *Node) answered(w model.World, a answer) {
	r, ok := n.open[a.call]
	if !ok {
		return
	}
	delete(n.open, a.call)
	w.StopTimer(model.Timer{What: callTimer, N: a.call})
	if r.Op == model.Deliver {
		n.courier.Ship(w, r, a.servers)
		return
	}
	hops := 1
	if n.self.At == index {
		hops = 0
	}
	w.Done(model.Outcome{
		Call: r.Call, Root: index, Hops: hops, Servers: a.servers,
		OK: r.Op != model.Locate || len(a.servers) > 0, Absent: r.Op == model.Locate && len(a.servers) == 0,
	})
}
