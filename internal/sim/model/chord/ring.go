package chord

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

const idBits = 8 * idspace.Size

// power is 2 to the i.
func power(i int) (p idspace.ID) {
	p[idspace.Size-1-i/8] = 1 << (i % 8)
	return p
}

// plus adds around the ring.
func plus(a, b idspace.ID) (sum idspace.ID) {
	carry := 0
	for i := idspace.Size - 1; i >= 0; i-- {
		carry += int(a[i]) + int(b[i])
		sum[i] = byte(carry)
		carry >>= 8
	}
	return sum
}

// within reports whether x is in (a, b] of the ring; the whole ring if a is b.
func within(x, a, b idspace.ID) bool {
	if a == b {
		return true
	}
	d := idspace.Clockwise(a, x)
	return !d.IsZero() && idspace.Compare(d, idspace.Clockwise(a, b)) <= 0
}

// Root is the successor of key: the first node at or after it.
func Root(live []model.Peer, key idspace.ID) model.Addr {
	best := live[0]
	for _, p := range live[1:] {
		if idspace.Compare(idspace.Clockwise(key, p.ID), idspace.Clockwise(key, best.ID)) < 0 {
			best = p
		}
	}
	return best.At
}

// ring is all nodes in their order.
type ring []model.Peer

func newRing(peers []model.Peer) ring {
	r := slices.Clone(peers)
	slices.SortFunc(r, func(a, b model.Peer) int { return idspace.Compare(a.ID, b.ID) })
	return r
}

// at is the i-th node, counted around.
func (r ring) at(i int) model.Peer { return r[(i%len(r)+len(r))%len(r)] }

// successor is the place of the first node at or after key.
func (r ring) successor(key idspace.ID) int {
	i, _ := slices.BinarySearchFunc(r, key, func(p model.Peer, key idspace.ID) int { return idspace.Compare(p.ID, key) })
	return i % len(r)
}
