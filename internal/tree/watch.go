package tree

import (
	"slices"
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
// server itself, or from nobody who is left, asks it whether it lives, if it has been silent.

// askedEvery is how often a holder says that a server is asked for.
const askedEvery = 3 * time.Second

// Asked notes that a server was named to somebody who looks for its object.
func (k *Keeper) Asked(e env.Env, sv *pointers.Server) {
	if sv.ID == k.cfg.Self || !sv.Lives() || sv.Doubted() || sv.Asked != 0 && e.Now().Sub(sv.Asked) < askedEvery {
		return
	}
	sv.Asked = e.Now()
	above := k.above(sv)
	if len(above) == 0 {
		k.lookAfter(e, sv.ID)
	}
	ref := wire.ServerRefTo(sv.ID)
	for _, peer := range above {
		e.Send(peer, &wire.Refresh{Asked: ref[:]})
	}
}

// above lists the neighbors who have a server's pointers sooner than this node: those on its paths
// or, if it lies on none, those whose copies it holds. Nobody but the server itself may be left.
func (k *Keeper) above(sv *pointers.Server) (peers []idspace.ID) {
	path := slices.ContainsFunc(sv.Branches(), func(b *pointers.Branch) bool { return !b.Out && b.Copy == wire.Copy_COPY_PATH })
	for _, b := range sv.Branches() {
		switch {
		case b.Out, path && b.Copy != wire.Copy_COPY_PATH:
		case b.Peer == sv.ID:
			return nil
		case k.Links.Link(b.Peer) != nil && !slices.Contains(peers, b.Peer):
			peers = append(peers, b.Peer)
		}
	}
	return peers
}

// lookAfter asks a server whether it lives, unless it has been heard of a moment ago.
func (k *Keeper) lookAfter(e env.Env, server idspace.ID) {
	if l := k.Links.Link(server); l == nil || e.Now().Sub(l.Heard) >= k.cfg.Silence {
		e.Post(&env.Probe{Peer: server, Use: wire.Use_USE_NONE, For: env.Tree})
	}
}

// Publisher lays what this node serves. What is told it is told within calls of a Keeper: it answers none of them at once.
type Publisher interface {
	// OnSought is told of an object for which somebody looks here.
	OnSought(e env.Env, key pointers.Key)
	// OnPlaced is told of each object of a batch, once for each salt, whether it is known to be at its root.
	OnPlaced(e env.Env, batch uint64, guid idspace.ID, placed bool)
}

// Heed makes p the publisher that is told of what is looked for.
func (k *Keeper) Heed(p Publisher) { k.publisher = p }

// Sought notes that somebody looks for an object: this node may serve it and not have laid it yet.
func (k *Keeper) Sought(e env.Env, key pointers.Key) {
	if k.publisher != nil {
		k.publisher.OnSought(e, key)
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
