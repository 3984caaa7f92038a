package membership

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// lostNode is a neighbor that was found dead and has not said goodbye. Perhaps it is the
// network between us that died, so that it is looked for again and again.
type lostNode struct {
	id     idspace.ID
	record *wire.SignedRecord // the book may have forgotten it
	at     mono.Time          // when it was found dead
	tries  int                // how often it has been looked for since
	due    mono.Time          // when to look for it again
}

// lostList holds the neighbors lost lately, oldest first.
type lostList []lostNode

// add remembers a neighbor that was found dead.
func (l *lostList) add(n lostNode, most int) {
	l.drop(n.id)
	if len(*l) >= most {
		*l = slices.Delete(*l, 0, 1)
	}
	*l = append(*l, n)
}

// drop forgets a neighbor that is back.
func (l *lostList) drop(id idspace.ID) {
	*l = slices.DeleteFunc(*l, func(n lostNode) bool { return n.id == id })
}

// expire forgets those that were lost too long ago.
func (l *lostList) expire(now mono.Time, after time.Duration) {
	*l = slices.DeleteFunc(*l, func(n lostNode) bool { return now.Sub(n.at) > after })
}

// since counts those that were lost not longer ago than d.
func (l *lostList) since(now mono.Time, d time.Duration) (count int) {
	for i := range *l {
		if now.Sub((*l)[i].at) <= d {
			count++
		}
	}
	return count
}

// next picks the one that was looked for least often, the one lost last of several.
func (l *lostList) next() *lostNode {
	var best *lostNode
	for i := range *l {
		if n := &(*l)[i]; best == nil || n.tries <= best.tries {
			best = n
		}
	}
	return best
}

// bury leaves a tombstone for a node that was found dead: hearsay of it is ignored. A word
// of its own lifts it: an answered probe, a record that is newer, a link it opens to use
// this node.
func (b *book) bury(id idspace.ID, until mono.Time) {
	if p := b.find(id); p != nil {
		p.buried, p.notBefore, p.restsAs = true, max(p.notBefore, until), anyUse
	}
}

// unbury lifts the tombstone of one node.
func (b *book) unbury(id idspace.ID) {
	if p := b.find(id); p != nil && p.buried {
		p.buried, p.notBefore = false, 0
	}
}

// OnMet takes the verdict on a node that another machine has asked for, or that was given up when its answer
// came: one that was found dead or out of reach, and answers, is a candidate again.
func (m *Member) OnMet(e env.Env, v *env.Verdict) {
	p := m.book.find(v.Peer)
	if _, away := m.away[v.Peer]; v.Alive && p != nil && (p.buried || away) {
		m.book.avoid(v.Peer, 0)
		m.consider(e, v.Peer)
	}
}

// unburyAll lifts all tombstones: whoever was found dead may have been cut off.
func (b *book) unburyAll() {
	for _, p := range b.order {
		if p.buried {
			p.buried, p.notBefore = false, 0
		}
	}
}

// lose takes note of a neighbor that is gone: one that was found dead is looked for, and
// not taken on hearsay; and if nobody is left, this node no longer knows who is root.
func (p *partition) lose(e env.Env, d *env.Down) {
	switch d.Why {
	case env.Left:
		p.lost.drop(d.Peer)
		p.m.book.avoid(d.Peer, e.Now().Add(p.m.cfg.Forgotten))
		return
	case env.Unlinked:
		return
	}
	if page := p.m.book.find(d.Peer); page != nil {
		p.lost.add(lostNode{id: d.Peer, record: page.record, at: e.Now()}, p.cfg.Lost)
	}
	if d.Why == env.CutOff {
		return // it lives
	}
	p.m.book.bury(d.Peer, e.Now().Add(p.cfg.Buried))
	if p.m.phase == Active && p.alone() && p.lost.since(e.Now(), p.cfg.Alone) >= fewMembers {
		p.becomeLonely(e)
	}
}

// fewMembers is how many members an overlay may have whose last one does not wonder: of
// three, two may well crash. Who has lost as many has known more.
const fewMembers = 3

func (p *partition) alone() bool {
	return len(p.m.tables.Leaves.All()) == 0 && len(p.m.tables.Map.All()) == 0
}

// becomeLonely stops this node from answering as root: it is likelier that it was cut off
// than that everybody has died. It looks for the others at once (design §6, partitions).
func (p *partition) becomeLonely(e env.Env) {
	p.lonely = true
	p.m.router.Doubt()
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerAlone}, p.cfg.Alone)
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerProbe}, env.Jitter(e, p.cfg.Eager/2))
}

// endLoneliness lets this node answer as root again: somebody is there, or nobody was found.
func (p *partition) endLoneliness(e env.Env) {
	if p.lonely {
		p.lonely = false
		p.m.trust()
		e.StopTimer(env.TimerKey{Room: env.Membership, What: timerAlone})
	}
}

// admitted notes that a table has taken a node. In a merge it may be a stranger, by way of
// whom this node finds its place on the other side.
func (p *partition) admitted(e env.Env, id idspace.ID) {
	p.lost.drop(id)
	p.endLoneliness(e)
	if now := e.Now(); p.merging(now) && now.Sub(p.met) > p.cfg.Doubt && now.Sub(p.sent) > p.cfg.Doubt/10 {
		p.askPast(e, id) // he knows this node already
	}
}
