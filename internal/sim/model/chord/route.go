package chord

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// hopLimit ends the way of a question that goes in circles.
const hopLimit = 40

// maxServers is how many servers of an object an answer names.
const maxServers = 20

// pending is a hop that was not acknowledged yet.
type pending struct {
	to    model.Addr
	hop   hop
	tried []model.Addr
	back  bool // to the predecessor
}

// route sends a question of this node on its way.
func (n *Node) route(w model.World, h hop) {
	h.origin = n.self
	n.forward(w, h, nil)
}

// forward handles a question here if this node is the key's successor, and sends it on
// otherwise, to none of tried.
func (n *Node) forward(w model.World, h hop, tried []model.Addr) {
	if h.what == joining { // it is no member; it may have been one in a life before
		tried = append(tried, h.origin.At)
	}
	to, last := n.nextHop(h.key, tried)
	switch {
	case to == n.self.At:
		n.handle(w, h)
	case to == model.Nobody || len(h.trail) == hopLimit:
	default:
		h.last = last
		n.send(w, pending{to: to, hop: h, tried: tried})
	}
}

// send sends a question one hop on.
func (n *Node) send(w model.World, p pending) {
	n.last++
	p.hop.seq = n.last
	n.hops[n.last] = p
	h := p.hop
	h.trail = append(slices.Clip(h.trail), n.self.At)
	w.SetTimer(model.Timer{What: hopTimer, N: h.seq}, n.patience(w, p.to))
	w.Send(p.to, h)
}

// nextHop is find_successor and closest_preceding_node of figure 5: the key's
// successor if it is known (last), else the node in the tables that most closely
// precedes the key.
func (n *Node) nextHop(key idspace.ID, tried []model.Addr) (to model.Addr, last bool) {
	if len(n.succ) == 0 || n.pred.At != model.Nobody && within(key, n.pred.ID, n.self.ID) {
		return n.self.At, true
	}
	for _, p := range n.succ {
		if within(key, n.self.ID, p.ID) && !slices.Contains(tried, p.At) {
			return p.At, true
		}
	}
	best, far := nobody, idspace.ID{}
	consider := func(p model.Peer) {
		if p.At == model.Nobody || p.At == n.self.At || !within(p.ID, n.self.ID, key) || slices.Contains(tried, p.At) {
			return
		}
		if d := idspace.Clockwise(n.self.ID, p.ID); idspace.Compare(d, far) > 0 {
			best, far = p, d
		}
	}
	for _, p := range n.fingers {
		consider(p)
	}
	for _, p := range n.succ {
		consider(p)
	}
	return best.At, false
}

func (n *Node) onHop(w model.World, from model.Addr, h hop) {
	w.Send(from, ack{seq: h.seq})
	switch {
	case !h.last:
		n.forward(w, h, nil)
	case n.pred.At == model.Nobody || len(h.trail) == hopLimit || within(h.key, n.pred.ID, n.self.ID) ||
		n.pred.At == h.origin.At && h.what == joining:
		n.handle(w, h)
	default: // the sender's list was old: somebody has come between
		n.send(w, pending{to: n.pred.At, hop: h, back: true})
	}
}

func (n *Node) settled(w model.World, seq uint64) {
	delete(n.hops, seq)
	w.StopTimer(model.Timer{What: hopTimer, N: seq})
}

// onHopTimer goes around a node that did not acknowledge.
func (n *Node) onHopTimer(w model.World, seq uint64) {
	p, ok := n.hops[seq]
	if !ok {
		return
	}
	delete(n.hops, seq)
	n.forget(w, p.to)
	if p.back {
		n.handle(w, p.hop)
		return
	}
	n.forward(w, p.hop, append(p.tried, p.to))
}

// handle answers a question as the key's successor.
func (n *Node) handle(w model.World, h hop) {
	r := reply{call: h.call, root: n.self, hops: len(h.trail), back: h.trail}
	switch h.what {
	case joining, finding:
		r.succ = slices.Clone(n.succ)
	case storing:
		n.lay(w, lay{key: h.key, entry: model.Entry{Server: h.origin.At, Until: w.Now().Add(n.cfg.PointerLife)}})
	case dropping:
		n.lay(w, lay{key: h.key, entry: model.Entry{Server: h.origin.At}, drop: true})
	case fetching:
		r.servers = n.shelf.Servers(h.key, w.Now())
		r.servers = r.servers[:min(len(r.servers), maxServers)]
	}
	n.onReply(w, r)
}

// onReply takes an answer one hop back, to whom the question came from.
func (n *Node) onReply(w model.World, r reply) {
	if len(r.back) == 0 {
		n.answered(w, r)
		return
	}
	to := r.back[len(r.back)-1]
	r.back = r.back[:len(r.back)-1]
	w.Send(to, r)
}

// lay keeps or drops a pointer here and at the next successors.
func (n *Node) lay(w model.World, l lay) {
	n.onLay(w, l)
	for _, p := range n.succ[:min(n.cfg.Replicas-1, len(n.succ))] {
		w.Send(p.At, l)
	}
}

func (n *Node) onLay(_ model.World, l lay) {
	if l.drop {
		n.shelf.Remove(l.key, l.entry.Server)
		return
	}
	n.shelf.Put(l.key, l.entry)
}
