package membership

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/neighbormap"
)

// exchangeLeaves sends the leaf set to one random member and asks for its own (Bamboo's
// push-pull).
func (m *Member) exchangeLeaves(e env.Env) {
	m.schedule(e, timerLeaf, m.cfg.LeafPeriod)
	var alive []neighbormap.Neighbor
	for _, id := range m.tables.Leaves.All() {
		alive = append(alive, neighbormap.Neighbor{ID: id, Suspect: m.tables.Leaves.Suspected(id)})
	}
	if to, ok := m.randomOf(e, alive); ok {
		e.Send(to, &wire.LeafSet{Refs: m.leafRefs(), WantReply: true})
	}
}

// exchangeRow does the same with a row and a random neighbor of its level, lower levels
// more often, and takes the round trips measured since into account.
func (m *Member) exchangeRow(e env.Env) {
	m.schedule(e, timerRow, m.cfg.RowPeriod)
	for _, n := range m.tables.Map.All() {
		if rtt, ok := m.links.RTT(n.ID); ok {
			m.tables.Map.Update(n.ID, coarse(rtt))
		}
	}
	m.considerKnown(e)
	levels := m.tables.Map.Levels()
	if levels == 0 {
		return
	}
	level := min(e.Rand().IntN(levels), e.Rand().IntN(levels))
	if to, ok := m.randomOf(e, m.tables.Map.Row(level)); ok {
		m.sendRow(e, to, rowOf{level: level, ask: true})
	}
}

// considerKnown offers the tables the nodes that point here, whose link is paid for, and,
// for what must not stay empty, everybody it has heard of: a candidate that refused may
// have room again, and nobody else may name it.
func (m *Member) considerKnown(e env.Env) {
	for _, l := range m.links.All() {
		if l.Mine == wire.Use_USE_NONE && l.Theirs != wire.Use_USE_NONE {
			m.consider(e, l.ID)
		}
	}
	for _, p := range slices.Clone(m.book.order) {
		if m.want(p.id) >= wire.Use_USE_SOLE {
			m.consider(e, p.id)
		}
	}
}

// rowOf says which row to send and whether to ask for the other's.
type rowOf struct {
	level int
	ask   bool
}

func (m *Member) sendRow(e env.Env, to idspace.ID, r rowOf) {
	row := m.tables.Map.Row(r.level)
	var refs []byte
	for _, n := range row[:min(len(row), wire.MaxRefs)] {
		if n.ID != to {
			refs = wire.AppendRef(refs, m.book.ref(n.ID))
		}
	}
	e.Send(to, &wire.Row{Level: uint32(r.level), Refs: refs, WantReply: r.ask})
}

func (m *Member) leafRefs() (refs []byte) {
	for _, id := range m.tables.Leaves.All() {
		refs = wire.AppendRef(refs, m.book.ref(id))
	}
	return refs
}

// schedule sets the timer of an exchange, sooner while the tables still fill.
func (m *Member) schedule(e env.Env, what uint8, period time.Duration) {
	if e.Now().Sub(m.activated) < m.cfg.EagerFor {
		period /= time.Duration(m.cfg.Eager)
	}
	e.SetTimer(env.TimerKey{Room: env.Membership, What: what}, env.Jitter(e, period))
}

// randomOf draws a neighbor that is not suspected: do not slam nodes that are behind.
func (m *Member) randomOf(e env.Env, among []neighbormap.Neighbor) (idspace.ID, bool) {
	alive := among[:0:0]
	for _, n := range among {
		if !n.Suspect {
			alive = append(alive, n)
		}
	}
	if len(alive) == 0 {
		return idspace.ID{}, false
	}
	return alive[e.Rand().IntN(len(alive))].ID, true
}

// OnLeafSet takes a member's leaf set as candidates.
func (m *Member) OnLeafSet(e env.Env, from idspace.ID, s *wire.LeafSet) {
	m.hear(e, from, s.Refs)
	if s.WantReply && m.phase != Idle {
		e.Send(from, &wire.LeafSet{Refs: m.leafRefs()})
	}
}

// OnRow takes a neighbor's row as candidates.
func (m *Member) OnRow(e env.Env, from idspace.ID, r *wire.Row) {
	m.hear(e, from, r.Refs)
	if r.WantReply && m.phase != Idle && int(r.Level) < m.tables.Space.Digits() {
		m.sendRow(e, from, rowOf{level: int(r.Level)})
	}
}

// hear takes hearsay: known nodes go to the gate if there is room for them, of one
// more it is measured whether it is nearer than somebody, and the records of wanted
// strangers are asked for.
func (m *Member) hear(e env.Env, from idspace.ID, packed []byte) {
	m.consider(e, from)
	var strangers []byte
	var redundant []*page
	for _, r := range wire.Refs(packed) {
		p := m.book.resolve(r)
		switch {
		case p == nil && m.want(r.Guess()) != wire.Use_USE_NONE:
			strangers = wire.AppendRef(strangers, r)
		case p == nil || p.id == m.tables.Self:
		case wire.RefTo(p.id, p.stamp.generation) != r:
			strangers = wire.AppendRef(strangers, r) // its record is new, or the teller's is old
		case m.want(p.id) != wire.Use_USE_NONE:
			m.consider(e, p.id)
		case !m.tables.Map.Has(p.id) && !m.tables.Leaves.Has(p.id):
			redundant = append(redundant, p)
		}
	}
	m.sample(e, redundant)
	if len(strangers) > 0 {
		e.Send(from, &wire.RecordRequest{Refs: strangers})
	}
}

// OnRecordRequest lends the records that a neighbor asks for.
func (m *Member) OnRecordRequest(e env.Env, from idspace.ID, q *wire.RecordRequest) {
	var records []*wire.SignedRecord
	for _, r := range wire.Refs(q.Refs) {
		if p := m.book.resolve(r); p != nil && len(records) < wire.MaxRecords {
			records = append(records, p.record)
		}
	}
	e.Send(from, &wire.Records{Records: records})
}

// OnRecords takes records, which the world has verified, as candidates.
func (m *Member) OnRecords(e env.Env, from idspace.ID, r *wire.Records) { m.learn(e, r.Records) }

// OnHello takes the record of a peer that opened a link.
func (m *Member) OnHello(e env.Env, from idspace.ID, h *wire.Hello) {
	m.learn(e, []*wire.SignedRecord{h.Record})
}

func (m *Member) learn(e env.Env, records []*wire.SignedRecord) {
	for _, record := range records {
		id, err := m.book.learn(record)
		if err != nil {
			e.Emit(&env.Dropped{Why: "node record: " + err.Error()})
			continue
		}
		m.consider(e, id)
	}
}
