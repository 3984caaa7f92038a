package world

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// conn is one end of a connection.
type conn struct {
	peer   *Host           // one of this world, or a stand-in that is down
	last   mono.Time       // when what was sent last arrives: a stream keeps its order
	queued *[]wire.Message // until it is open
	open   bool
	knows  bool // the peer has said that it has this host's record
	silent bool // the peer has dialed, and nothing was sent to it yet
}

// connTable finds connections by peer: open addressing with linear probing. Identifiers
// are hashes already, and a Go map of them costs three cache misses and 6 KB more.
//
// Invariant: at most three quarters of the slots are taken; no free slot stands between
// an entry and the slot where it belongs.
type connTable struct {
	slots []*conn // power of two; nil: free
	count int
}

func (t *connTable) home(id *idspace.ID) int {
	return int(binary.LittleEndian.Uint64(id[4:])) & (len(t.slots) - 1)
}

// find returns the slot of a peer, or the free one where it would go.
func (t *connTable) find(id *idspace.ID) int {
	i := t.home(id)
	for t.slots[i] != nil && t.slots[i].peer.id != *id {
		i = (i + 1) & (len(t.slots) - 1)
	}
	return i
}

func (t *connTable) of(id idspace.ID) *conn {
	if len(t.slots) == 0 {
		return nil
	}
	return t.slots[t.find(&id)]
}

func (t *connTable) set(c *conn) {
	if 4*(t.count+1) > 3*len(t.slots) {
		old := t.slots
		t.slots, t.count = make([]*conn, max(8, 2*len(old))), 0
		for _, c := range old {
			if c != nil {
				t.set(c)
			}
		}
	}
	i := t.find(&c.peer.id)
	if t.slots[i] == nil {
		t.count++
	}
	t.slots[i] = c
}

