package tree

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Beacons come as seldom as neighbors die, up to a minute apart, and not to those who merely point
// here. Whoever asks for an object should not be sent to a dead server for so long: so somebody
// looks after a server as long as it is asked for, and nobody else. A holder that names it to askers
// says so to those who have laid its pointers there, they do likewise, and whoever has them from the
// server itself asks it whether it lives, if it has been silent.

// askedEvery is how often a holder says that a server is asked for.
const askedEvery = 3 * time.Second

// Asked notes that a server was named to somebody who looks for its object.
func (k *Keeper) Asked(e env.Env, sv *pointers.Server) {
	if sv.ID == k.cfg.Self || !sv.Lives() || sv.Doubted() || sv.Asked != 0 && e.Now().Sub(sv.Asked) < askedEvery {
		return
	}
	sv.Asked = e.Now()
	if l := k.Links.Link(sv.ID); l != nil && sv.LaidBy(sv.ID) {
		if e.Now().Sub(l.Heard) >= k.cfg.Silence {
			e.Post(&env.Probe{Peer: sv.ID, Use: wire.Use_USE_NONE, For: env.Tree})
		}
		return
	}
	ref := wire.ServerRefTo(sv.ID)
	var told idspace.ID
	for _, b := range sv.Branches() {
		if !b.Out && b.Peer != told {
			told = b.Peer
			e.Send(b.Peer, &wire.Refresh{Asked: ref[:]})
		}
	}
}

// OnVerdict takes the answer to whether a server lives.
func (k *Keeper) OnVerdict(e env.Env, v *env.Verdict) {
	if !v.Alive && v.By.IsZero() {
		k.bury(e, v.Peer)
		k.flush(e)
	}
}

// bury hides the pointers of a server that was found dead, and tells those who hold some of
// them from here.
func (k *Keeper) bury(e env.Env, dead idspace.ID) {
	for _, hidden := range k.Store.Bury(dead, e.Now()) {
		e.Emit(&env.Removed{GUID: hidden.GUID, Server: dead, Why: "server dead"})
	}
	if sv := k.Store.Server(wire.ServerRefTo(dead)); sv != nil && sv.ID == dead {
		k.notice(sv)
	}
}
