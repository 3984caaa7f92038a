package routing

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Circles are the round trips within which a node has near nodes (design §8, near pointers): who is
// next door, and who is in the same part of the world. Servers and askers have to agree on them.
var Circles = [...]time.Duration{15 * time.Millisecond, 60 * time.Millisecond}

// Near returns, for each circle, the node with the smallest δ to key among this one and its neighbors
// that are measured to be within it, unless it is this one or was named before. A server lays a pointer
// there and whoever asks asks there: two who are close to each other, and to the same nodes, choose the
// same ones. Suspicion counts for nothing, as in Course: what is laid must not move with it.
func (r *Router) Near(key idspace.ID) (all []idspace.ID) {
	if r.cfg.Alone {
		return nil
	}
	var nearest [len(Circles)]idspace.ID
	for i := range nearest {
		nearest[i] = r.tables.Self
	}
	for _, l := range r.links.All() {
		rtt, measured := r.links.RTT(l.ID)
		for i, within := range Circles {
			if measured && rtt <= within && r.tables.Space.Closer(l.ID, nearest[i], key) {
				nearest[i] = l.ID
			}
		}
	}
	for _, near := range nearest {
		if near != r.tables.Self && !slices.Contains(all, near) {
			all = append(all, near)
		}
	}
	return all
}