// remove takes a peer out and moves up what stands behind it.
func (t *connTable) remove(id idspace.ID) {
	i := t.find(&id)
	if t.slots[i] == nil {
		return
	}
	t.count--
	mask := len(t.slots) - 1
	for j := (i + 1) & mask; t.slots[j] != nil; j = (j + 1) & mask {
		if (j-t.home(&t.slots[j].peer.id))&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = nil
}

const (
	// dialTimeout is how long a dial of nobody takes, as in internal/p2p.
	dialTimeout = 5 * time.Second
	// idleTime is how long a connection of no use stays open.
	idleTime = 30 * time.Second
	// maxQueued bounds what waits for a connection.
	maxQueued = 64
)

// Send gives m to the open link to a node, if there is one.
func (h *Host) Send(to idspace.ID, m wire.Message) {
	c := h.conns.of(to)
	switch {
	case h.muted:
	case c == nil:
		h.Emit(&env.Dropped{Why: "no link", Peer: to})
	case !c.open:
		if len(*c.queued) < maxQueued {
			*c.queued = append(*c.queued, m)
		}
	default:
		if c.silent {
			h.greet(c)
		}
		h.out = append(h.out, outgoing{c, m})
	}
}

// SendDial is Send that opens the link first, in two round trips.
func (h *Host) SendDial(to idspace.ID, m wire.Message) {
	if h.muted || h.conns.of(to) != nil {
		h.Send(to, m)
		return
	}
	w := h.world
	w.totals.Dials++
	if w.Hooks.Dialed != nil {
		w.Hooks.Dialed(h, to, m)
	}
	peer := w.byID[to]
	if peer == nil {
		peer = &Host{id: to, down: true}
	}
	c := &conn{peer: peer, queued: &[]wire.Message{m}}
	h.conns.set(c)
	if peer == h || peer.down || !w.Reachable(h, peer) {
		w.After(dialTimeout, func() { h.unreachable(to, c) })
		return
	}
	rtt := w.oneWay(h, peer) + w.oneWay(peer, h)
	w.After(2*rtt, func() { h.dialed(to, c) })
}

func (h *Host) unreachable(to idspace.ID, c *conn) {
	if h.conns.of(to) != c || c.open {
		return // the peer has dialed meanwhile
	}
	h.conns.remove(to)
	h.local(&env.Unreachable{Peer: to})
}

// dialed opens both ends of a connection.
func (h *Host) dialed(to idspace.ID, c *conn) {
	switch {
	case h.down || h.conns.of(to) != c || c.open:
		return
	case c.peer.down || !h.world.Reachable(h, c.peer):
		h.unreachable(to, c)
		return
	}
	other := c.peer.conns.of(h.id)
	if other == nil || other.peer != h {
		other = &conn{peer: h}
		c.peer.conns.set(other)
	}
	c.peer.opened(other, peerDialed)
	h.opened(c, weDialed)
}

// dialer is who has opened a connection.
type dialer uint8

const (
	weDialed dialer = iota
	peerDialed
)

// opened sends what has waited, after a hello. Who was dialed says hello when it has
// something to say.
func (h *Host) opened(c *conn, by dialer) {
	c.open = true
	if c.silent = c.queued == nil; !c.silent {
		h.greet(c)
		for _, m := range *c.queued {
			h.out = append(h.out, outgoing{c, m})
		}
		c.queued = nil
		h.local(&env.LinkOpened{Peer: c.peer.id, Dialed: by == weDialed})
	}
	h.idle(c)
	h.flush()
}

// greet says hello to a peer, without the record that it has.
func (h *Host) greet(c *conn) {
	c.silent = false
	known := h.node.Known(c.peer.id)
	hello := &wire.Hello{
		Version: 1, Network: h.world.cfg.Network,
		KnownGeneration: known.Generation, KnownVersion: known.Version,
	}
	if !c.knows {
		hello.Record = h.record
	}
	h.out = append(h.out, outgoing{c, hello})
}

// greeted notes whether a peer has this host's record.
func (h *Host) greeted(by *Host, hello *wire.Hello) {
	if c := h.conns.of(by.id); c != nil {
		c.knows = hello.Known() == h.node.Known(h.id)
	}
}

// Link opens a connection between two hosts at once, without a word: for overlays that
// begin settled.
func (w *World) Link(a, b *Host) {
	for _, end := range [...][2]*Host{{a, b}, {b, a}} {
		if end[0].conns.of(end[1].id) == nil {
			end[0].conns.set(&conn{peer: end[1], open: true})
		}
	}
}

// used looks after a link that the node has no use for any more.
func (h *Host) used(u *env.LinkUsed) {
	if c := h.conns.of(u.Peer); c != nil && u.Mine == wire.Use_USE_NONE && u.Theirs == wire.Use_USE_NONE {
		h.idle(c)
	}
}

// idle closes a connection in a while, unless either side has a use for it then.
func (h *Host) idle(c *conn) {
	h.world.After(idleTime, func() {
		peer := c.peer
		if h.down || h.conns.of(peer.id) != c || h.node.Linked(peer.id) {
			return
		}
		if other := peer.conns.of(h.id); !peer.down && other != nil && other.peer == h {
			if peer.node.Linked(h.id) {
				return
			}
			peer.conns.remove(h.id)
		}
		h.conns.remove(peer.id)
	})
}

// Reachable reports whether two hosts could talk.
func (w *World) Reachable(a, b *Host) bool { return w.passes(a, b) && w.passes(b, a) }

// passes reports whether packets pass from one host to another. The first place is one that
// everybody reaches: an overlay has to begin somewhere.
func (w *World) passes(from, to *Host) bool {
	switch {
	case w.side(from) != w.side(to):
		return false
	case from.place == 0 || to.place == 0:
		return true
	}
	low, high := uint64(min(from.place, to.place)), uint64(max(from.place, to.place))
	if w.cfg.Nontransitive > 0 && w.drawn(low<<32^high) < w.cfg.Nontransitive {
		return false
	}
	if w.oneWayLost > 0 {
		pair := w.drawn(^(low<<32 ^ high))
		return pair >= w.oneWayLost || (pair < w.oneWayLost/2) == (from.place < to.place)
	}
	return true
}

// drawn is the number from 0 to below 1 that the seed has for x.
func (w *World) drawn(x uint64) float64 {
	x = (w.cfg.Seed ^ x) * 0x9e3779b97f4a7c15
	x ^= x >> 32
	x *= 0xff51afd7ed558ccd
	return float64(x>>11) / (1 << 53)
}

// LoseOneWay has a share of the pairs of hosts lose, from now on, whatever goes from one of the two to
// the other. Their connections stay open, but none can be opened.
func (w *World) LoseOneWay(share float64) { w.oneWayLost = share }

// side is where a host is while the net is cut: who came since is with the many.
func (w *World) side(h *Host) uint8 {
	if int(h.place) < len(w.cut) {
		return w.cut[h.place]
	}
	return 0
}

// Crash takes a host off the net without a word.
func (w *World) Crash(h *Host) {
	if h.down {
		return
	}
	w.note(uint64(h.number), 0xdead)
	h.down, h.died = true, w.now
	for _, i := range h.timers.lists {
		for ; i >= 0; i = w.timers[i].next {
			w.timers[i].host = gone
		}
	}
	h.node, h.conns, h.timers, h.out = nil, connTable{}, timerTable{}, nil
}

// Stalled reports whether a host does not run at present.
func (h *Host) Stalled() bool { return h.world.now.Before(h.stalled) }

// Stall keeps a host from running for d.
func (w *World) Stall(h *Host, d time.Duration) { h.stalled = max(h.stalled, w.now.Add(d)) }

// Partition cuts the network in two: places for which side is true can reach only each
// other. Nil heals it.
func (w *World) Partition(side func(place int) bool) {
	w.cut = nil
	if side == nil {
		return
	}
	most := 0
	for _, h := range w.hosts {
		most = max(most, int(h.place))
	}
	w.cut = slices.Repeat([]uint8{0}, most+1)
	for place := range w.cut {
		if side(place) {
			w.cut[place] = 1
		}
	}
}
