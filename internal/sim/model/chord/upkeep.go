package chord

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

const (
	// firstPass is the time between two fingers fixed after joining.
	firstPass = 200 * time.Millisecond
	// perRound is how many candidates of a finger are measured in one round.
	perRound = 4
)

// asked is a question to a neighbor that it did not answer yet.
type asked struct {
	to     model.Peer
	why    why
	finger int
}

type why uint8

const (
	stabilizing why = iota
	checking        // the predecessor
	measuring       // a candidate of a finger
)

// Join finds the node's successor by way of a seed.
func (n *Node) Join(w model.World, seeds []model.Peer) {
	n.seeds = seeds
	if len(seeds) == 0 {
		n.begin(w)
		return
	}
	n.call(w, n.own(), &call{what: joining, key: n.self.ID})
}

func (n *Node) begin(w model.World) {
	n.member = true
	n.onStabilizeTimer(w)
	w.SetTimer(model.Timer{What: fingerTimer}, firstPass)
}

func (n *Node) joined(w model.World, r reply) {
	n.adopt(append([]model.Peer{r.root}, r.succ...))
	n.begin(w)
}

// adopt makes the first nodes of list the successor list.
func (n *Node) adopt(list []model.Peer) {
	seen := map[model.Addr]bool{n.self.At: true}
	n.succ = n.succ[:0:0]
	for _, p := range list {
		if len(n.succ) < n.cfg.Successors && !seen[p.At] {
			n.succ = append(n.succ, p)
		}
		seen[p.At] = true
	}
}

// Leave hands the pointers to the successor and joins both neighbors (section IV-F).
func (n *Node) Leave(w model.World) {
	if len(n.succ) == 0 {
		return
	}
	for _, key := range n.shelf.Keys() {
		for _, e := range n.shelf.Entries(key) {
			w.Send(n.succ[0].At, lay{key: key, entry: e})
		}
	}
	m := leaving{peer: n.self, pred: n.pred, succ: slices.Clone(n.succ)}
	w.Send(n.succ[0].At, m)
	if n.pred.At != model.Nobody {
		w.Send(n.pred.At, m)
	}
}

func (n *Node) onLeaving(w model.World, m leaving) {
	wasPred, wasSucc := n.pred.At == m.peer.At, len(n.succ) > 0 && n.succ[0].At == m.peer.At
	n.forget(w, m.peer.At)
	if wasPred {
		n.pred = m.pred
	}
	if wasSucc {
		n.adopt(append(slices.Clone(m.succ), n.succ...))
	}
}

func (n *Node) ask(w model.World, a asked) {
	n.last++
	n.asks[n.last] = a
	w.SetTimer(model.Timer{What: askTimer, N: n.last}, n.patience(w, a.to.At))
	w.Send(a.to.At, ask{seq: n.last, brief: a.why != stabilizing})
}

// onStabilizeTimer is stabilize and check_predecessor of figure 6.
func (n *Node) onStabilizeTimer(w model.World) {
	n.shelf.Sweep(w.Now())
	n.stabilize(w)
	if n.pred.At != model.Nobody && n.pred.At != n.self.At {
		n.ask(w, asked{to: n.pred, why: checking})
	}
	w.SetTimer(model.Timer{What: stabilizeTimer}, model.Jitter(w, n.cfg.Stabilize))
}

func (n *Node) stabilize(w model.World) {
	switch {
	case len(n.succ) > 0:
		n.ask(w, asked{to: n.succ[0], why: stabilizing})
	case len(n.seeds) > 0: // everybody that it knew has gone
		n.member = false
		n.call(w, n.own(), &call{what: joining, key: n.self.ID})
	}
}

func (n *Node) onAsk(w model.World, from model.Addr, a ask) {
	s := state{seq: a.seq, pred: nobody}
	if !a.brief {
		s.pred, s.succ = n.pred, slices.Clone(n.succ)
	}
	w.Send(from, s)
}

func (n *Node) onAskTimer(w model.World, seq uint64) {
	a, ok := n.asks[seq]
	if !ok {
		return
	}
	delete(n.asks, seq)
	n.forget(w, a.to.At)
	if a.why == stabilizing {
		n.stabilize(w)
	}
}

func (n *Node) onState(w model.World, s state) {
	a, ok := n.asks[s.seq]
	if !ok {
		return
	}
	delete(n.asks, s.seq)
	w.StopTimer(model.Timer{What: askTimer, N: s.seq})
	switch {
	case a.why == measuring:
		n.measured(w, a)
	case a.why == stabilizing && len(n.succ) > 0 && n.succ[0] == a.to:
		n.stabilized(w, a.to, s)
	}
}

