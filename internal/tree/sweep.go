package tree

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// sweep is how far a look at all pointers has come. It walks Store from the end to
// the beginning, because a removal moves the last pointer into the gap.
type sweep struct {
	at   int // the pointer looked at last
	left int // pointers still to be looked at
}

// OnChanged hides the pointers of servers found dead, tells those who hold some of them from
// here, and looks for pointers whose next hop is now another. A neighbor that is merely
// suspected moves nothing. One that was found dead and has answered since lives: its next token,
// which says so to those who do not hear it themselves, may be half a minute away.
func (k *Keeper) OnChanged(e env.Env, m *env.Changed) {
	for _, dead := range m.Dead {
		k.bury(e, dead)
	}
	for _, added := range m.Added {
		if sv := k.Store.Server(wire.ServerRefTo(added)); sv != nil && sv.ID == added {
			k.revive(e, sv, e.Now())
		}
	}
	for _, h := range slices.Clone(k.handOvers) {
		if slices.Contains(m.Removed, h.to) {
			k.endHandOver(e, h)
		}
	}
	if len(m.Added)+len(m.Removed) > 0 {
		k.startSweep(e)
	}
	k.flush(e)
}

// OnActivated is told when this node has become a member.
func (k *Keeper) OnActivated(e env.Env) {
	k.leaving = false
	k.startSweep(e)
}

// startSweep looks at every pointer's next hops soon, a portion at a time. A change
// during a sweep makes it go once around from where it is, so that no end of the
// store starves; what a removal moves out of its sight waits for the next.
func (k *Keeper) startSweep(e env.Env) {
	if k.sweep.left = k.Store.Len(); k.sweep.left > 0 && !k.leaving {
		k.arm(e, timerSweep, e.Now().Add(k.cfg.Settle))
	}
}

// onSweep looks at a portion.
func (k *Keeper) onSweep(e env.Env) {
	for budget := k.cfg.Portion; budget > 0 && k.sweep.left > 0; budget-- {
		if k.sweep.at = min(k.sweep.at, k.Store.Len()); k.sweep.at == 0 {
			k.sweep.at = k.Store.Len()
		}
		if k.sweep.at == 0 {
			k.sweep.left = 0
			break
		}
		k.sweep.at--
		k.sweep.left--
		k.look(e, k.Store.At(k.sweep.at))
	}
	for _, h := range k.handOvers {
		k.goOn(e, h)
	}
	if k.sweep.left > 0 || slices.ContainsFunc(k.handOvers, func(h *handOver) bool { return h.left > 0 }) {
		k.arm(e, timerSweep, e.Now().Add(step))
	}
	k.settleHandOvers(e)
}

// look lays a pointer where its paths lead now.
func (k *Keeper) look(e env.Env, p *pointers.Pointer) {
	if p.State == pointers.Dead || p.Until() <= e.Now() {
		return
	}
	for _, l := range slices.Clone(p.Laid()) {
		if b := l.Branch(); b != nil && !b.Out && b.Copy == wire.Copy_COPY_PATH {
			k.redirect(e, p, l.Salt, l.Roots)
		}
	}
}

// handOver is the pointers on their way to a node whose insertion has made them its own.
type handOver struct {
	to    idspace.ID // zero: to the heirs of this node, which leaves
	left  int        // pointers still to be looked at; a removal moves one that was looked at into the gap
	until mono.Time
}

// OnHandOver brings to a node what its insertion has made its own, or to its heirs what is
// this node's when it leaves (JSAC §III-C; design §6), and posts HandedOver when all of it
// is there or it has taken too long. Pointers that went that way before go again: the node may
// have been started anew.
func (k *Keeper) OnHandOver(e env.Env, m *env.HandOver) {
	i := slices.IndexFunc(k.handOvers, func(h *handOver) bool { return h.to == m.To })
	if i < 0 {
		i = len(k.handOvers)
		k.handOvers = append(k.handOvers, &handOver{to: m.To})
	}
	k.leaving = k.leaving || m.To.IsZero()
	h := k.handOvers[i]
	h.left, h.until = k.Store.Len(), e.Now().Add(k.cfg.GiveUp)
	if l := k.known(m.To); l != nil {
		for _, b := range l.branches {
			b.Known = pointers.Introduction{}
		}
	}
	if k.goOn(e, h); h.left > 0 {
		k.arm(e, timerSweep, e.Now().Add(step))
	}
	k.flush(e)
	k.settleHandOvers(e)
}

// goOn looks at the next portion.
func (k *Keeper) goOn(e env.Env, h *handOver) {
	for budget := k.cfg.Portion; budget > 0 && h.left > 0; budget-- {
		if h.left = min(h.left, k.Store.Len()) - 1; h.left < 0 {
			h.left = 0
			break
		}
		p := k.Store.At(h.left)
		k.look(e, p)
		for _, l := range p.Laid() {
			if l.Branch().Peer == h.to {
				k.enqueue(l)
			}
		}
	}
}

// settleHandOvers ends the hand-overs of which nothing is under way any more.
func (k *Keeper) settleHandOvers(e env.Env) {
	for _, h := range slices.Clone(k.handOvers) {
		if e.Now() >= h.until || h.left == 0 && !k.busy(h) {
			k.endHandOver(e, h)
		}
	}
	for _, h := range k.handOvers {
		k.arm(e, timerSweep, h.until)
	}
}

// busy reports whether something of a hand-over is still to be sent or confirmed.
func (k *Keeper) busy(h *handOver) bool {
	return slices.ContainsFunc(k.links, func(l *link) bool {
		return (l.peer == h.to || h.to.IsZero()) && (len(l.queue) > 0 || l.flight != nil)
	})
}

func (k *Keeper) endHandOver(e env.Env, h *handOver) {
	k.handOvers = slices.DeleteFunc(k.handOvers, func(o *handOver) bool { return o == h })
	e.Post(&env.HandedOver{To: h.to})
}

// notice tells those who hold pointers of a server from here that it is dead.
func (k *Keeper) notice(sv *pointers.Server) {
	ref := wire.ServerRefTo(sv.ID)
	var told []idspace.ID
	for _, b := range sv.Branches() {
		if !b.Out || slices.Contains(told, b.Peer) {
			continue
		}
		told = append(told, b.Peer)
		if l := k.link(b.Peer); len(l.dead) < maxNotices*len(ref) {
			l.dead = append(l.dead, ref[:]...)
		}
	}
}

// maxNotices is how many servers a neighbor is told at once to be dead.
const maxNotices = 256

// onNotice has the pointers of a server offered last that somebody says to be dead, who has laid
// some of them here. It is not signed: the next token undoes it, and whom two have refuted is
// not heard any more.
func (k *Keeper) onNotice(e env.Env, from idspace.ID, ref wire.ServerRef) {
	sv := k.Store.Server(ref)
	if sv != nil && sv.LaidBy(from) && k.Store.Doubt(sv, from, e.Now()) {
		k.notice(sv)
	}
}
