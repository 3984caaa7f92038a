package p2p

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/node"
)

// Status is a snapshot of a node and its world: plain data, the caller's own.
type Status struct {
	Node       node.Status `json:"node"`
	Peer       peer.ID     `json:"peer"`
	Generation uint64      `json:"generation"`
	Addrs      []string    `json:"addrs"`
	Links      []Link      `json:"links"`
	Mailbox    int         `json:"mailbox"`    // frames that wait for the loop
	Timers     int         `json:"timers"`     // of the machines
	Handlers   int         `json:"handlers"`   // application messages being handled
	Bodies     int         `json:"bodies"`     // direct streams being served
	Calls      int         `json:"calls"`      // requests that somebody waits for
	Known      int         `json:"known"`      // nodes in the address book
	HighWater  int64       `json:"high_water"` // the connection manager's high mark, if it is too low; else 0

	Dials       uint64 `json:"dials"`        // connections that links asked for
	DialsFailed uint64 `json:"dials_failed"` // of them
	BodyDials   uint64 `json:"body_dials"`   // connections that OpenStream asked for
	FramesIn    uint64 `json:"frames_in"`
	FramesOut   uint64 `json:"frames_out"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
	Flushes     uint64 `json:"flushes"`     // writes to streams
	EventsLost  uint64 `json:"events_lost"` // by subscribers that were too slow
	Slowed      uint64 `json:"slowed"`      // signatures that waited because one peer had sent too many

	DialsFor map[string]uint64 `json:"dials_for"`  // Dials, by the message that was to be sent
	Dropped  map[string]uint64 `json:"dropped"`    // messages given up, by reason
	Faults   map[string]uint64 `json:"faults"`     // what peers did wrong, or were refused for
	Limits   map[string]uint64 `json:"limits_hit"` // of the host's resource manager, by name
}

// Link is the link to one peer.
type Link struct {
	ID      idspace.ID `json:"id"`
	Peer    peer.ID    `json:"peer"`
	Out     bool       `json:"out"` // a stream to the peer is open
	In      bool       `json:"in"`  // a stream from the peer is open
	Used    bool       `json:"used"`
	Protect bool       `json:"protect"`
	Frames  int        `json:"frames"` // that wait to be sent
	Bytes   int        `json:"bytes"`
}

// Status takes a snapshot. It must not be called from the loop.
func (n *Node) Status() Status {
	s := Status{
		Peer: n.host.ID(), Generation: n.cfg.Generation, Addrs: []string{},
		Mailbox: len(n.mail.frames), Handlers: len(n.apps.messages), Bodies: len(n.apps.streams),
		Known: n.book.entries.Len(), HighWater: n.counts.lowHighWater.Load(),
		Dials: n.counts.dials.Load(), DialsFailed: n.counts.dialsFailed.Load(), BodyDials: n.counts.bodyDials.Load(),
		FramesIn: n.counts.framesIn.Load(), FramesOut: n.counts.framesOut.Load(),
		BytesIn: n.counts.bytesIn.Load(), BytesOut: n.counts.bytesOut.Load(),
		Flushes: n.counts.flushes.Load(), EventsLost: n.taps.lost.Load(), Slowed: n.inbound.slowed.Load(),
		DialsFor: n.counts.dialsFor.all(),
		Dropped:  n.counts.drops.all(), Faults: n.counts.faults.all(), Limits: n.counts.limits.all(),
	}
	for name, times := range limitsHit(n.host.Network()) {
		s.Limits[name] += times
	}
	for _, a := range n.host.Addrs() {
		s.Addrs = append(s.Addrs, a.String())
	}
	n.calls.mu.Lock()
	s.Calls = len(n.calls.waiting)
	n.calls.mu.Unlock()
	n.loop.look(func(l *loop) {
		if n.core != nil {
			s.Node = n.core.Status(l.clock.now())
		}
		s.Timers = len(l.timers.queue)
		s.Links = l.status()
	})
	return s
}

// status lists the links in either direction, by node ID.
func (l *loop) status() []Link {
	in := l.inbound.open()
	all := map[idspace.ID]Link{}
	for id := range in {
		p, _ := l.peer(id)
		all[id] = Link{ID: id, Peer: p, In: true}
	}
	for id, k := range l.links {
		s := all[id]
		s.ID, s.Peer, s.Out = id, k.peer, k.opened != 0
		s.Frames, s.Bytes = k.queue.load()
		all[id] = s
	}
	for id, u := range l.uses {
		s := all[id]
		s.ID, s.Peer, s.Used, s.Protect = id, u.peer, true, u.protect
		all[id] = s
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Link) int { return idspace.Compare(a.ID, b.ID) })
}

// counts is what a node counts of itself.
type counts struct {
	drops, faults, limits, dialsFor *tally

	dials, dialsFailed, bodyDials          atomic.Uint64
	framesIn, framesOut, bytesIn, bytesOut atomic.Uint64
	flushes                                atomic.Uint64
	lowHighWater                           atomic.Int64
}

func newCounts() *counts {
	return &counts{drops: newTally(), faults: newTally(), limits: newTally(), dialsFor: newTally()}
}

// limit counts err if it tells of one of the host's limits, and logs each such limit
// the first time.
func (c *counts) limit(err error) {
	name := limitName(err)
	if name != "" && c.limits.add(name) == 1 {
		logger.Warnw("a limit of the host stands in the way", "limit", name, "error", err)
	}
}

// tally counts by fixed phrases.
type tally struct {
	mu     sync.Mutex
	counts map[string]uint64
}

func newTally() *tally { return &tally{counts: map[string]uint64{}} }

// add counts one more, and returns how many there are.
func (t *tally) add(what string) uint64 { return t.addN(what, 1) }

func (t *tally) addN(what string, n uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what] += n
	return t.counts[what]
}

func (t *tally) all() map[string]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}
