package heartbeat

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

const (
	// hintPause is the least time between two probes of a node out of turn.
	hintPause = 10 * time.Second
	// provenAlive is how long ago something must have come from a node for a hint of its
	// death to be worth a probe: its death takes others longer than that to find out.
	provenAlive = time.Second
)

// OnHints takes the word of a neighbor that some nodes are dead, or looks after those that it has left out.
func (m *Monitor) OnHints(e env.Env, h *env.Hints) {
	if !h.Silent {
		m.heed(e, h.From, h.Refs)
		return
	}
	for _, r := range wire.Refs(h.Refs) {
		if l := m.links.Named(r); l != nil {
			m.look(e, l)
		}
	}
}

// heed probes those that are said to be dead, if this node points at them: nobody is
// dropped on hearsay (design §7).
func (m *Monitor) heed(e env.Env, from idspace.ID, dead []byte) {
	for _, r := range wire.Refs(dead) {
		if l := m.links.Named(r); l != nil && l.ID != from {
			m.look(e, l)
			m.confirm(l.ID, from)
		}
	}
}

// look probes a neighbor out of turn, unless it has just been heard or probed.
func (m *Monitor) look(e env.Env, l *links.Link) {
	now := e.Now()
	if l.Mine == wire.Use_USE_NONE || now.Sub(l.Heard) < provenAlive {
		return
	}
	w := m.watch(l.ID)
	if w.seq != 0 || w.hinted != 0 && now.Sub(w.hinted) < hintPause {
		return
	}
	w.hinted, w.tries = now, 0
	m.try(e, l.ID, w)
}

// lookedAround is how many others are probed when a neighbor is found dead in a calm
// overlay. Many may have gone with it: if more than one in so many have, each that is
// found leads to another, long before the period has followed.
const lookedAround = 8

// lookAround probes some neighbors drawn at random.
func (m *Monitor) lookAround(e env.Env) {
	all := m.links.All()
	for range min(lookedAround, len(all)) {
		m.look(e, all[e.Rand().IntN(len(all))])
	}
}
