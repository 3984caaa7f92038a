package membership

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Coordinates rank candidates before a probe is spent (design §6). They are hearsay: who
// is said to be near is asked first, and only the probe's own round trip counts. One
// candidate in a while is drawn at random (sample), so that false coordinates hide nobody
// for ever.

// said notes a coordinate that came beside a short reference or a record. What the gate
// has measured lately counts more.
func (m *Member) said(e env.Env, p *page, c wire.Coord) {
	if p != nil && c.Known() && !m.measuredLately(e, p) {
		p.coord, p.rttUs, p.heard = c, 0, e.Now()
	}
}

// met notes how far a candidate is, and where it says that it is.
func (m *Member) met(e env.Env, v *env.Verdict) {
	p := m.book.find(v.Peer)
	if p == nil || !v.Alive || v.Refused {
		return
	}
	p.rttUs, p.heard = uint32(min(max(v.RTT.Microseconds(), 1), math.MaxUint32)), e.Now()
	if v.Coord.Known() {
		p.coord = v.Coord
	}
}

func (m *Member) measuredLately(e env.Env, p *page) bool {
	return p.rttUs > 0 && e.Now().Sub(p.heard) < m.cfg.Resample
}

// coord is where a node is, as far as this node knows: a neighbor's own word is newer than
// what others say.
func (m *Member) coord(p *page) wire.Coord {
	if p.id == m.tables.Self {
		return wire.CoordIn(m.links.Coord())
	}
	if l := m.links.Link(p.id); l != nil && l.Coord.Known() {
		return l.Coord
	}
	return p.coord
}

// appendCoord appends where a node is, all zero if that is not known.
func (m *Member) appendCoord(dst []byte, id idspace.ID) []byte {
	var c wire.Coord
	if p := m.book.find(id); p != nil {
		c = m.coord(p)
	}
	return append(dst, c[:]...)
}

// far is how far a known node is: as measured, or else as coordinates say.
func (m *Member) far(e env.Env, p *page) time.Duration {
	if rtt, ok := m.links.RTT(p.id); ok {
		return rtt
	}
	if m.measuredLately(e, p) {
		return time.Duration(p.rttUs) * time.Microsecond
	}
	if rtt, ok := m.links.Estimate(m.coord(p)); ok {
		return rtt
	}
	return unknownRTT
}

// merit is what speaks for a candidate.
type merit struct {
	use  wire.Use
	ring idspace.ID // how far it is from this node on the ring, if it is for the leaf set
	far  time.Duration
}

func (m *Member) merit(e env.Env, p *page) merit {
	has := merit{use: m.want(p.id), far: m.far(e, p)}
	if has.use == wire.Use_USE_LEAF {
		has.ring = idspace.Apart(m.tables.Self, p.id)
	}
	return has
}

// before orders merits: the most useful first. Of those for the leaf set the next on the ring
// come first, for a joining node has room for everybody in it and waits only for these; of
// others, the nearest.
func (a merit) before(b merit) int {
	return cmp.Or(cmp.Compare(b.use, a.use), idspace.Compare(a.ring, b.ring), cmp.Compare(a.far, b.far))
}

// rank orders candidates, the best first.
func (m *Member) rank(e env.Env, candidates []*page) {
	merits := make(map[*page]merit, len(candidates))
	for _, p := range candidates {
		merits[p] = m.merit(e, p)
	}
	slices.SortStableFunc(candidates, func(a, b *page) int { return merits[a].before(merits[b]) })
}

// first takes the candidate out of the queue that rank would put first.
func (m *Member) first(e env.Env) idspace.ID {
	at, best := 0, merit{far: unknownRTT}
	for i, id := range m.gate.queue {
		if p := m.book.find(id); p != nil {
			if has := m.merit(e, p); has.before(best) < 0 {
				at, best = i, has
			}
		}
	}
	id := m.gate.queue[at]
	m.gate.queue = slices.Delete(m.gate.queue, at, at+1)
	return id
}

// improve measures those known nodes that promise most: neither a slot with room nor the
// leaf set needs them, but coordinates say that they are clearly nearer than somebody. Where
// neighbors come and go all the time, one by one.
func (m *Member) improve(e env.Env) {
	most := m.cfg.Improve
	if !m.settled(e) {
		most = 1
	}
	for range most {
		var best *page
		var gains time.Duration
		for _, p := range m.book.order {
			if gain := m.promise(e, p); gain > gains {
				best, gains = p, gain
			}
		}
		if best == nil || len(m.gate.probing) >= m.cfg.Probes {
			return
		}
		m.probe(e, best.id, wire.Use_USE_NONE)
	}
}

// promise is how much nearer a node in no table seems to be than the farthest of its slot,
// and once more than the primary, which most routes take; 0 if it is not clearly nearer.
func (m *Member) promise(e env.Env, p *page) time.Duration {
	far := m.far(e, p)
	if far == unknownRTT || !m.wantsSlot(p.id, far) || m.tables.Leaves.Has(p.id) || p.rests(e.Now(), wire.Use_USE_SPARE) {
		return 0
	}
	if _, busy := m.gate.probing[p.id]; busy {
		return 0
	}
	slot := m.tables.Map.Contest(p.id)
	if len(slot) == 0 {
		return 0 // there is room: consider takes it in
	}
	return slot[len(slot)-1].RTT - far + max(0, slot[0].RTT-far)
}

// promising reports whether a stranger is said to be clearly nearer than somebody in the map.
func (m *Member) promising(guess idspace.ID, c wire.Coord) bool {
	far, ok := m.links.Estimate(c)
	return ok && m.wantsSlot(guess, far)
}
