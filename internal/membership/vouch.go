package membership

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
)

// What leaf-set messages vouch for makes the covered span (design §3; findings A.9): a
// member says with its list how far its own span reaches. What was put into the leaf set
// from the map, or by a joining node, is vouched for by nobody.

// claims is how far this node's span reaches, as it tells others: one more than the members
// on either side, 0 before it is a member.
func (m *Member) claims() (up, down uint32) {
	if m.phase != Active {
		return 0, 0
	}
	u, d := m.tables.Leaves.Span()
	return uint32(u) + 1, uint32(d) + 1
}

// vouch takes what a leaf-set message says of the ring around its sender. A digest alone
// speaks of the list that came last.
func (m *Member) vouch(e env.Env, from idspace.ID, msg *wire.LeafSet) {
	refs := msg.Refs
	if s := m.swapWith(from, leafList); s != nil {
		if msg.Whole() {
			s.refs = msg.Refs
		}
		refs = s.refs
	}
	if wire.Digest(refs) != msg.Digest || msg.Up == 0 || msg.Down == 0 {
		return
	}
	c := &leafset.Claim{Of: from, Up: from, Down: from, Named: m.meant(refs)}
	c.Reach(int(msg.Up-1), int(msg.Down-1), m.tables.Self)
	c.Named = slices.DeleteFunc(c.Named, func(id idspace.ID) bool { return !m.holds(id) && m.buried(e, id) })
	m.tables.Leaves.Vouch(c)
	m.denied(e, c)
	for _, id := range c.Named {
		if id != m.tables.Self && !m.tables.Leaves.Has(id) {
			m.tables.Leaves.Doubt(id) // it is wanted, and comes through the gate if it lives
		}
	}
}

// denied has those members looked after of whom somebody vouches that they do not live: it may have noticed sooner
// than this node, whose beacons are few, or not have heard of them yet.
func (m *Member) denied(e env.Env, c *leafset.Claim) {
	var refs []byte
	for _, id := range m.tables.Leaves.All() {
		if !m.tables.Leaves.Suspected(id) && c.Denies(id) {
			refs = wire.AppendRef(refs, m.book.ref(id))
		}
	}
	if len(refs) > 0 {
		e.Post(&env.Hints{From: c.Of, Refs: refs, Silent: true})
	}
}

// meant lists whom short references mean; of strangers the first digits are right.
func (m *Member) meant(refs []byte) (ids []idspace.ID) {
	for _, r := range wire.Refs(refs) {
		if p := m.book.resolve(r); p != nil {
			ids = append(ids, p.id)
		} else {
			ids = append(ids, r.Guess())
		}
	}
	return ids
}

// partner draws whom to exchange leaf sets with: one time in two, while not all members are
// vouched for, the one who can say what comes after the span.
func (m *Member) partner(e env.Env, alive []neighbormap.Neighbor) (idspace.ID, bool) {
	if l := m.tables.Leaves; !l.Complete() && e.Rand().IntN(2) == 0 {
		if id := l.Edge(); !l.Suspected(id) {
			return id, true
		}
	}
	return m.randomOf(e, alive)
}

// buried reports whether this node has itself found id dead, lately.
func (m *Member) buried(e env.Env, id idspace.ID) bool {
	p := m.book.find(id)
	return p != nil && p.buried && e.Now().Before(p.notBefore)
}

// OnNamed takes somebody whom a witness names to the gate, whatever the tables want.
func (m *Member) OnNamed(e env.Env, n *env.Named) {
	id, err := m.note(e, n.Record)
	_, probed := m.gate.probing[id]
	switch {
	case err != nil:
		e.Emit(&env.Dropped{Why: "node record: " + err.Error()})
	case m.holds(id):
		e.Post(&env.Judged{Peer: id, Alive: true})
	case m.buried(e, id) || m.phase != Active:
		e.Post(&env.Judged{Peer: id})
	case m.reachedBy(e, id) != idspace.ID{}:
		e.Post(&env.Judged{Peer: id, Alive: true, By: m.reachedBy(e, id)})
	case probed:
		m.gate.named[id] = true
	default:
		m.gate.named[id] = true
		m.probe(e, id, wire.Use_USE_STARVED)
	}
}

// judged tells the witness what the gate has found out about somebody who was named.
func (m *Member) judged(e env.Env, v *env.Verdict) {
	if m.gate.named[v.Peer] {
		delete(m.gate.named, v.Peer)
		e.Post(&env.Judged{Peer: v.Peer, Alive: v.Alive || !v.By.IsZero(), By: v.By})
	}
}
