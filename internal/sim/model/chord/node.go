package chord

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// Config has the constants of the ring; the zero of each stands for its default.
type Config struct {
	Successors  int           // length of the successor list: 16 (the paper: some log N; DHash: 16)
	Samples     int           // nodes that a finger is chosen from: 16, PNS(16); 1 is the paper's finger
	Stabilize   time.Duration // mean time between two rounds: 30 s, uniform in 15 to 45 s (section V-E)
	Replicas    int           // nodes that hold who has an object: 4
	Republish   time.Duration // 30 s, as this overlay
	PointerLife time.Duration // 105 s, as this overlay
	Patience    time.Duration // of a request until it is repeated, at most three times: 5 s
}

func (c Config) filled() Config {
	for _, field := range []struct {
		at   *int
		want int
	}{{&c.Successors, 16}, {&c.Samples, 16}, {&c.Replicas, 4}} {
		if *field.at == 0 {
			*field.at = field.want
		}
	}
	for _, field := range []struct {
		at   *time.Duration
		want time.Duration
	}{
		{&c.Stabilize, 30 * time.Second}, {&c.Republish, 30 * time.Second},
		{&c.PointerLife, 105 * time.Second}, {&c.Patience, 5 * time.Second},
	} {
		if *field.at == 0 {
			*field.at = field.want
		}
	}
	return c
}

// The timers.
const (
	hopTimer uint8 = iota
	callTimer
	askTimer
	stabilizeTimer
	fingerTimer
	republishTimer
	payloadTimer
)

// Node is one node of the ring.
type Node struct {
	cfg     Config
	self    model.Peer
	seeds   []model.Peer
	member  bool
	pred    model.Peer   // At is Nobody if it is not known
	succ    []model.Peer // nearest first; empty if this node is alone
	fingers []model.Peer // finger i: a node at or after self + 2^i; At is Nobody if it is not known
	next    int          // finger that is fixed next
	pass    int          // fingers fixed since joining
	last    uint64       // number given to a hop, question or call of its own
	hops    map[uint64]pending
	asks    map[uint64]asked
	calls   map[uint64]*call
	shelf   model.Shelf
	mine    []idspace.ID
	courier model.Courier
}

// Protocol describes the model.
func Protocol(cfg Config) model.Protocol {
	return model.Protocol{
		Name:   "chord",
		New:    func(self model.Peer) model.Node { return New(self, cfg) },
		Settle: settle,
		Root:   Root,
	}
}

var nobody = model.Peer{At: model.Nobody}

// New makes a node.
func New(self model.Peer, cfg Config) *Node {
	n := &Node{
		cfg: cfg.filled(), self: self, pred: nobody, next: idBits - 1,
		fingers: slices.Repeat([]model.Peer{nobody}, idBits),
		hops:    map[uint64]pending{}, asks: map[uint64]asked{}, calls: map[uint64]*call{},
	}
	n.courier = model.Courier{Self: self.At, Patience: 3 * time.Second, What: payloadTimer, Has: n.has}
	return n
}

func (n *Node) has(key idspace.ID) bool { return slices.Contains(n.mine, key) }

// Links are the nodes of the tables.
func (n *Node) Links() []model.Addr {
	var all []model.Addr
	for _, p := range append(append(slices.Clone(n.succ), n.pred), n.fingers...) {
		if p.At != model.Nobody && p.At != n.self.At {
			all = append(all, p.At)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Member reports whether it knows its successor, or founded the ring.
func (n *Node) Member() bool { return n.member }

// Linked reports whether a node is in the tables.
func (n *Node) Linked(peer model.Addr) bool {
	is := func(p model.Peer) bool { return p.At == peer }
	return is(n.pred) || slices.ContainsFunc(n.succ, is) || slices.ContainsFunc(n.fingers, is)
}

// Step takes a message. A node that is no member yet answers nobody, so that those
// who believe it to be one try another.
func (n *Node) Step(w model.World, from model.Addr, m model.Message) {
	if m, ok := m.(reply); ok {
		n.onReply(w, m)
		return
	}
	if !n.member || n.courier.Step(w, from, m) {
		return
	}
	switch m := m.(type) {
	case hop:
		n.onHop(w, from, m)
	case ack:
		n.settled(w, m.seq)
	case ask:
		n.onAsk(w, from, m)
	case state:
		n.onState(w, m)
	case notify:
		n.onNotify(w, m.peer)
	case lay:
		n.onLay(w, m)
	case leaving:
		n.onLeaving(w, m)
	}
}

// OnTimer takes a timer.
func (n *Node) OnTimer(w model.World, k model.Timer) {
	switch k.What {
	case hopTimer:
		n.onHopTimer(w, k.N)
	case callTimer:
		n.onCallTimer(w, k.N)
	case askTimer:
		n.onAskTimer(w, k.N)
	case stabilizeTimer:
		n.onStabilizeTimer(w)
	case fingerTimer:
		n.onFingerTimer(w)
	case republishTimer:
		n.onRepublishTimer(w)
	case payloadTimer:
		n.courier.OnTimer(w, k)
	}
}

// Closed: a connection says nothing about the node behind it.
func (n *Node) Closed(model.World, model.Addr) {}

// patience is how long a neighbor may take to answer: four round trips, at least
// half a second; where none was measured, a connection has to be opened too.
func (n *Node) patience(w model.World, to model.Addr) time.Duration {
	if rtt := w.RTT(to); rtt > 0 {
		return max(500*time.Millisecond, 4*rtt)
	}
	return 3 * time.Second
}

// forget takes a node that does not answer out of all tables (section V-D).
func (n *Node) forget(w model.World, at model.Addr) {
	n.succ = slices.DeleteFunc(n.succ, func(p model.Peer) bool { return p.At == at })
	for i := range n.fingers {
		if n.fingers[i].At == at {
			n.fingers[i] = nobody
		}
	}
	if n.pred.At == at {
		n.pred = nobody
	}
	if len(n.succ) == 0 { // the nearest finger after itself is the best that is left
		for _, p := range n.fingers {
			if p.At != model.Nobody && p.At != n.self.At {
				n.succ = []model.Peer{p}
				break
			}
		}
	}
	w.Close(at)
}
