package world

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Settled says what an overlay that begins settled looks like.
type Settled struct {
	Space             idspace.Space
	PerSlot, LeafSide int
	Cap               int // links of a node
}

const (
	// spareChoices is how many nodes of a slot are looked at for each of its places, when
	// those before are at their cap.
	spareChoices = 4
	// allCandidates is the size of a slot up to which the nearest of all its nodes are
	// found; of larger ones as many are drawn, at equal spaces.
	allCandidates = 1024
	// reserve is the share of the cap that is left for whoever joins later.
	reserve = 0.9
)

// Settle makes an overlay of hosts that were just added, as if they had been together
// for long: every slot has the nearest nodes and every leaf set is right, within the cap
// of links. Afterwards all are active members.
func (w *World) Settle(hosts []*Host, s Settled) {
	ring := slices.Clone(hosts)
	slices.SortFunc(ring, func(a, b *Host) int { return idspace.Compare(a.id, b.id) })
	b := builder{world: w, Settled: s, ring: ring, linked: make([][]int32, len(ring)), seats: make([][]int32, len(ring))}
	for _, h := range ring {
		b.places = append(b.places, h.place)
	}
	b.leaves()
	b.slots()
	for i, h := range ring {
		h.muted = true
		b.seat(i, h)
	}
	for _, h := range ring {
		b.beacons(h)
	}
	for _, h := range ring {
		h.muted = false
		h.out = h.out[:0]
	}
}

// builder finds the seats of every node. Nodes are named by their place in the ring.
type builder struct {
	Settled
	world  *World
	ring   []*Host
	places []int32   // theirs
	linked [][]int32 // with whom a node shares a link
	seats  [][]int32 // whom it uses
	empty  []int     // how many slots of each have no seat yet; nil: they do not matter
}

// link gives a node a seat at another's if both have room for the link.
func (b *builder) link(from, to int32, limit int) bool {
	if !slices.Contains(b.linked[from], to) {
		if len(b.linked[from]) >= limit || len(b.linked[to])+b.needs(to) >= limit {
			return false
		}
		b.linked[from] = append(b.linked[from], to)
		b.linked[to] = append(b.linked[to], from)
	}
	if !slices.Contains(b.seats[from], to) {
		b.seats[from] = append(b.seats[from], to)
	}
	return true
}

// needs is how many links a node has to keep free for slots of its own.
func (b *builder) needs(at int32) int {
	if b.empty == nil {
		return 0
	}
	return b.empty[at]
}

func (b *builder) leaves() {
	n := len(b.ring)
	for i := range n {
		for d := 1; d <= b.LeafSide && d < n; d++ {
			b.link(int32(i), int32((i+d)%n), b.Cap)
			b.link(int32(i), int32((i-d+n)%n), b.Cap)
		}
	}
}

// slots fills the primaries of all nodes first, those of slots with few nodes before all
// others, so that no hole is left for want of room, then the first backups, and so on.
func (b *builder) slots() {
	choices := make([][][]int32, len(b.ring)) // by node and slot, nearest first
	for i := range b.ring {
		choices[i] = b.choices(i)
	}
	b.fill(choices, b.Cap, func(slot []int32) bool { return len(slot) == 1 })
	b.empty = make([]int, len(b.ring))
	for i, slots := range choices {
		for _, slot := range slots {
			b.empty[i] += min(1, len(slot))
		}
	}
	some := b.PerSlot
	b.fill(choices, b.Cap, func(slot []int32) bool { return len(slot) > 0 && len(slot) <= some })
	b.fill(choices, b.Cap, func(slot []int32) bool { return len(slot) > some })
	b.empty = nil
	for range b.PerSlot - 1 {
		b.fill(choices, int(reserve*float64(b.Cap)), func(slot []int32) bool { return len(slot) > 0 })
	}
}

// fill gives every node one more seat in each of some slots.
func (b *builder) fill(choices [][][]int32, limit int, some func(slot []int32) bool) {
	for i := range choices {
		for s, slot := range choices[i] {
			if !some(slot) {
				continue
			}
			if b.empty != nil {
				b.empty[i]--
			}
			for len(slot) > 0 {
				to := slot[0]
				slot = slot[1:]
				if b.link(int32(i), to, limit) {
					break
				}
			}
			choices[i][s] = slot
		}
	}
}

// choices lists the nearest nodes of each slot of a node.
func (b *builder) choices(i int) (slots [][]int32) {
	self := b.ring[i].id
	low, high := 0, len(b.ring)
	for level := 0; high-low > 1 && level < b.Space.Digits(); level++ {
		ownLow, ownHigh := low, high
		own := b.Space.Digit(self, level)
		at := low
		for d := range b.Space.Radix() {
			end := at + sort.Search(high-at, func(k int) bool {
				return int(b.Space.Digit(b.ring[at+k].id, level)) > d
			})
			if d == int(own) {
				ownLow, ownHigh = at, end
			} else if end > at {
				slots = append(slots, b.nearest(i, at, end))
			}
			at = end
		}
		low, high = ownLow, ownHigh
	}
	return slots
}

// nearest lists the nodes of a range of the ring that are nearest to node i.
func (b *builder) nearest(i, low, high int) []int32 {
	type candidate struct {
		at  int32
		far time.Duration
	}
	stride := max(1, (high-low)/allCandidates)
	best := make([]candidate, 0, b.PerSlot*spareChoices)
	delays, own := b.world.cfg.Delays, int(b.places[i])
	for at := low + i%stride; at < high; at += stride {
		c := candidate{int32(at), delays.OneWay(own, int(b.places[at]))}
		if len(best) == cap(best) {
			if c.far >= best[len(best)-1].far {
				continue
			}
			best = best[:len(best)-1]
		}
		k, _ := slices.BinarySearchFunc(best, c, func(x, y candidate) int { return cmp.Compare(x.far, y.far) })
		best = slices.Insert(best, k, c)
	}
	list := make([]int32, len(best))
	for k, c := range best {
		list[k] = c.at
	}
	return list
}

// seat tells a node of its neighbors and puts them into its tables.
func (b *builder) seat(i int, h *Host) {
	seats := make([]node.Seat, 0, len(b.seats[i]))
	for _, at := range b.seats[i] {
		peer := b.ring[at]
		b.world.Link(h, peer)
		h.node.Step(h, peer.id, &wire.Hello{Version: 1, Network: b.world.cfg.Network, Record: peer.record})
		rtt := b.world.oneWay(h, peer) + b.world.oneWay(peer, h)
		seats = append(seats, node.Seat{Peer: peer.id, RTT: max(rtt, time.Microsecond)})
	}
	h.node.Warm(h, seats)
	h.settle()
	b.seats[i] = nil
}

// beacons tells everybody whom a node uses that it does, and who it is.
func (b *builder) beacons(h *Host) {
	for _, nb := range h.node.Status(h.Now()).Neighbors {
		if nb.Mine == wire.Use_USE_NONE {
			continue
		}
		peer := b.world.byID[nb.ID]
		peer.node.Step(peer, h.id, &wire.Hello{Version: 1, Network: b.world.cfg.Network, Record: h.record})
		peer.node.Step(peer, h.id, &wire.Beacon{Seq: 1, Use: nb.Mine, LifeS: beaconLife})
		peer.settle()
	}
}

// beaconLife outlasts the first beacons of everybody.
const beaconLife = 240
