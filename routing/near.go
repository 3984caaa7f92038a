package routing

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Near returns the node with the smallest δ to key among this one and its neighbors that are
// measured to be within some round trip, unless it is this one (design §8, near pointers). A server
// lays a pointer there and whoever asks asks there: two who are close to each other, and to the
// same nodes, choose the same one. Suspicion counts for nothing, as in Course: what is laid must
// not move with it.
func (r *Router) Near(key idspace.ID, within time.Duration) (near idspace.ID, ok bool) {
	near = r.tables.Self
	for _, l := range r.links.All() {
		if rtt, measured := r.links.RTT(l.ID); measured && rtt <= within && r.tables.Space.Closer(l.ID, near, key) {
			near = l.ID
		}
	}
	return near, near != r.tables.Self
}
