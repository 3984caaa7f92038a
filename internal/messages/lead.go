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
// serves it is turned to the nearest server that is known here.
func (c *Carrier) Lead(e env.Env, r *wire.Routed) (lead routing.Lead, ok bool) {
	m, err := wire.Unpack(r.Body, new(wire.AppMessage))
	if err != nil || len(m.Guid) == 0 {
		return lead, false
	}
	key := pointers.Key{GUID: wire.ID(m.Guid), App: m.App}
	if r.Exact {
		server := wire.ID(r.Key)
		if lead.To, ok = c.toward(e, key, r, server); !ok {
			lead.To, ok = c.via(r, wire.IDs(m.Via))
		}
		return lead, ok
	}
	if live := c.Store.Live(key, e.Now(), 1); len(live) > 0 && m.Race != 0 && !c.Served.Has(key) {
		lead.Key = live[0].Server.ID
		lead.To, _ = c.toward(e, key, r, lead.Key)
	}
	return lead, !lead.Key.IsZero()
}

// toward is the next node on the way to a server: itself, where there is a link with it; where a
// pointer to it lies, one of those that it came from. Whether a server that does not acknowledge a
// message has had it nobody can tell, so none gets one but who was heard of lately; by δ it comes to
// nodes that would know of its death.
func (c *Carrier) toward(e env.Env, key pointers.Key, r *wire.Routed, server idspace.ID) (to idspace.ID, ok bool) {
	if c.Links.Fresh(server, e.Now()) {
		return server, true
	}
	p := c.Store.Find(key, server)
	if p == nil || p.State != pointers.Live {
		return to, false
	}
	ways := c.ways(p, wire.IDs(r.Path))
	if len(ways) == 0 {
		return to, false
	}
	return slices.MinFunc(ways, nearer).by, true
}

// back is a way back to a server: by a neighbor that has laid a pointer to it here.
type back struct {
	by   idspace.ID
	heir bool          // it has its copy here because it is the root: its own way is longer by this one
	far  time.Duration // the round trip to it, and from there to the server by coordinates
}

func nearer(a, b back) int {
	order := map[bool]int{true: 1}
	return cmp.Or(cmp.Compare(order[a.heir], order[b.heir]), cmp.Compare(a.far, b.far), idspace.Compare(a.by, b.by))
}

// ways lists by whom a message may go on that has been at the nodes of path.
func (c *Carrier) ways(p *pointers.Pointer, path []idspace.ID) (all []back) {
	server := c.Links.Where(p.Server.ID)
	if !server.Known() {
		server = p.Server.Coord
	}
	for _, l := range p.Laid() {
		b := l.Branch()
		rtt, met := c.Links.RTT(b.Peer)
		if b.Out || !met || b.Peer == p.Server.ID || slices.Contains(path, b.Peer) {
			continue
		}
		rest, known := links.Apart(c.Links.Where(b.Peer), server)
		if !known {
			rest = p.Latency
		}
		all = append(all, back{b.Peer, b.Copy == wire.Copy_COPY_HEIR, rtt + rest})
	}
	return all
}

func (c *Carrier) met(id idspace.ID) bool {
	_, ok := c.Links.RTT(id)
	return ok
}

// via is the last node that this one has a link with on the way that the answer took which has
// named the server, if this node is on that way itself, or the message begins here.
func (c *Carrier) via(r *wire.Routed, way []idspace.ID) (to idspace.ID, ok bool) {
	at := slices.Index(way, c.cfg.Self)
	if at < 0 && len(r.Path) > 0 {
		return to, false
	}
	for _, id := range slices.Backward(way[at+1:]) {
		if c.met(id) {
			return id, true
		}
	}
	return to, false
}

// way is a way as it travels.
func way(ids []idspace.ID) (packed []byte) {
	for _, id := range ids[:min(len(ids), wire.MaxHops)] {
		packed = append(packed, id[:]...)
	}
	return packed
}
