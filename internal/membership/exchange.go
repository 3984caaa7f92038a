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
	if to, ok := m.partner(e, alive); ok {
		m.ask(leafList, to)
		m.sendLeaves(e, to, asking)
	}
}

func (m *Member) sendLeaves(e env.Env, to idspace.ID, why purpose) {
	l := listing{refs: m.leafRefs()} // who is next on the ring does not depend on where it is
	digest, have := m.compose(e, delivery{to, leafList, why}, &l)
	up, down := m.claims()
	e.Send(to, &wire.LeafSet{
		Refs: l.refs, Coords: l.coords, WantReply: why == asking, Up: up, Down: down,
		Digest: digest, Have: have, DeadRefs: m.links.Hints(to, e.Now()),
	})
}

// exchangeRow does the same with a row and a random neighbor of its level, lower levels
// more often, and takes the round trips measured since into account.
func (m *Member) exchangeRow(e env.Env) {
	m.rebound(e)
	m.remeasure(e)
	m.forgetSwaps()
	if m.considerKnown(e) {
		m.lists[rowList].changed = e.Now() // what is lacking is as good a reason as a change
	}
	m.schedule(e, timerRow, m.cfg.RowPeriod)
	quiet := m.settled(e)
	if quiet {
		m.sampleKnown(e)
	}
	m.improve(e)
	levels := m.tables.Map.Levels()
	if levels == 0 {
		return
	}
	row := m.tables.Map.Row(min(e.Rand().IntN(levels), e.Rand().IntN(levels)))
	if quiet {
		row = m.acquainted(e, row)
	}
	if to, ok := m.randomOf(e, row); ok {
		level := m.tables.Space.CommonPrefix(m.tables.Self, to)
		m.ask(rowList, to)
		m.sendRow(e, to, rowOf{level: level, ask: true})
	}
}

// settled reports whether the map has not changed for a while. Coordinates, which are more
// than half of a row, travel only then: they help to make a good map better, and where
// neighbors come and go all the time that is worth less than it costs.
func (m *Member) settled(e env.Env) bool {
	return e.Now().Sub(m.lists[rowList].changed) > calm
}

// acquainted narrows a row, seven times in eight, to those whose row this node has: of a
// hundred neighbors hardly one is met twice by chance, and in a calm overlay there is
// nothing to learn from the others.
func (m *Member) acquainted(e env.Env, row []neighbormap.Neighbor) []neighbormap.Neighbor {
	known := slices.DeleteFunc(slices.Clone(row), func(n neighbormap.Neighbor) bool {
		s := m.swaps[n.ID]
		return n.Suspect || s == nil || s[rowList].theirs == 0 || s[rowList].losses != m.lists[rowList].losses
	})
	if len(known) == 0 || e.Rand().IntN(8) == 0 {
		return row
	}
	return known
}

// remeasure orders the slots by the round trips as they are now.
func (m *Member) remeasure(e env.Env) {
	reordered := false
	for _, n := range m.tables.Map.All() {
		if rtt, ok := m.links.RTT(n.ID); ok {
			reordered = m.tables.Map.Update(n.ID, coarse(rtt)) || reordered
		}
	}
	if reordered {
		m.settle(e, &env.Changed{})
	}
}

// considerKnown offers the tables the nodes that point here, whose link is paid for, and,
// for what must not stay empty, everybody it has heard of: a candidate that refused may
// have room again, and nobody else may name it. It reports whether there was such a one.
func (m *Member) considerKnown(e env.Env) (lacking bool) {
	for _, l := range m.links.All() {
		if l.Mine == wire.Use_USE_NONE && l.Theirs != wire.Use_USE_NONE {
			m.consider(e, l.ID)
		}
	}
	for _, p := range slices.Clone(m.book.order) {
		if use := m.want(p.id); use >= wire.Use_USE_SOLE {
			lacking = lacking || !p.rests(e.Now(), use)
			m.consider(e, p.id)
		}
	}
	return lacking
}

// sampleKnown looks among those of whom it has heard earlier for one to measure: in a calm
// overlay nobody names them again.
func (m *Member) sampleKnown(e env.Env) {
	m.sample(e, slices.DeleteFunc(slices.Clone(m.book.order), func(p *page) bool {
		return p.id == m.tables.Self || m.holds(p.id)
	}))
}

// rowOf says which row to send and whether to ask for the other's.
type rowOf struct {
	level int
	ask   bool
}

func (m *Member) sendRow(e env.Env, to idspace.ID, r rowOf) {
	row := m.tables.Map.Row(r.level)
	var l listing
	settled := m.settled(e)
	for _, n := range row[:min(len(row), wire.MaxRefs)] {
		if n.ID != to {
			l.refs = wire.AppendRef(l.refs, m.book.ref(n.ID))
			if settled {
				l.coords = m.appendCoord(l.coords, n.ID)
			}
		}
	}
	d := delivery{to: to, list: rowList}
	if r.ask {
		d.why = asking
	}
	digest, have := uint32(0), uint32(0)
	if r.level == m.tables.Space.CommonPrefix(m.tables.Self, to) {
		digest, have = m.compose(e, d, &l)
	}
	e.Send(to, &wire.Row{
		Level: uint32(r.level), Refs: l.refs, Coords: l.coords, WantReply: r.ask,
		Digest: digest, Have: have, DeadRefs: m.links.Hints(to, e.Now()),
	})
}

