package kademlia

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

const (
	// rejoin is how often a node that knows nobody tries its seeds again.
	rejoin = 5 * time.Second
	// deepest is the last bucket that is refreshed for itself (rtrefresh).
	deepest = 15
	// unprotected are the first buckets, whose peers the connection manager may cut.
	unprotected = 2
)

// Join takes the seeds into the table, looks itself up and then fills each bucket.
func (n *Node) Join(w model.World, seeds []model.Peer) {
	n.seeds = seeds
	w.SetTimer(model.Timer{What: refreshTimer}, model.Jitter(w, n.cfg.Refresh))
	n.onJoinTimer(w)
}

// Leave closes connections, which is all that a libp2p node does.
func (n *Node) Leave(w model.World) {
	for _, at := range n.Links() {
		w.Close(at)
	}
}

// Closed forgets a connection; the peer stays in the table until it does not answer.
func (n *Node) Closed(_ model.World, peer model.Addr) { delete(n.conns, peer) }

// Links are the open connections.
func (n *Node) Links() []model.Addr {
	all := make([]model.Addr, 0, len(n.conns))
	for at := range n.conns { // sorted below
		all = append(all, at)
	}
	slices.Sort(all)
	return all
}

// Member reports whether it knows anybody.
func (n *Node) Member() bool { return n.table.depth() > 0 }

// Linked reports whether a connection is open.
func (n *Node) Linked(peer model.Addr) bool {
	_, ok := n.conns[peer]
	return ok
}

func (n *Node) onJoinTimer(w model.World) {
	if n.table.depth() > 0 || len(n.seeds) == 0 {
		return
	}
	for _, s := range n.seeds {
		n.table.add(s, w.Now())
	}
	n.refresh(w)
	w.SetTimer(model.Timer{What: joinTimer}, n.cfg.DialTimeout+rejoin)
}

// onRefreshTimer looks for new peers in each bucket and asks those not heard from
// in a while whether they live.
func (n *Node) onRefreshTimer(w model.World) {
	n.shelf.Sweep(w.Now())
	for _, e := range n.table.all() {
		if e.heard.Add(n.cfg.Refresh).Before(w.Now()) {
			n.ask(w, e.peer, 0, find{target: e.peer.ID})
		}
	}
	if n.table.depth() == 0 {
		n.onJoinTimer(w)
	} else {
		n.refresh(w)
	}
	w.SetTimer(model.Timer{What: refreshTimer}, model.Jitter(w, n.cfg.Refresh))
}

// refresh looks this node itself up; refreshNext goes on with the buckets.
func (n *Node) refresh(w model.World) {
	n.stale = n.stale[:0]
	for i := range deepest + 1 {
		n.stale = append(n.stale, i)
	}
	n.start(w, &query{target: n.self.ID})
}

func (n *Node) refreshNext(w model.World) {
	if len(n.stale) == 0 || n.stale[0] >= n.table.depth() {
		return
	}
	bucket := n.stale[0]
	n.stale = n.stale[1:]
	n.start(w, &query{target: inBucket(w.Rand(), n.self.ID, bucket)})
}

func (n *Node) keepProviding(w model.World) {
	if len(n.mine) == 1 {
		w.SetTimer(model.Timer{What: reprovideTimer}, n.cfg.Reprovide)
	}
}

// onReprovideTimer publishes everything anew.
func (n *Node) onReprovideTimer(w model.World) {
	for _, key := range slices.Clone(n.mine) {
		n.start(w, &query{request: model.Request{Op: model.Publish}, target: key, again: true})
	}
	if len(n.mine) > 0 {
		w.SetTimer(model.Timer{What: reprovideTimer}, n.cfg.Reprovide)
	}
}

// touch notes that a connection is used, and trims if there are too many.
func (n *Node) touch(w model.World, at model.Addr) {
	n.conns[at] = w.Now()
	for _, victim := range n.trim() {
		w.Close(victim)
	}
}

// trim forgets connections once there are more than the high water mark allows, down
// to the low one: those to peers outside the table first, then those of the first
// buckets; the longest unused first.
func (n *Node) trim() []model.Addr {
	if len(n.conns) <= n.cfg.HighWater {
		return nil
	}
	bucket := n.table.bucketOf()
	worth := func(at model.Addr) int {
		i, ok := bucket[at]
		switch {
		case !ok:
			return 0
		case i < unprotected:
			return 1
		}
		return 2
	}
	all := n.Links()
	slices.SortStableFunc(all, func(a, b model.Addr) int {
		return cmp.Or(cmp.Compare(worth(a), worth(b)), cmp.Compare(n.conns[a], n.conns[b]))
	})
	all = all[:max(0, len(all)-n.cfg.LowWater)]
	for _, at := range all {
		delete(n.conns, at)
	}
	return all
}

// settle fills every table from perfect knowledge: each bucket with k random nodes
// of those that belong there. With the nodes sorted, those are neighbors in the list.
func settle(s model.Settled) {
	order := slices.Clone(s.Peers)
	slices.SortFunc(order, func(a, b model.Peer) int { return idspace.Compare(a.ID, b.ID) })
	for _, p := range s.Peers {
		s.Node(p.At).(*Node).fill(s, order)
	}
	for _, p := range s.Peers {
		n, w := s.Node(p.At).(*Node), s.World(p.At)
		for _, victim := range n.trim() {
			delete(s.Node(victim).(*Node).conns, n.self.At)
		}
		w.SetTimer(model.Timer{What: refreshTimer}, time.Duration(w.Rand().Int64N(int64(n.cfg.Refresh)))+1)
	}
}

// fill settles the table and the connections of a node; order is all nodes, sorted.
func (n *Node) fill(s model.Settled, order []model.Peer) {
	w := s.World(n.self.At)
	low, high := 0, len(order) // nodes that have the first bits in common with it
	for bit := 0; high-low > 1; bit++ {
		mask := byte(0x80 >> (bit % 8))
		zeros, _ := slices.BinarySearchFunc(order[low:high], 1, func(p model.Peer, want int) int {
			return int(p.ID[bit/8]&mask) - want
		})
		ones := low + zeros
		others := order[low:ones]
		if n.self.ID[bit/8]&mask == 0 {
			others, high = order[ones:high], ones
		} else {
			low = ones
		}
		for _, k := range sample(w.Rand(), len(others), n.cfg.K) {
			other := others[k]
			heard := w.Now() - mono.Time(w.Rand().Int64N(int64(n.cfg.Refresh)))
			n.table.add(other, heard)
			n.conns[other.At] = heard
			s.Node(other.At).(*Node).conns[n.self.At] = heard
		}
	}
}

// sample draws up to k different numbers below n, in time that does not grow with n.
func sample(rng *rand.Rand, n, k int) []int {
	if n <= 4*k {
		return rng.Perm(n)[:min(n, k)]
	}
	var drawn []int
	for len(drawn) < k {
		if x := rng.IntN(n); !slices.Contains(drawn, x) {
			drawn = append(drawn, x)
		}
	}
	return drawn
}
