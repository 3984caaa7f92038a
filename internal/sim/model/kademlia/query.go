package kademlia

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// query is one iterative lookup. It asks the nearest peers heard of, alpha at a
// time, until the beta nearest have answered; then, in the follow-up, whoever of
// the k nearest has not been asked, all at once.
type query struct {
	request  model.Request
	foreign  bool // begun by Begin: its end is an Outcome
	again    bool // provides once more
	target   idspace.ID
	peers    []candidate // nearest to target first
	followUp bool
	servers  []model.Addr
	hops     int // at which the first server was heard of
}

type candidate struct {
	peer  model.Peer
	state state
	depth int // how many nodes told of each other up to this one
}

type state uint8

const (
	heard state = iota
	waiting
	queried
	unreachable
)

func (q *query) find(p model.Peer) (int, bool) {
	return slices.BinarySearchFunc(q.peers, p, func(c candidate, p model.Peer) int {
		return nearer(q.target, c.peer.ID, p.ID)
	})
}

func (q *query) hear(p model.Peer, depth int) {
	if i, ok := q.find(p); !ok {
		q.peers = slices.Insert(q.peers, i, candidate{peer: p, depth: depth})
	}
}

func (q *query) set(p model.Peer, s state) {
	if i, ok := q.find(p); ok {
		q.peers[i].state = s
	}
}

// answered takes in what a peer said. What the follow-up hears of is not asked.
func (q *query) answered(self, from model.Peer, m found) {
	i, ok := q.find(from)
	if !ok {
		return
	}
	depth := q.peers[i].depth
	q.peers[i].state = queried
	for _, p := range m.closer {
		if p.ID != self.ID && !q.followUp {
			q.hear(p, depth+1)
		}
	}
	for _, server := range m.servers {
		if len(q.servers) == 0 {
			q.hops = depth
		}
		if !slices.Contains(q.servers, server) {
			q.servers = append(q.servers, server)
		}
	}
}

// nearest returns the indices of the n nearest peers that may be reachable.
func (q *query) nearest(n int) []int {
	all := make([]int, 0, n)
	for i, c := range q.peers {
		if len(all) == n {
			break
		}
		if c.state != unreachable {
			all = append(all, i)
		}
	}
	return all
}

// complete reports whether the n nearest have all answered.
func (q *query) complete(n int) bool {
	for _, i := range q.nearest(n) {
		if q.peers[i].state != queried {
			return false
		}
	}
	return true
}

// waits reports whether an answer is due.
func (q *query) waits() bool {
	return slices.ContainsFunc(q.peers, func(c candidate) bool { return c.state == waiting })
}

// satisfied reports whether the first server was enough.
func (q *query) satisfied() bool {
	r := q.request
	return len(q.servers) > 0 && q.foreign && (r.Op == model.Deliver || r.Op == model.Locate && r.Want == model.First)
}

// start begins a query with what this node knows itself.
func (n *Node) start(w model.World, q *query) {
	n.last++
	number := n.last
	n.queries[number] = q
	if q.foreign && (q.request.Op == model.Locate || q.request.Op == model.Deliver) {
		q.servers = n.shelf.Servers(q.target, w.Now())
	}
	for _, p := range n.table.nearest(q.target, n.cfg.K) {
		q.hear(p, 1)
	}
	n.advance(w, number)
}

// advance asks whoever is to be asked next, or ends the query.
func (n *Node) advance(w model.World, number uint64) {
	q := n.queries[number]
	if q.satisfied() {
		n.finish(w, number)
		return
	}
	if !q.followUp && q.complete(n.cfg.Beta) {
		q.followUp = true
		for _, i := range q.nearest(n.cfg.K) {
			n.askCandidate(w, number, i)
		}
	}
	if !q.followUp {
		n.askNearest(w, number)
	} else if !q.waits() {
		n.finish(w, number)
	}
}

// askNearest keeps alpha questions under way.
func (n *Node) askNearest(w model.World, number uint64) {
	q, free := n.queries[number], n.cfg.Alpha
	for _, c := range q.peers {
		if c.state == waiting {
			free--
		}
	}
	for i := 0; i < len(q.peers) && free > 0; i++ {
		if q.peers[i].state == heard {
			n.askCandidate(w, number, i)
			free--
		}
	}
}

func (n *Node) askCandidate(w model.World, number uint64, i int) {
	q := n.queries[number]
	if q.peers[i].state != heard {
		return
	}
	q.peers[i].state = waiting
	n.ask(w, q.peers[i].peer, number, find{target: q.target, providers: q.wantsProviders()})
}

func (q *query) wantsProviders() bool {
	return q.foreign && (q.request.Op == model.Locate || q.request.Op == model.Deliver)
}

// finish ends a query and does what it was for.
func (n *Node) finish(w model.World, number uint64) {
	q := n.queries[number]
	delete(n.queries, number)
	switch {
	case q.again:
		n.provide(w, q)
		return
	case !q.foreign:
		n.refreshNext(w)
		return
	}
	o := model.Outcome{Call: q.request.Call, Root: model.Nobody, Servers: q.servers, Hops: q.hops}
	switch q.request.Op {
	case model.Lookup:
		n.nearestOf(q, &o)
	case model.Publish:
		o.OK = n.provide(w, q) > 0
	case model.Locate:
		o.OK, o.Absent = len(q.servers) > 0, len(q.servers) == 0
	case model.Deliver:
		n.courier.Ship(w, q.request, q.servers)
		return
	}
	w.Done(o)
}

// nearestOf answers a lookup: the nearest that answered, or this node.
func (n *Node) nearestOf(q *query, o *model.Outcome) {
	o.Root = n.self.At
	o.OK = len(q.peers) > 0
	if near := q.nearest(1); len(near) > 0 && nearer(q.target, q.peers[near[0]].peer.ID, n.self.ID) < 0 {
		o.Root, o.Hops = q.peers[near[0]].peer.At, q.peers[near[0]].depth
	}
}

// provide puts a record at the k nearest, which does not wait for an answer.
func (n *Node) provide(w model.World, q *query) (stores int) {
	n.shelf.Put(q.target, model.Entry{Server: n.self.At, Until: w.Now().Add(n.cfg.Validity)})
	for _, i := range q.nearest(n.cfg.K) {
		n.touch(w, q.peers[i].peer.At)
		w.Send(q.peers[i].peer.At, addProvider{from: n.self, key: q.target})
		stores++
	}
	return stores
}
