package membership

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
)

// settle offers every neighbor to both tables, tells heartbeat what each is used for
// now, and the other machines what changed.
func (m *Member) settle(e env.Env, c *env.Changed) {
	m.share()
	now := m.uses()
	known := 0
	for i := range now {
		was, told := m.told[now[i].Peer]
		if told {
			known++
		}
		if was != now[i] {
			changed := now[i] // its own copy: what does not change must not cost any
			e.Post(&changed)
		}
	}
	var gone []idspace.ID
	if known < len(m.told) {
		gone = m.dropped(now)
	}
	for _, id := range gone {
		e.Post(&env.Use{Peer: id})
		delete(m.told, id)
		m.book.keep(id, inNone)
		if !slices.Contains(c.Removed, id) {
			c.Removed = append(c.Removed, id)
		}
	}
	for _, u := range now {
		if m.told[u.Peer] != u {
			m.told[u.Peer] = u
			m.book.keep(u.Peer, inTable)
		}
	}
	e.Post(c)
}

// share offers the members of each table to the other: their link is paid for.
func (m *Member) share() {
	for _, id := range m.tables.Leaves.All() {
		rtt, _ := m.links.RTT(id)
		n := neighbormap.Neighbor{ID: id, RTT: coarse(rtt), Suspect: m.tables.Leaves.Suspected(id)}
		if !m.tables.Map.Has(id) && m.tables.Map.Wants(id, n.RTT) {
			m.tables.Map.Insert(n)
		}
	}
	for _, n := range m.tables.Map.All() {
		if !m.tables.Leaves.Has(n.ID) && m.tables.Leaves.Wants(n.ID) {
			m.tables.Leaves.Insert(n.ID)
			if n.Suspect {
				m.tables.Leaves.SetState(n.ID, leafset.Suspect)
			}
		}
	}
}

// uses lists what this node uses each member of its tables for, in order of ID.
func (m *Member) uses() []env.Use {
	leaves := m.tables.Leaves.All()
	ids := slices.Clone(leaves)
	for _, n := range m.tables.Map.All() {
		ids = append(ids, n.ID)
	}
	slices.SortFunc(ids, idspace.Compare)
	ids = slices.Compact(ids)
	uses := make([]env.Use, 0, len(ids))
	for _, id := range ids {
		uses = append(uses, m.useOf(id))
	}
	return uses
}

func (m *Member) useOf(id idspace.ID) env.Use {
	u := env.Use{Peer: id, Use: wire.Use_USE_SPARE}
	level, primary := m.tables.Map.Primary(id)
	switch {
	case m.tables.Leaves.Has(id):
		u.Use = wire.Use_USE_LEAF
	case m.tables.Map.Sole(id):
		u.Use = wire.Use_USE_SOLE
	}
	u.Protect = u.Use == wire.Use_USE_LEAF || primary && level <= 1
	return u
}

// dropped lists whom heartbeat believes in use and who is in no table now.
func (m *Member) dropped(now []env.Use) (gone []idspace.ID) {
	for id := range m.told { // unordered: sorted below
		_, found := slices.BinarySearchFunc(now, id, func(u env.Use, id idspace.ID) int {
			return idspace.Compare(u.Peer, id)
		})
		if !found {
			gone = append(gone, id)
		}
	}
	slices.SortFunc(gone, idspace.Compare)
	return gone
}

// OnPointed considers a node that began to point here: using it costs no further link.
func (m *Member) OnPointed(e env.Env, p *env.Pointed) {
	m.book.avoid(p.Peer, 0)
	m.consider(e, p.Peer)
}

// OnUp and OnSuspect note heartbeat's judgement in the tables, which route by it.
func (m *Member) OnUp(e env.Env, x *env.Up) {
	m.tables.Map.SetState(x.Peer, neighbormap.Alive)
	m.tables.Leaves.SetState(x.Peer, leafset.Alive)
	e.Post(&env.Changed{})
}

// OnSuspect is described at OnUp.
func (m *Member) OnSuspect(e env.Env, x *env.Suspect) {
	m.tables.Map.SetState(x.Peer, neighbormap.Suspect)
	m.tables.Leaves.SetState(x.Peer, leafset.Suspect)
	e.Post(&env.Changed{})
}

// OnDown takes a neighbor out of the tables; its backups are there already.
func (m *Member) OnDown(e env.Env, d *env.Down) {
	c := &env.Changed{}
	if d.Why == env.Unlinked {
		m.book.avoid(d.Peer, e.Now().Add(env.Jitter(e, m.cfg.Refused)))
	} else {
		m.book.avoid(d.Peer, e.Now().Add(m.cfg.Forgotten))
		c.Dead = []idspace.ID{d.Peer}
	}
	inMap := m.tables.Map.Remove(d.Peer)
	if inLeaves := m.tables.Leaves.Remove(d.Peer); inMap || inLeaves {
		c.Removed = []idspace.ID{d.Peer}
	}
	m.settle(e, c)
	if inMap && m.tables.Map.FillsHole(d.Peer) {
		m.refill(e, d.Peer)
	}
	m.hear(e, d.Peer, d.Heirs)
}

// refill looks for somebody for the slot that gone has left empty: among the nodes it
// has heard of, and with one question to a neighbor of the same prefix.
func (m *Member) refill(e env.Env, gone idspace.ID) {
	for _, p := range slices.Clone(m.book.order) {
		if p.id != gone && m.tables.Map.FillsHole(p.id) && m.sameSlot(p.id, gone) {
			m.consider(e, p.id)
		}
	}
	if m.asked != 0 && e.Now().Sub(m.asked) < m.cfg.LeafPeriod/4 {
		return
	}
	m.asked = e.Now()
	level := m.tables.Space.CommonPrefix(m.tables.Self, gone)
	if to, ok := m.randomOf(e, m.tables.Map.Row(level)); ok {
		m.sendRow(e, to, rowOf{level: level, ask: true})
	}
}

func (m *Member) sameSlot(a, b idspace.ID) bool {
	return m.tables.Space.CommonPrefix(a, b) > m.tables.Space.CommonPrefix(m.tables.Self, b)
}
