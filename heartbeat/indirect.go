package heartbeat

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Links are not transitive: a node that does not answer this one may answer others, and is
// not dead then. That matters where missing it makes a wrong root, in the leaf set and where
// it is the only one of its slot: along with the last beacon to such a node, some neighbors
// are asked to try (SWIM's indirect probes; design §7).

// inquiry is a question to others under way.
type inquiry struct {
	seq   uint64       // names it, 0 if nobody was asked
	asked []idspace.ID // who has not answered yet
	by    idspace.ID   // who says that the node lives, zero if nobody has
}

// inquire asks others about a node that this one must not miss, unless its death is confirmed.
func (m *Monitor) inquire(e env.Env, id idspace.ID, w *watch) {
	if !m.essential(id, w) || w.vouched() || w.doubt != nil && len(w.doubt.confirmed) > 0 {
		return
	}
	helpers := m.helpers(id)
	if len(helpers) == 0 {
		return
	}
	d := w.doubts()
	m.closeInquiry(d)
	d.inquiry = inquiry{seq: e.Rand().Uint64() | 1, asked: helpers}
	m.inquiries[d.inquiry.seq] = id
	for _, h := range helpers {
		e.Send(h, &wire.IndirectProbe{Seq: d.inquiry.seq, Target: id[:]})
	}
}

// vouched reports whether somebody who was asked says that the node lives.
func (w *watch) vouched() bool { return w.doubt != nil && !w.doubt.by.IsZero() }

func (m *Monitor) essential(id idspace.ID, w *watch) bool {
	if l := m.links.Link(id); l != nil && l.Mine >= wire.Use_USE_SOLE {
		return true
	}
	return slices.ContainsFunc(w.asks, func(p env.Probe) bool { return p.Use >= wire.Use_USE_SOLE })
}

// helpers picks those who most likely have a link to a node: its neighbors on the ring, and
// those who share most digits with it.
func (m *Monitor) helpers(id idspace.ID) (ids []idspace.ID) {
	if m.cfg.Helpers <= 0 {
		return nil
	}
	able := slices.DeleteFunc(slices.Clone(m.links.All()), func(l *links.Link) bool {
		return l.ID == id || l.Suspect || l.Mutual() == wire.Use_USE_NONE
	})
	slices.SortStableFunc(able, func(a, b *links.Link) int {
		return idspace.Compare(idspace.Apart(a.ID, id), idspace.Apart(b.ID, id))
	})
	for _, l := range able[:min(len(able), m.cfg.Helpers)] {
		ids = append(ids, l.ID)
	}
	return ids
}

// detour is how much longer the last beacon of a series waits, for the word of those who were
// asked: theirs goes by two links. At the gate it waits long enough as it is.
func (m *Monitor) detour(w *watch) (longest time.Duration) {
	if w.doubt == nil || len(w.asks) > 0 {
		return 0
	}
	for _, h := range w.doubt.inquiry.asked {
		longest = max(longest, m.allowed(h))
	}
	return longest
}

// giveUp ends a series that was not answered: the node is dead, or lives for others alone.
func (m *Monitor) giveUp(e env.Env, id idspace.ID, w *watch) {
	if w.vouched() {
		m.dead(e, id, env.Down{Why: env.CutOff, By: w.doubt.by})
		return
	}
	m.dead(e, id, env.Down{Why: env.Dead})
}

// OnIndirectAck takes the word of somebody who was asked.
func (m *Monitor) OnIndirectAck(e env.Env, from idspace.ID, a *wire.IndirectAck) {
	id, open := m.inquiries[a.Seq]
	if !open {
		return // it comes too late
	}
	w := m.watches.Of(id)
	d := w.doubt
	at := slices.Index(d.asked, from)
	if at < 0 {
		return
	}
	d.asked = slices.Delete(d.asked, at, at+1)
	switch a.Finding {
	case wire.Finding_FINDING_ALIVE:
		d.by = from
	case wire.Finding_FINDING_DEAD:
		m.confirm(id, from)
		if !w.vouched() && w.tries >= m.enough(id, w) {
			m.giveUp(e, id, w)
		}
	}
}

func (m *Monitor) closeInquiry(d *doubt) {
	if d.inquiry.seq != 0 {
		delete(m.inquiries, d.inquiry.seq)
	}
}

// favor is a question of somebody else about a node.
type favor struct {
	from idspace.ID
	seq  uint64
}

// mostFavors bounds how many wait for word of one node; nobody grows memory by asking.
const mostFavors = 16

// OnIndirectProbe probes a neighbor for somebody else. About a stranger nothing is known, and
// nobody is dialed.
func (m *Monitor) OnIndirectProbe(e env.Env, from idspace.ID, p *wire.IndirectProbe) {
	id, answer := wire.ID(p.Target), wire.Finding_FINDING_UNKNOWN
	if l := m.links.Link(id); l != nil && l.Mutual() != wire.Use_USE_NONE && id != from && m.links.Linked(from) {
		w := m.watch(id)
		if d := w.doubts(); len(d.favors) < mostFavors {
			d.favors = append(d.favors, favor{from, p.Seq})
			if w.seq == 0 {
				w.tries = 0
				m.try(e, id, w)
			}
			return
		}
	} else if m.links.Mourned(id, e.Now()) {
		answer = wire.Finding_FINDING_DEAD
	}
	e.Send(from, &wire.IndirectAck{Seq: p.Seq, Finding: answer})
}

// tellAll tells everybody who has asked about a node what was found, and forgets the doubt.
func (m *Monitor) tellAll(e env.Env, w *watch, f wire.Finding) {
	if w.doubt == nil {
		return
	}
	favors := w.doubt.favors
	m.closeInquiry(w.doubt)
	w.doubt = nil
	for _, x := range favors {
		e.Send(x.from, &wire.IndirectAck{Seq: x.seq, Finding: f})
	}
}
