package tree

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// vigil is somebody's wait until copies of a pointer know its newest record.
type vigil struct {
	p     *pointers.Pointer
	until mono.Time
}

// Settled reports whether those to whom this node has laid copies of p beside its paths have its newest
// record. If not, env.Settled is posted when they have, or when that takes longer than
// their links' timeouts, or than Heed, or longer where this node is slow itself: whoever has withdrawn an object is told so when nobody would
// name it any more.
func (k *Keeper) Settled(e env.Env, p *pointers.Pointer) bool {
	var patience time.Duration
	for _, l := range p.Laid() {
		if k.unheard(l) {
			patience = max(patience, min(k.Links.Timeout(l.Branch().Peer), k.Links.Stretched(k.cfg.Heed)))
		}
	}
	if patience > 0 && !slices.ContainsFunc(k.vigils, func(v vigil) bool { return v.p == p }) {
		k.vigils = append(k.vigils, vigil{p, e.Now().Add(patience)})
		k.arm(e, timerLinks, e.Now().Add(patience))
	}
	return patience == 0
}

// unheard reports whether somebody who is not suspected has not confirmed a copy of a pointer.
func (k *Keeper) unheard(l *pointers.Laid) bool {
	b := l.Branch()
	if b == nil || !b.Out || b.Copy == wire.Copy_COPY_PATH || k.Links.Suspect(b.Peer) {
		return false
	}
	on := k.known(b.Peer)
	return l.Queued || on != nil && on.flight != nil && slices.Contains(on.flight.branches, b)
}

// settle ends the vigils that have come to their end.
func (k *Keeper) settle(e env.Env) {
	k.vigils = slices.DeleteFunc(k.vigils, func(v vigil) bool {
		over := v.until <= e.Now() || !slices.ContainsFunc(v.p.Laid(), k.unheard)
		if over {
			e.Post(&env.Settled{GUID: v.p.GUID, App: v.p.App, Server: v.p.Server.ID})
		} else {
			k.arm(e, timerLinks, v.until)
		}
		return over
	})
}
