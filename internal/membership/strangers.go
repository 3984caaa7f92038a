package membership

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// doubting is the time in which two overlays become one: roots move before the pointers
// do, so that nobody may say of anything that it is absent (design §6, partitions).
type doubting struct {
	until  mono.Time
	budget time.Duration // what is left to be believed of others' word, since
	since  mono.Time
}

const (
	// hearsayDoubt is for how long in each hearsaySpan others can make this node doubt:
	// two minutes are what a merge may take. A liar gets no more than that.
	hearsayDoubt = 2 * time.Minute
	hearsaySpan  = 10 * time.Minute
)

// grant says how much of a claimed doubt is believed now.
func (d *doubting) grant(now mono.Time, claimed time.Duration) time.Duration {
	if d.since == 0 || now.Sub(d.since) > hearsaySpan {
		d.since, d.budget = now, hearsayDoubt
	}
	more := max(now.Add(claimed).Sub(max(d.until, now)), 0)
	if more > d.budget {
		return 0
	}
	d.budget -= more
	return claimed
}

// meet begins the merge with an overlay that this node did not know of: it doubts, tells
// everybody it knows that strangers are there, and looks again for whom it has lost. The
// strangers themselves go through the gate like anybody.
func (p *partition) meet(e env.Env, records []*wire.SignedRecord) {
	p.begetDoubt(e, p.cfg.Doubt)
	for _, record := range records {
		if node, err := record.Node(); err == nil {
			p.m.book.unbury(node.ID())
		}
	}
	p.tell(e, p.neighbors())
}

// begetDoubt makes this node doubt for a while from now on.
func (p *partition) begetDoubt(e env.Env, span time.Duration) {
	p.doubt.until = max(p.doubt.until, e.Now().Add(span))
	e.Post(&env.Strangers{Until: p.doubt.until})
	p.m.book.unburyAll()
	for i := range p.lost {
		p.remember(e, &p.lost[i])
		p.m.book.unbury(p.lost[i].id)
		p.m.consider(e, p.lost[i].id)
	}
	// Exchanges tell the neighbors of the strangers: not in their own good time.
	p.m.schedule(e, timerLeaf, p.m.cfg.LeafPeriod)
	p.m.schedule(e, timerRow, p.m.cfg.RowPeriod)
}

// merging reports whether tables fill with strangers now.
func (p *partition) merging(now mono.Time) bool { return now < p.doubt.until }

// neighbors lists everybody in a table, in order of ID.
func (p *partition) neighbors() (ids []idspace.ID) {
	ids = slices.Clone(p.m.tables.Leaves.All())
	for _, n := range p.m.tables.Map.All() {
		ids = append(ids, n.ID)
	}
	slices.SortFunc(ids, idspace.Compare)
	return slices.Compact(ids)
}

// tell says to others that strangers are there.
func (p *partition) tell(e env.Env, whom []idspace.ID) {
	left := p.doubt.until.Sub(e.Now())
	for _, id := range whom {
		e.Send(id, &wire.Strangers{LeftMs: uint32(left / time.Millisecond)})
	}
}

// OnStrangers takes a neighbor's word that strangers are there. It is passed on, with what
// is left of the time, so that all of both overlays doubt before the first pointer is in
// the wrong place; and soon this node looks for itself.
func (m *Member) OnStrangers(e env.Env, from idspace.ID, s *wire.Strangers) {
	p := m.partition
	left := min(time.Duration(s.LeftMs)*time.Millisecond, p.cfg.Doubt)
	if m.phase != Active || e.Now().Add(left).Sub(max(p.doubt.until, e.Now())) < p.cfg.Doubt/2 {
		return // it is known, or nearly over
	}
	if left = p.doubt.grant(e.Now(), left); left == 0 {
		e.Emit(&env.Dropped{Why: "strangers too often", Peer: from})
		return
	}
	p.begetDoubt(e, left)
	p.tell(e, slices.DeleteFunc(p.neighbors(), func(id idspace.ID) bool { return id == from }))
	if e.Now().Sub(p.sent) > p.cfg.Doubt {
		e.SetTimer(env.TimerKey{Room: env.Membership, What: timerProbe}, env.Jitter(e, p.cfg.Doubt/5))
	}
}
