package tree

import (
	"fmt"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// LinkCount is to how many nodes a Keeper has a link.
func (k *Keeper) LinkCount() int { return len(k.links) }

// CheckLinks verifies that the links name each branch that leaves this node once, and nothing else
// but empty ones; and that each will be told sooner or later.
func (k *Keeper) CheckLinks() error {
	for i, l := range k.links {
		if i > 0 && l.peer == k.links[i-1].peer {
			return fmt.Errorf("two links to %s", l.peer.Short())
		}
		for j, b := range l.branches {
			if b.Peer != l.peer || !b.Out {
				return fmt.Errorf("link to %s has a branch to %s", l.peer.Short(), b.Peer.Short())
			}
			for _, o := range l.branches[:j] {
				if o == b || o.Server == b.Server && o.Copy == b.Copy {
					return fmt.Errorf("link to %s has a branch twice", l.peer.Short())
				}
			}
			if b.Len() == 0 && l.due == never {
				return fmt.Errorf("nobody tells %s that nothing is laid there", l.peer.Short())
			}
		}
		if l.due < never || l.flight != nil {
			if k.armed[timerLinks] == 0 {
				return fmt.Errorf("no timer for the link to %s", l.peer.Short())
			}
		}
	}
	return nil
}

// MaxPart is how many bytes a part takes at most.
const MaxPart = maxPart

// Pack is what would travel of some pointers of one branch.
func (k *Keeper) Pack(e env.Env, laid []*pointers.Laid) (parts []*wire.BatchPart) {
	b := &bundle{server: laid[0].Server, copy: laid[0].Branch().Copy}
	for _, l := range laid {
		b.add(l, l.Pointer, l.Salt, l.Roots)
	}
	for _, p := range b.parts {
		for _, part := range k.pieces(e, p) {
			parts = append(parts, part)
		}
	}
	return parts
}

// Owed is how many answers a Keeper owes, and for how many it waits.
func (k *Keeper) Owed() (duties, asks int) { return len(k.duties), len(k.asks) }

// CheckDuties verifies that each duty counts what is waited for on its behalf: what waits to be sent, or was sent and is asked about.
func (k *Keeper) CheckDuties() error {
	left := make(map[uint64]int)
	seen := make(map[*pointers.Laid]bool)
	count := func(l *pointers.Laid) {
		if l.Duty != 0 && !seen[l] {
			seen[l] = true
			left[l.Duty]++
		}
	}
	for _, l := range k.links {
		for _, q := range l.queue {
			count(q.laid)
		}
	}
	for _, a := range k.asks {
		for _, l := range a.laid {
			if l.Ask == a.id {
				count(l)
			}
		}
	}
	for _, s := range k.servings {
		left[s.duty]++
	}
	for id, d := range k.duties { // unordered: any finding will do
		if d.left != left[id] || d.left == 0 {
			return fmt.Errorf("duty %d to %s: %d left, %d found", id, d.to.Short(), d.left, left[id])
		}
	}
	if len(k.asks) > 0 && k.armed[timerAsks] == 0 {
		return fmt.Errorf("no timer for %d asks", len(k.asks))
	}
	return nil
}
