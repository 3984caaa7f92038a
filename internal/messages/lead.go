package messages

import (
	"cmp"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// Lead is the way of a message to a server of an object (design §8). One that is for whoever
// serves it is turned to the server that is nearest by the way that it would go from here.
func (c *Carrier) Lead(e env.Env, r *wire.Routed, open func(idspace.ID) bool) (lead routing.Lead, ok bool) {
	m, err := wire.Unpack(r.Body, new(wire.AppMessage))
	if err != nil || len(m.Guid) == 0 {
		return lead, false
	}
	key := pointers.Key{GUID: wire.ID(m.Guid), App: m.App}
	if r.Exact {
		server := wire.ID(r.Key)
		ways := c.ways(e, server, c.Store.Find(key, server), open)
		if len(ways) == 0 {
			ways = c.cached(e, key, open)
			ways = slices.DeleteFunc(ways, func(w way) bool { return w.server != server })
		}
		if len(ways) == 0 {
			ways = c.named(e, r, wire.IDs(m.Via), open)
		}
		if len(ways) == 0 {
			return lead, false
		}
		return routing.Lead{To: slices.MinFunc(ways, shorter).first}, true
	}
	if m.Race == 0 || c.Served.Has(key) {
		return lead, false
	}
	live := c.Store.Live(key, e.Now(), choice)
	var ways []way
	if len(live) > 0 {
		lead.Key = live[0].Server.ID
		ways = c.choose(e, live, open)
	} else if len(r.Path) > 0 {
		c.Cache.Passed(e, key, wire.ID(r.Key))
		ways = c.cached(e, key, open)
	}
	if len(ways) > 0 {
		best := slices.MinFunc(ways, shorter)
		lead = routing.Lead{Key: best.server, To: best.first}
	}
	return lead, len(live) > 0 || len(ways) > 0
}

// choice is among how many servers, the nearest by their pointers, a raced message has its way.
const choice = 8

// way is how a message can come from here to a server.
type way struct {
	server, first idspace.ID
	// up: first has laid its pointer here as a root on its heirs, and may have it by way of this very
	// node.
	up  bool
	far time.Duration // the round trip to first, and from there to the server by coordinates
}

func shorter(a, b way) int {
	return cmp.Or(
		cmp.Compare(rank(a.up), rank(b.up)),
		cmp.Compare(a.far, b.far),
		idspace.Compare(a.first, b.first),
		idspace.Compare(a.server, b.server),
	)
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}

// choose lists the ways to all of some servers, leaving out those that somebody says are dead if there
// are others.
func (c *Carrier) choose(e env.Env, live []*pointers.Pointer, open func(idspace.ID) bool) (all []way) {
	for _, p := range live {
		if p.Server.Doubted() && !live[0].Server.Doubted() {
			break
		}
		all = append(all, c.ways(e, p.Server.ID, p, open)...)
	}
	return all
}

// ways lists the ways to a server: straight, where there is a link with it; where a pointer to it
// lies, by its doors, and by those who have laid that. Whether a server that does not acknowledge a message has had it
// nobody can tell, so none gets one but who was heard of lately; by δ it comes to nodes that would
// know of its death.
func (c *Carrier) ways(e env.Env, server idspace.ID, p *pointers.Pointer, open func(idspace.ID) bool) (all []way) {
	if c.Links.Fresh(server, e.Now()) && open(server) {
		rtt, _ := c.Links.RTT(server)
		return []way{{server: server, first: server, far: rtt}}
	}
	if p == nil || p.State != pointers.Live {
		return nil
	}
	for _, door := range c.doors(e, p.Server.Doors, open) {
		all = append(all, c.by(door, server, p.Server.Coord, p.Latency))
	}
	for _, l := range p.Laid() {
		b := l.Branch()
		if !b.Out && b.Peer != server && open(b.Peer) {
			w := c.by(b.Peer, server, p.Server.Coord, p.Latency)
			w.up = b.Copy == wire.Copy_COPY_HEIR
			all = append(all, w)
		}
	}
	return all
}

// doors lists those doors of a server that are neighbors here, and live for sure.
func (c *Carrier) doors(e env.Env, packed []byte, open func(idspace.ID) bool) (all []idspace.ID) {
	for _, r := range wire.ServerRefs(packed) {
		if door, ok := c.Links.Begins(r); ok && c.Links.Fresh(door, e.Now()) && open(door) {
			all = append(all, door)
		}
	}
	return all
}

// by is the way to a server by a neighbor: the server is at the given place, or so far from the neighbor if that
// is not known.
func (c *Carrier) by(first, server idspace.ID, place wire.Coord, far time.Duration) way {
	at := c.Links.Where(server)
	if !at.Known() {
		at = place
	}
	rtt, _ := c.Links.RTT(first)
	rest, known := links.Apart(c.Links.Where(first), at)
	if !known {
		rest = far
	}
	return way{server: server, first: first, far: rtt + rest}
}

// cached lists the ways to servers of an object that many ask for, of which no pointer lies here.
func (c *Carrier) cached(e env.Env, key pointers.Key, open func(idspace.ID) bool) (all []way) {
	for _, p := range c.Cache.Cached(key, e.Now()) {
		if straight := c.ways(e, p.Server.ID, nil, open); len(straight) > 0 {
			all = append(all, straight...)
		} else if open(p.First) {
			all = append(all, c.by(p.First, p.Server.ID, p.Server.Coord, p.Latency))
		}
	}
	return all
}

// named lists the ways to a server that an answer has named: along the way that the answer took, and at the sender,
// who has the answer, by the server's doors.
func (c *Carrier) named(e env.Env, r *wire.Routed, trail []idspace.ID, open func(idspace.ID) bool) (all []way) {
	server, s := wire.ID(r.Key), c.calls[env.Call(r.Call)]
	var to env.Replica
	if s != nil && len(r.Path) == 0 {
		to = s.to
	}
	if first, ok := c.along(r, trail, open); ok {
		all = append(all, c.by(first, server, to.Coord, to.RTT))
	}
	for _, door := range c.doors(e, to.Doors, open) {
		all = append(all, c.by(door, server, to.Coord, to.RTT))
	}
	return all
}

// along is the last node that a message may go to on the way that the answer took which has named
// the server, if this node is on that way itself, or the message begins here.
func (c *Carrier) along(r *wire.Routed, trail []idspace.ID, open func(idspace.ID) bool) (to idspace.ID, ok bool) {
	at := slices.Index(trail, c.cfg.Self)
	if at < 0 && len(r.Path) > 0 {
		return to, false
	}
	for _, id := range slices.Backward(trail[at+1:]) {
		if open(id) {
			return id, true
		}
	}
	return to, false
}

// pack is a way as it travels.
func pack(ids []idspace.ID) (packed []byte) {
	for _, id := range ids[:min(len(ids), wire.MaxHops)] {
		packed = append(packed, id[:]...)
	}
	return packed
}
