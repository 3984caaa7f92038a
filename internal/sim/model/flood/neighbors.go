package flood

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// maxKnown is how many addresses a node keeps, and pongAddresses how many it tells.
const (
	maxKnown      = 50
	pongAddresses = 10
)

// Join asks the seeds for a place and for addresses.
func (n *Node) Join(w model.World, seeds []model.Peer) {
	for _, s := range seeds {
		n.learn(s.At)
	}
	n.seek(w)
	w.SetTimer(model.Timer{What: pingTimer}, time.Second)
}

// Leave takes leave of the neighbors.
func (n *Node) Leave(w model.World) {
	for _, b := range n.neighbors {
		w.Send(b.at, bye{})
	}
}

// Closed drops a neighbor whose connection has gone.
func (n *Node) Closed(_ model.World, peer model.Addr) { n.unfriend(peer) }

func (n *Node) heard(w model.World, from model.Addr) {
	for i := range n.neighbors {
		if n.neighbors[i].at == from {
			n.neighbors[i].heard = w.Now()
		}
	}
}

// learn keeps an address as the latest heard of.
func (n *Node) learn(at model.Addr) {
	if at == n.self.At {
		return
	}
	n.known = slices.DeleteFunc(n.known, func(a model.Addr) bool { return a == at })
	n.known = append(n.known, at)
	if len(n.known) > maxKnown {
		n.known = n.known[1:]
	}
}

// seek offers itself to addresses that it knows, as many as it lacks neighbors.
func (n *Node) seek(w model.World) {
	order := w.Rand().Perm(len(n.known))
	for lack := n.cfg.Degree - len(n.neighbors); lack > 0 && len(order) > 0; order = order[1:] {
		if at := n.known[order[0]]; !n.Linked(at) {
			w.Send(at, ping{wants: true})
			lack--
		}
	}
}

// onPing answers with addresses; to one that wants to be a neighbor, with a place
// if there is one.
func (n *Node) onPing(w model.World, from model.Addr, p ping) {
	accepted := n.Linked(from)
	if p.wants && !accepted && len(n.neighbors) < n.cfg.MaxDegree {
		n.befriend(w, from)
		accepted = true
	}
	reply := pong{accepted: accepted, known: slices.Clone(n.known[max(0, len(n.known)-pongAddresses):])}
	n.learn(from)
	w.Send(from, reply)
}

func (n *Node) onPong(w model.World, from model.Addr, p pong) {
	for _, at := range p.known {
		n.learn(at)
	}
	switch {
	case p.accepted && !n.Linked(from) && len(n.neighbors) < n.cfg.MaxDegree:
		n.befriend(w, from)
	case p.accepted && !n.Linked(from):
		w.Send(from, bye{})
	case !p.accepted && n.Linked(from):
		n.unfriend(from)
	}
}

// onPingTimer pings the neighbors, drops the silent, and looks for new ones.
func (n *Node) onPingTimer(w model.World) {
	for _, b := range slices.Clone(n.neighbors) {
		if b.heard.Add(3 * n.cfg.Period).Before(w.Now()) {
			n.unfriend(b.at)
			w.Close(b.at)
			continue
		}
		w.Send(b.at, ping{})
	}
	n.seek(w)
	w.SetTimer(model.Timer{What: pingTimer}, model.Jitter(w, n.cfg.Period))
}
