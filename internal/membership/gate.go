package membership

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/neighbormap"
)

// gate holds the candidates that are being probed and those that wait for it.
type gate struct {
	probing map[idspace.ID]wire.Use // by candidate: what it is wanted for
	queue   []idspace.ID            // who comes next
	named   map[idspace.ID]bool     // of those at the gate, whom a witness has named
}

// queueSize bounds the candidates that wait; more are forgotten, gossip names them again.
const queueSize = 256

// want says what a node would be good for, from its ID alone.
func (m *Member) want(id idspace.ID) wire.Use {
	switch {
	case id == m.tables.Self:
		return wire.Use_USE_NONE
	case m.wantsLeaf(id):
		return wire.Use_USE_LEAF
	case m.tables.Map.Has(id):
		return wire.Use_USE_NONE
	case m.tables.Map.FillsHole(id):
		return wire.Use_USE_SOLE
	case m.wantsSlot(id, unknownRTT):
		return wire.Use_USE_SPARE
	}
	return wire.Use_USE_NONE
}

// consider sends a known node to the gate if a table has room for it.
func (m *Member) consider(e env.Env, id idspace.ID) {
	p := m.book.find(id)
	if p == nil || p.rests(e.Now(), m.want(id)) || m.phase == Idle || m.phase == Leaving {
		return
	}
	if _, busy := m.gate.probing[id]; busy || m.want(id) == wire.Use_USE_NONE {
		return
	}
	if m.spokenFor(id) {
		return
	}
	if len(m.gate.probing) >= m.cfg.Probes {
		m.enqueue(id)
		return
	}
	use := m.want(id)
	if use == wire.Use_USE_SOLE && p.refusals > 0 && m.standsIn(id) {
		use = wire.Use_USE_STARVED
	}
	m.probe(e, id, use)
}

// atOnce is how many candidates for an empty slot are at the gate at the same time: one of
// them may be dead.
const atOnce = 2

// spokenFor reports whether as many are at the gate already as id's slot has room for: all
// but the first would find the place taken. Who is turned away here comes to the gate if they
// turn out dead (see fillSlot), or will be named again. Where this node would be a wrong root
// requests wait for the gate, and nobody is turned away.
func (m *Member) spokenFor(id idspace.ID) bool {
	want, room := m.want(id), 0
	switch want {
	case wire.Use_USE_SOLE:
		if !m.standsIn(id) {
			room = atOnce
		}
	case wire.Use_USE_SPARE:
		room = m.tables.Map.Room(id)
	}
	if room == 0 {
		return false
	}
	for at, use := range m.gate.probing { // a count has no order
		rival := use == want || want == wire.Use_USE_SOLE && use > want
		if rival && m.sameSlot(id, at) {
			if room--; room == 0 {
				return true
			}
		}
	}
	return false
}

// urgency is how much sooner a node asks again whose hole would make a wrong root.
const urgency = 15

// standsIn reports whether this node would take itself for the root of keys that are
// id's, if it did not know id: whether every slot from id's digit up to this node's own
// is empty (design §3). Anybody else's hole costs a hop, for the next slot's node knows
// better; this one's would make a wrong root.
func (m *Member) standsIn(id idspace.ID) bool {
	s := m.tables.Space
	level := s.CommonPrefix(m.tables.Self, id)
	own, mask := s.Digit(m.tables.Self, level), idspace.Digit(s.Radix()-1)
	for d := s.Digit(id, level); d != own; d = (d + 1) & mask {
		if len(m.tables.Map.Slot(level, d)) > 0 {
			return false
		}
	}
	return true
}

func (m *Member) enqueue(id idspace.ID) {
	if len(m.gate.queue) < queueSize && !slices.Contains(m.gate.queue, id) {
		m.gate.queue = append(m.gate.queue, id)
	}
}

func (m *Member) probe(e env.Env, id idspace.ID, use wire.Use) {
	m.gate.probing[id] = use
	m.book.keep(id, inTable) // its record is needed if it is admitted
	e.Post(&env.Probe{Peer: id, Use: use, For: env.Membership})
}

