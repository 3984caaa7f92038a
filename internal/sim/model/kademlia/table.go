package kademlia

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// table is a routing table: bucket i holds up to k peers that have exactly i bits in
// common with self. A full bucket keeps what it has [10, section 2.2].
type table struct {
	self    idspace.ID
	k       int
	buckets [][]entry
}

type entry struct {
	peer  model.Peer
	heard mono.Time
}

// add takes a peer in or notes that it was heard from.
func (t *table) add(p model.Peer, now mono.Time) {
	if p.ID == t.self {
		return
	}
	i := commonPrefix(t.self, p.ID)
	for len(t.buckets) <= i {
		t.buckets = append(t.buckets, nil)
	}
	for j := range t.buckets[i] {
		if t.buckets[i][j].peer == p {
			t.buckets[i][j].heard = now
			return
		}
	}
	if len(t.buckets[i]) < t.k {
		t.buckets[i] = append(t.buckets[i], entry{p, now})
	}
}

func (t *table) remove(at model.Addr) {
	for i := range t.buckets {
		t.buckets[i] = slices.DeleteFunc(t.buckets[i], func(e entry) bool { return e.peer.At == at })
	}
}

// nearest returns the n peers nearest to key, nearest first. All of the key's own
// bucket is nearer than all deeper buckets, and those than each shallower one.
func (t *table) nearest(key idspace.ID, n int) []model.Peer {
	own := min(commonPrefix(t.self, key), len(t.buckets))
	var all []model.Peer
	take := func(bucket []entry) {
		for _, e := range bucket {
			all = append(all, e.peer)
		}
	}
	if own < len(t.buckets) {
		take(t.buckets[own])
	}
	if len(all) < n {
		for i := own + 1; i < len(t.buckets); i++ {
			take(t.buckets[i])
		}
	}
	for i := own - 1; i >= 0 && len(all) < n; i-- {
		take(t.buckets[i])
	}
	slices.SortFunc(all, func(a, b model.Peer) int { return nearer(key, a.ID, b.ID) })
	return all[:min(n, len(all))]
}

// all lists the peers, by bucket.
func (t *table) all() (peers []entry) {
	for _, bucket := range t.buckets {
		peers = append(peers, bucket...)
	}
	return peers
}

// depth is the number of buckets up to the last that is not empty.
func (t *table) depth() int {
	d := len(t.buckets)
	for d > 0 && len(t.buckets[d-1]) == 0 {
		d--
	}
	return d
}

// bucketOf maps each peer's address to its bucket.
func (t *table) bucketOf() map[model.Addr]int {
	of := map[model.Addr]int{}
	for i, bucket := range t.buckets {
		for _, e := range bucket {
			of[e.peer.At] = i
		}
	}
	return of
}
