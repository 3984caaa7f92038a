package membership

import (
	"fmt"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
)

// settle offers those who came to both tables, tells heartbeat what each whose place has
// changed is used for now, and the other machines what changed.
func (m *Member) settle(e env.Env, c *env.Changed) {
	moved := m.moved(e)
	m.share()
	moved = append(moved, m.moved(e)...)
	slices.SortFunc(moved, idspace.Compare)
	moved = slices.Compact(moved)
	for _, id := range moved {
		if m.holds(id) {
			m.tell(e, m.useOf(id))
		}
	}
	for _, id := range moved {
		if at, told := m.findTold(id); told && !m.holds(id) {
			e.Post(&env.Use{Peer: id})
			m.lists[rowList].changed = e.Now()
			m.told = slices.Delete(m.told, at, at+1)
			m.tellings++
			m.book.keep(id, inNone)
			if !slices.Contains(c.Removed, id) {
				c.Removed = append(c.Removed, id)
			}
		}
	}
	e.Post(c)
}

// holds reports whether id is in a table.
func (m *Member) holds(id idspace.ID) bool { return m.tables.Map.Has(id) || m.tables.Leaves.Has(id) }

// tell has heartbeat know what a member of the tables is used for now.
func (m *Member) tell(e env.Env, u env.Use) {
	at, told := m.findTold(u.Peer)
	switch {
	case !told:
		m.lists[rowList].changed = e.Now()
		m.told = slices.Insert(m.told, at, u)
		m.book.keep(u.Peer, inTable)
	case m.told[at] == u:
		return
	default:
		m.told[at] = u
	}
	m.tellings++
	e.Post(&u)
}

// findTold returns where in told a node is, or would be.
func (m *Member) findTold(id idspace.ID) (at int, found bool) {
	return slices.BinarySearchFunc(m.told, id, func(u env.Use, id idspace.ID) int {
		return idspace.Compare(u.Peer, id)
	})
}

// neighbor reports whether heartbeat was told that a node is in a table.
func (m *Member) neighbor(id idspace.ID) bool {
	_, found := m.findTold(id)
	return found
}

// moved lists whose place in a table may have changed since it was last asked.
func (m *Member) moved(e env.Env) []idspace.ID {
	leaves, entries := m.tables.Leaves.Moved(), m.tables.Map.Moved()
	if len(leaves) > 0 {
		m.lists[leafList].changed = e.Now()
	}
	return append(leaves, entries...)
}

// share offers the members of the leaf set to the map, and, if the leaf set has lost one,
// the entries of the map to it: their link is paid for. Who enters the map anew has been
// offered to the leaf set by put.
func (m *Member) share() {
	for _, id := range m.tables.Leaves.All() {
		if !m.tables.Map.Has(id) {
			rtt, _ := m.links.RTT(id)
			m.enterSlot(neighbormap.Neighbor{ID: id, RTT: coarse(rtt), Suspect: m.tables.Leaves.Suspected(id)})
		}
	}
	losses := m.lists[leafList].losses
	if m.shared == losses {
		return
	}
	m.shared = losses
	for _, n := range m.tables.Map.All() {
		if m.enterLeaves(n.ID) && n.Suspect {
			m.tables.Leaves.SetState(n.ID, leafset.Suspect)
		}
	}
}

// Changes counts what was done to what Check looks at.
func (m *Member) Changes() uint64 {
	return m.tables.Map.Changes() + m.tables.Leaves.Changes() + m.tellings
}

// Check returns the first broken invariant: heartbeat knows what every member of the
// tables is used for, and of nobody else, and no table has room for a member of the other.
func (m *Member) Check() error {
	uses := m.uses()
	if len(uses) != len(m.told) {
		return fmt.Errorf("membership: %d in the tables, heartbeat was told of %d", len(uses), len(m.told))
	}
	for i, u := range uses {
		told := m.told[i]
		u.Generation = told.Generation // a newer record may have been learned in this step
		if told != u {
			return fmt.Errorf("membership: %s is used as %s, heartbeat was told %s", u.Peer.Short(), u.Use.Name(), told.Use.Name())
		}
		if !m.tables.Map.Has(u.Peer) && m.tables.Map.Wants(u.Peer, unknownRTT) || m.wantsLeaf(u.Peer) {
			return fmt.Errorf("membership: %s is in one table, and the other has room for it", u.Peer.Short())
		}
	}
	return nil
}

// uses lists what this node uses each member of its tables for, in order of ID: the slow
// way to what settle keeps up to date.
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
	if p := m.book.find(id); p != nil {
		u.Generation = p.stamp.Generation
	}
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

// OnPointed considers a node that began to point here: using it costs no further link.
func (m *Member) OnPointed(e env.Env, p *env.Pointed) {
	m.book.avoid(p.Peer, 0)
	m.consider(e, p.Peer)
	m.joinProgress(e)
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
	lives := d.Why == env.Unlinked || d.Why == env.CutOff
	if d.Why == env.CutOff {
		m.cut(e, d.Peer, d.By)
	}
	if !lives {
		c.Dead = []idspace.ID{d.Peer}
	}
	inMap, inLeaves := m.tables.Map.Remove(d.Peer), false
	if lives {
		inLeaves = m.tables.Leaves.Remove(d.Peer)
	} else {
		inLeaves = m.tables.Leaves.Bury(d.Peer) // the covered span has lost nobody
	}
	if inMap || inLeaves {
		c.Removed = []idspace.ID{d.Peer}
		m.forgetInsertion(e, d.Peer) // if it asks again, this node must be among those that get to know it
	}
	if d.Why == env.Unlinked {
		m.book.release(d.Peer, max(m.want(d.Peer), wire.Use_USE_SPARE), e.Now().Add(env.Jitter(e, m.cfg.Refused)))
	}
	if inMap {
		m.lists[rowList].losses++
	}
	if inLeaves {
		m.lists[leafList].losses++
	}
	m.settle(e, c)
	m.partition.lose(e, d)
	if inMap && m.tables.Map.FillsHole(d.Peer) {
		m.refill(e, d.Peer)
	}
	m.hear(e, d.Peer, d.Heirs, nil)
	m.reactToLoss(e, loss{of: d.Peer, inMap: inMap, inLeaves: inLeaves})
}

// refill looks for somebody for the slot that gone has left empty: among the nodes it
// has heard of, and with one question to a neighbor of the same prefix.
func (m *Member) refill(e env.Env, gone idspace.ID) {
	m.fillSlot(e, gone)
	if m.asked != 0 && e.Now().Sub(m.asked) < m.cfg.LeafPeriod/4 {
		return
	}
	m.asked = e.Now()
	level := m.tables.Space.CommonPrefix(m.tables.Self, gone)
	if to, ok := m.randomOf(e, m.tables.Map.Row(level)); ok {
		m.sendRow(e, to, rowOf{level: level, ask: true})
	}
}

// fillSlot considers whoever it has heard of for the slot of one that is dead, if that is empty.
func (m *Member) fillSlot(e env.Env, dead idspace.ID) {
	for _, p := range slices.Clone(m.book.order) {
		if p.id != dead && m.tables.Map.FillsHole(p.id) && m.sameSlot(p.id, dead) {
			m.consider(e, p.id)
		}
	}
}

func (m *Member) sameSlot(a, b idspace.ID) bool {
	return m.tables.Space.CommonPrefix(a, b) > m.tables.Space.CommonPrefix(m.tables.Self, b)
}
