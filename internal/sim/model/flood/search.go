package flood

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

func (n *Node) search(w model.World, r model.Request) {
	s := &search{request: r}
	n.open[r.Call] = s
	if n.has(r.Key) {
		s.servers = append(s.servers, n.self.At)
	}
	n.remember(r.Call, n.self.At)
	w.SetTimer(model.Timer{What: callTimer, N: r.Call}, n.cfg.Wait)
	for _, b := range n.neighbors {
		w.Send(b.at, query{call: r.Call, key: r.Key, ttl: n.cfg.Horizon, hops: 1})
	}
}

// onQuery: a question seen before is dropped; a new one is answered if the object
// is here, and goes on to all neighbors but the one it came from, while it lives.
func (n *Node) onQuery(w model.World, from model.Addr, q query) {
	if _, seen := n.way[q.call]; seen {
		return
	}
	n.remember(q.call, from)
	if n.has(q.key) {
		w.Send(from, hit{call: q.call, server: n.self.At, hops: q.hops})
	}
	if q.ttl <= 1 {
		return
	}
	q.ttl, q.hops = q.ttl-1, q.hops+1
	for _, b := range n.neighbors {
		if b.at != from {
			w.Send(b.at, q)
		}
	}
}

// onHit: a hit goes back the way its question came.
func (n *Node) onHit(w model.World, h hit) {
	if s := n.open[h.call]; s != nil {
		n.found(w, s, h)
		return
	}
	if back, ok := n.way[h.call]; ok && back != n.self.At {
		w.Send(back, h)
	}
}

func (n *Node) found(w model.World, s *search, h hit) {
	if !slices.Contains(s.servers, h.server) {
		s.servers, s.hops = append(s.servers, h.server), max(s.hops, h.hops)
	}
	if s.request.Want == model.First || s.request.Op == model.Deliver {
		n.conclude(w, h.call)
	}
}

// conclude ends the search of a call with what it has found.
func (n *Node) conclude(w model.World, call uint64) {
	s := n.open[call]
	delete(n.open, call)
	w.StopTimer(model.Timer{What: callTimer, N: call})
	if s.request.Op == model.Deliver && len(s.servers) > 0 {
		n.courier.Ship(w, s.request, s.servers)
		return
	}
	w.Done(model.Outcome{Call: call, OK: len(s.servers) > 0, Servers: s.servers, Hops: s.hops})
}

// remember keeps the way back of a question and forgets the oldest.
func (n *Node) remember(call uint64, from model.Addr) {
	n.way[call] = from
	n.order = append(n.order, call)
	if len(n.order) > remembered {
		delete(n.way, n.order[0])
		n.order = n.order[1:]
	}
}
