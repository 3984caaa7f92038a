package tree

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// passed notes where a pointer goes on to that has come with a routed request, which goes there
// itself unless somebody stands in for the hop that the path has.
func (k *Keeper) passed(e env.Env, r pointers.Result, o offer, next idspace.ID) {
	p, changed := r.Pointer, r.Kind != pointers.Same
	hop := k.course(p, o.salt, o.roots)
	switch {
	case hop.Wait:
	case hop.To == k.cfg.Self:
		k.settleAtRoot(e, p, o.salt, o.roots, changed)
	default:
		laid, fresh := k.onward(e, p, hop.To, o.salt, o.roots)
		if fresh || changed {
			k.soon(e, k.link(hop.To))
		}
		if hop.To != next {
			k.enqueue(laid)
		}
	}
	k.beside(e, p, o.salt, o.roots, changed)
	if changed {
		k.spreadBeside(p)
	}
}

// received passes on what a neighbor has laid here.
func (k *Keeper) received(e env.Env, r pointers.Result, o offer) {
	if o.copy == wire.Copy_COPY_PATH {
		k.redirect(e, r.Pointer, o.salt, o.roots)
	}
	if r.Kind == pointers.Renewed {
		k.spread(r.Pointer)
	}
}

// spread sends a pointer to everybody to whom it was laid.
func (k *Keeper) spread(p *pointers.Pointer) {
	for _, l := range p.Laid() {
		k.enqueue(l)
	}
}

// spreadBeside sends it to those who are not on a path: a request of its server's follows each path.
func (k *Keeper) spreadBeside(p *pointers.Pointer) {
	for _, l := range p.Laid() {
		if l.Branch().Copy != wire.Copy_COPY_PATH {
			k.enqueue(l)
		}
	}
}

// redirect lays a pointer at the next hop of one of its paths, if that is now another than it was
// (JSAC §III-C, object pointer redistribution), and reports whether it was.
func (k *Keeper) redirect(e env.Env, p *pointers.Pointer, salt, roots int) bool {
	hop := k.course(p, salt, roots)
	fresh := false
	switch {
	case hop.Wait:
	case hop.To == k.cfg.Self:
		fresh = k.settleAtRoot(e, p, salt, roots, false)
	default:
		var l *pointers.Laid
		if l, fresh = k.onward(e, p, hop.To, salt, roots); fresh {
			k.enqueue(l)
		}
	}
	return k.beside(e, p, salt, roots, false) || fresh
}

func (k *Keeper) course(p *pointers.Pointer, salt, roots int) surrogate.Hop {
	return k.Tables.Course(k.cfg.Space.Salted(p.GUID, salt, roots))
}

// onward notes that a path goes on to another node. This node is not its root: it has no heirs.
func (k *Keeper) onward(e env.Env, p *pointers.Pointer, to idspace.ID, salt, roots int) (l *pointers.Laid, fresh bool) {
	k.only(e, p, wire.Copy_COPY_HEIR, salt, roots, nil)
	return k.at(e, p, to, wire.Copy_COPY_PATH, salt, roots)
}

// settleAtRoot notes that a path ends here, and lays the pointer at the heirs.
func (k *Keeper) settleAtRoot(e env.Env, p *pointers.Pointer, salt, roots int, changed bool) (fresh bool) {
	if old := p.Onward(salt, roots); old != nil {
		k.conclude(e, old, arrived)
		k.takeOff(e, old)
	}
	heirs := k.Tables.Heirs(k.cfg.Space.Salted(p.GUID, salt, roots), k.cfg.Heirs)
	return k.only(e, p, wire.Copy_COPY_HEIR, salt, roots, heirs) || changed && len(heirs) > 0
}

// beside lays what this node serves itself at others that stand where the first hop of a path
// does, and next to itself (design §8, Near).
func (k *Keeper) beside(e env.Env, p *pointers.Pointer, salt, roots int, changed bool) bool {
	if p.Server.ID != k.cfg.Self {
		return false
	}
	fresh := k.only(e, p, wire.Copy_COPY_BACKUP, salt, roots, k.backups(k.course(p, salt, roots)))
	if salt == 0 {
		fresh = k.only(e, p, wire.Copy_COPY_NEAR, salt, roots, k.Router.Near(k.cfg.Space.Salted(p.GUID, salt, roots))) || fresh
	}
	return fresh || changed
}

// backups are the next nodes of the slot of a first hop.
func (k *Keeper) backups(hop surrogate.Hop) (ids []idspace.ID) {
	if hop.Rule != wire.Rule_RULE_SLOT {
		return nil
	}
	for _, n := range k.Tables.Map.Slot(hop.Level, hop.Digit) {
		if n.ID != hop.To && len(ids) < k.cfg.Backups {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// only makes sure that the copies of a kind, under one salt, lie with those wanted and with
// nobody else. It reports whether somebody has to be sent one.
func (k *Keeper) only(e env.Env, p *pointers.Pointer, copy wire.Copy, salt, roots int, wanted []idspace.ID) (fresh bool) {
	for _, l := range slices.Clone(p.Laid()) {
		b := l.Branch()
		if b.Out && b.Copy == copy && l.Salt == salt && l.Roots == roots && l.Ends == 0 && !slices.Contains(wanted, b.Peer) {
			k.takeOff(e, l)
		}
	}
	for _, id := range wanted {
		if l, isNew := k.at(e, p, id, copy, salt, roots); isNew {
			k.enqueueLater(e, l)
			fresh = true
		}
	}
	return fresh
}

// at notes that a pointer is laid at a node. Where it was laid before for the same path, it is
// taken off.
func (k *Keeper) at(e env.Env, p *pointers.Pointer, to idspace.ID, copy wire.Copy, salt, roots int) (l *pointers.Laid, fresh bool) {
	old := p.Onward(salt, roots)
	moves := copy == wire.Copy_COPY_PATH && old != nil && old.Branch().Peer != to
	l, fresh = k.Store.Lay(p, to, copy, salt, roots)
	l.Ends = 0
	if moves {
		k.inherits(e, l, old)
		k.takeOff(e, old)
	}
	if b := l.Branch(); fresh && b.Len() == 1 { // it was empty, and perhaps not cut yet
		if on := k.link(to); !slices.Contains(on.branches, b) {
			on.branches = append(on.branches, b)
		}
	}
	return l, fresh
}

// takeOff has a pointer taken off where it need not lie any more, in a while: whoever has come
// into its place may have to find out first where the path goes on from there, and requests
// may be under way.
func (k *Keeper) takeOff(e env.Env, l *pointers.Laid) {
	if l.Ends == 0 {
		l.Ends = e.Now().Add(k.cfg.Linger)
		k.conclude(e, l, lost)
		k.ending = append(k.ending, l)
		k.arm(e, timerEnds, l.Ends)
	}
}

// onEnds takes off what has lain long enough. Whoever keeps it hears of that by the digest.
func (k *Keeper) onEnds(e env.Env) {
	n := 0
	for ; n < len(k.ending) && k.ending[n].Ends <= e.Now(); n++ {
		l := k.ending[n]
		if b := l.Branch(); b != nil && l.Ends != 0 { // else it was wanted again
			k.Store.TakeOff(l)
			k.hurry(e, k.link(b.Peer))
		}
	}
	if k.ending = slices.Delete(k.ending, 0, n); len(k.ending) > 0 {
		k.arm(e, timerEnds, max(k.ending[0].Ends, e.Now()))
	}
}
