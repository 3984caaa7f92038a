package tree

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Those at whom a server has laid its pointers itself look after it: beacons come as seldom as
// neighbors die, and not to those who merely point here, but whoever asks for an object should
// not be sent to a dead server for a minute.

// watched is a server that has laid pointers here itself.
type watched struct {
	id     idspace.ID
	probed mono.Time // when it was asked whether it lives; zero: it was heard since
}

// watchEvery is how often it is looked whether somebody has been silent.
const watchEvery = time.Second

// watch looks after a server from now on.
func (k *Keeper) watch(e env.Env, id idspace.ID) {
	at, found := slices.BinarySearchFunc(k.watching, id, byID)
	if !found {
		k.watching = slices.Insert(k.watching, at, watched{id: id})
		k.arm(e, timerWatch, e.Now().Add(watchEvery))
	}
}

func byID(w watched, id idspace.ID) int { return idspace.Compare(w.id, id) }

// onWatch asks those whether they live who have been silent, and lets go of those who lay
// nothing here any more.
func (k *Keeper) onWatch(e env.Env) {
	k.watching = slices.DeleteFunc(k.watching, func(w watched) bool {
		sv := k.Store.Server(wire.ServerRefTo(w.id))
		return sv == nil || !sv.Lives() || !sv.LaidBy(w.id)
	})
	for i := range k.watching {
		w := &k.watching[i]
		l := k.Links.Link(w.id)
		if l == nil || w.probed != 0 || e.Now().Sub(l.Heard) < k.cfg.Silence {
			continue // without a link it is for others to see to it
		}
		w.probed = e.Now()
		e.Post(&env.Probe{Peer: w.id, Use: wire.Use_USE_NONE, For: env.Tree})
	}
	if len(k.watching) > 0 {
		k.arm(e, timerWatch, e.Now().Add(watchEvery))
	}
}

// OnVerdict takes the answer to whether a server lives.
func (k *Keeper) OnVerdict(e env.Env, v *env.Verdict) {
	if at, found := slices.BinarySearchFunc(k.watching, v.Peer, byID); found {
		k.watching[at].probed = 0
	}
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