// sample looks now and then how near a candidate is for which there is no room unless it
// is clearly nearer than somebody (Bamboo's far table): one drawn at random, whatever
// coordinates say of it.
func (m *Member) sample(e env.Env, among []*page) {
	if m.sampled != 0 && e.Now().Sub(m.sampled) < m.cfg.Sample || len(m.gate.probing) >= m.cfg.Probes {
		return
	}
	among = slices.DeleteFunc(among, func(p *page) bool {
		_, busy := m.gate.probing[p.id]
		return busy || p.rests(e.Now(), wire.Use_USE_NONE) || m.measuredLately(e, p)
	})
	if len(among) > 0 {
		m.sampled = e.Now()
		m.probe(e, among[e.Rand().IntN(len(among))].id, wire.Use_USE_NONE)
	}
}

// OnVerdict admits a candidate, or leaves it alone for a while.
func (m *Member) OnVerdict(e env.Env, v *env.Verdict) {
	use, asked := m.gate.probing[v.Peer]
	delete(m.gate.probing, v.Peer)
	m.met(e, v)
	if asked && !m.neighbor(v.Peer) {
		m.book.keep(v.Peer, inNone) // until it is admitted, if it is
	}
	switch {
	case !asked:
	case m.phase == Idle:
		e.Post(&env.Use{Peer: v.Peer}) // this node has left, or given up joining, meanwhile
	case m.isSeed(v.Peer):
	case m.partition.verdict(e, v, use):
	case !v.Alive && !v.By.IsZero():
		m.cut(e, v.Peer, v.By)
	case !v.Alive:
		m.back(v.Peer)
		m.book.bury(v.Peer, e.Now().Add(m.cfg.Forgotten))
		m.fillSlot(e, v.Peer)
	case v.Refused && m.tables.Map.FillsHole(v.Peer) && m.standsIn(v.Peer):
		m.book.refuse(e, v.Peer, use, m.cfg.Refused/urgency)
	case v.Refused:
		m.book.refuse(e, v.Peer, use, m.cfg.Refused)
	case use == wire.Use_USE_NONE:
		m.measured(e, v)
	default:
		m.admit(e, v)
	}
	if asked {
		m.inserted(e, v)
		m.judged(e, v)
	}
	m.nextAtGate(e)
	m.joinProgress(e)
}

// measured sends a candidate through the gate if it turned out clearly nearer.
func (m *Member) measured(e env.Env, v *env.Verdict) {
	if m.wantsSlot(v.Peer, coarse(v.RTT)) && !m.tables.Map.Has(v.Peer) {
		m.probe(e, v.Peer, wire.Use_USE_SPARE)
	}
}

// admit puts a candidate that passed the gate into the tables that want it.
func (m *Member) admit(e env.Env, v *env.Verdict) {
	p := m.book.find(v.Peer)
	if p == nil || !m.put(v.Peer, v.RTT) {
		e.Post(&env.Use{Peer: v.Peer}) // the place was taken meanwhile, or nobody has said who it is
		return
	}
	p.refusals = 0
	m.back(v.Peer)
	m.partition.admitted(e, v.Peer)
	e.Emit(&env.NeighborChanged{Peer: v.Peer, State: env.NeighborJoined})
	m.settle(e, &env.Changed{Added: []idspace.ID{v.Peer}})
	m.reactToEntry(e, v.Peer)
}

// put offers a node to both tables and reports whether it is in one of them now.
func (m *Member) put(id idspace.ID, rtt time.Duration) bool {
	m.relabel(id)
	m.enterLeaves(id)
	m.enterSlot(neighbormap.Neighbor{ID: id, RTT: coarse(rtt)})
	return m.tables.Map.Has(id) || m.tables.Leaves.Has(id)
}

// nextAtGate lets waiting candidates in while there is room at the gate.
func (m *Member) nextAtGate(e env.Env) {
	for len(m.gate.queue) > 0 && len(m.gate.probing) < m.cfg.Probes {
		m.consider(e, m.first(e))
	}
}

// coarse rounds a round trip so that noise does not reorder slots: nobody routes
// better for a quarter of a millisecond.
func coarse(rtt time.Duration) time.Duration {
	return rtt.Round(250 * time.Microsecond)
}