// stabilized: the successor's predecessor may have come between.
func (n *Node) stabilized(w model.World, succ model.Peer, s state) {
	list := append([]model.Peer{succ}, s.succ...)
	between := s.pred.At != model.Nobody && s.pred.At != n.self.At &&
		within(s.pred.ID, n.self.ID, succ.ID) && s.pred.ID != succ.ID
	if between {
		list = slices.Insert(list, 0, s.pred)
	}
	n.adopt(list)
	w.Send(n.succ[0].At, notify{peer: n.self})
	if between {
		n.ask(w, asked{to: n.succ[0], why: stabilizing})
	}
}

// onNotify takes a nearer predecessor, and gives it the pointers that are its now.
func (n *Node) onNotify(w model.World, p model.Peer) {
	if len(n.succ) == 0 {
		n.succ = []model.Peer{p}
	}
	if n.pred.At != model.Nobody && (n.pred == p || !within(p.ID, n.pred.ID, n.self.ID)) {
		return
	}
	n.pred = p
	for _, key := range n.shelf.Keys() {
		if within(key, p.ID, n.self.ID) {
			continue
		}
		for _, e := range n.shelf.Entries(key) {
			w.Send(p.At, lay{key: key, entry: e})
		}
	}
}

// onFingerTimer is fix_fingers: one finger each time, the farthest first; those
// that the successor list covers need none.
func (n *Node) onFingerTimer(w model.World) {
	i := n.next
	if n.next--; n.next < 0 || len(n.succ) > 0 && n.covered(n.next) {
		n.next = idBits - 1
		n.pass++
	}
	if len(n.succ) > 0 {
		n.call(w, n.own(), &call{what: finding, key: plus(n.self.ID, power(i)), finger: i})
	}
	pause := firstPass
	if n.pass > 0 {
		pause = model.Jitter(w, n.cfg.Stabilize)
	}
	w.SetTimer(model.Timer{What: fingerTimer}, pause)
}

// covered reports whether finger i lies within the successor list.
func (n *Node) covered(i int) bool {
	return idspace.Compare(power(i), idspace.Clockwise(n.self.ID, n.succ[len(n.succ)-1].ID)) <= 0
}

// fits reports whether p lies in the interval of finger i.
func (n *Node) fits(p model.Peer, i int) bool {
	start := plus(n.self.ID, power(i))
	return p.At != model.Nobody && p.At != n.self.At && idspace.Compare(idspace.Clockwise(start, p.ID), power(i)) < 0
}

// fixed takes what was found at the start of finger i, and measures some of the
// nodes after it that would do as well.
func (n *Node) fixed(w model.World, i int, r reply) {
	if !n.fits(n.fingers[i], i) || n.cfg.Samples <= 1 {
		n.fingers[i] = r.root
	}
	var others []model.Peer
	for _, p := range append([]model.Peer{r.root}, r.succ...) {
		if n.fits(p, i) && len(others) < n.cfg.Samples && p != n.fingers[i] {
			others = append(others, p)
		}
	}
	if n.cfg.Samples <= 1 {
		return
	}
	for _, k := range w.Rand().Perm(len(others))[:min(perRound, len(others))] {
		n.ask(w, asked{to: others[k], why: measuring, finger: i})
	}
}

// measured takes the candidate if it is nearer than the finger.
func (n *Node) measured(w model.World, a asked) {
	if have := n.fingers[a.finger]; have.At == model.Nobody || w.RTT(have.At) == 0 || w.RTT(a.to.At) < w.RTT(have.At) {
		n.fingers[a.finger] = a.to
	}
}

// settle gives every node the tables that stabilization would end with.
func settle(s model.Settled) {
	r := newRing(s.Peers)
	for i, p := range r {
		n, w := s.Node(p.At).(*Node), s.World(p.At)
		n.member, n.pass, n.seeds = true, 1, s.Peers[:min(3, len(s.Peers))]
		n.pred = r.at(i - 1)
		for k := 1; k <= min(n.cfg.Successors, len(r)-1); k++ {
			n.succ = append(n.succ, r.at(i+k))
		}
		for f := idBits - 1; f >= 0 && len(n.succ) > 0 && !n.covered(f); f-- {
			n.fingers[f] = n.nearest(s, r, f)
			n.next = f
		}
		w.SetTimer(model.Timer{What: stabilizeTimer}, model.Jitter(w, n.cfg.Stabilize))
		w.SetTimer(model.Timer{What: fingerTimer}, model.Jitter(w, n.cfg.Stabilize))
	}
}

// nearest is the node that PNS chooses for finger f.
func (n *Node) nearest(s model.Settled, r ring, f int) model.Peer {
	first := r.successor(plus(n.self.ID, power(f)))
	best := r[first]
	for k := 1; k < min(n.cfg.Samples, len(r)); k++ {
		p := r.at(first + k)
		if n.fits(p, f) && n.fits(best, f) && s.RTT(n.self.At, p.At) < s.RTT(n.self.At, best.At) {
			best = p
		}
	}
	return best
}