func (m *Member) leafRefs() (refs []byte) {
	for _, id := range m.tables.Leaves.All() {
		refs = wire.AppendRef(refs, m.book.ref(id))
	}
	return refs
}

// patienceWithNew is what share of its age a new member waits between two exchanges.
const patienceWithNew = 4

// schedule sets the timer of an exchange: sooner while the tables still fill, and ever less
// so as time passes; later when nothing changes or the last ones were not answered (design §6).
func (m *Member) schedule(e env.Env, what uint8, period time.Duration) {
	soonest := period / time.Duration(m.cfg.Eager)
	if age := e.Now().Sub(m.activated); m.partition.merging(e.Now()) {
		period = soonest
	} else if age < m.cfg.EagerFor {
		period = min(max(age/patienceWithNew, soonest), period)
	} else if what == timerLeaf {
		period = m.lists[leafList].stretch(e.Now(), period, m.cfg.Stretch)
	} else {
		period = m.lists[rowList].stretch(e.Now(), period, m.cfg.Stretch)
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
	open := m.hear(e, from, s.Refs, s.Coords)
	m.vouch(e, from, s)
	m.hint(e, from, s.DeadRefs)
	a := arrival{from, leafList, s.Digest, s.Have, s.Whole() && !open}
	if lacking := m.received(a); m.phase != Idle && (s.WantReply || lacking) {
		m.sendLeaves(e, from, answering)
	}
}

// OnRow takes a neighbor's row as candidates.
func (m *Member) OnRow(e env.Env, from idspace.ID, r *wire.Row) {
	open := m.hear(e, from, r.Refs, r.Coords)
	m.hint(e, from, r.DeadRefs)
	lacking := false
	if int(r.Level) == m.tables.Space.CommonPrefix(m.tables.Self, from) {
		lacking = m.received(arrival{from, rowList, r.Digest, r.Have, r.Whole() && !open})
	}
	if m.phase != Idle && (r.WantReply && int(r.Level) < m.tables.Space.Digits() || lacking) {
		m.sendRow(e, from, rowOf{level: int(r.Level)})
	}
}

// hint has heartbeat look after those that a neighbor says are dead.
func (m *Member) hint(e env.Env, from idspace.ID, dead []byte) {
	if len(dead) > 0 {
		e.Post(&env.Hints{From: from, Refs: dead})
	}
}

// hear takes hearsay: known nodes go to the gate if there is room for them, of one
// more it is measured whether it is nearer than somebody, and the records of strangers are
// asked for that are wanted, or would be if they are where they are said to be. It reports
// whether any were.
func (m *Member) hear(e env.Env, from idspace.ID, packed, coords []byte) (asked bool) {
	m.consider(e, from)
	var strangers []byte
	var redundant []*page
	for i, r := range wire.Refs(packed) {
		p, coord := m.book.resolve(r), wire.CoordAt(coords, i)
		m.said(e, p, coord)
		switch {
		case p == nil && (m.want(r.Guess()) != wire.Use_USE_NONE || m.promising(r.Guess(), coord)):
			strangers = wire.AppendRef(strangers, r)
		case p == nil || p.id == m.tables.Self:
		case wire.RefTo(p.id, p.stamp.Generation) != r:
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
	return len(strangers) > 0
}

// OnRecordRequest lends the records that a neighbor asks for.
func (m *Member) OnRecordRequest(e env.Env, from idspace.ID, q *wire.RecordRequest) {
	var records []*wire.SignedRecord
	var coords []byte
	for _, r := range wire.Refs(q.Refs) {
		if p := m.book.resolve(r); p != nil && len(records) < wire.MaxRecords {
			records = append(records, p.record)
			coords = m.appendCoord(coords, p.id)
		}
	}
	e.Send(from, &wire.Records{Records: records, Coords: coords})
}

// OnRecords takes records, which the world has verified, as candidates.
func (m *Member) OnRecords(e env.Env, from idspace.ID, r *wire.Records) {
	m.learnAt(e, r.Records, r.Coords)
}

// OnHello takes the record of a peer that opened a link. A peer that has heard that its
// record is known here leaves it out.
func (m *Member) OnHello(e env.Env, from idspace.ID, h *wire.Hello) {
	m.book.unbury(from) // the dead open no connections
	p := m.book.find(from)
	switch {
	case h.Record != nil:
		m.learn(e, []*wire.SignedRecord{h.Record})
	case p != nil:
		m.consider(e, from)
	}
}

func (m *Member) learn(e env.Env, records []*wire.SignedRecord) { m.learnAt(e, records, nil) }

// learnAt is learn of nodes that are said to be somewhere: all are noted before the first
// is considered, so that the nearest come first.
func (m *Member) learnAt(e env.Env, records []*wire.SignedRecord, coords []byte) {
	var candidates []*page
	for i, record := range records {
		id, err := m.note(e, record)
		if err != nil {
			e.Emit(&env.Dropped{Why: "node record: " + err.Error()})
			continue
		}
		p := m.book.find(id)
		m.said(e, p, wire.CoordAt(coords, i))
		candidates = append(candidates, p)
	}
	m.rank(e, candidates)
	for _, p := range candidates {
		m.consider(e, p.id)
	}
}
