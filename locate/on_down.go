package locate

import (
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// maxDead is how many deaths are remembered: more than there are links.
const maxDead = 256

// death is that of a neighbor.
type death struct {
	id idspace.ID
	at mono.Time
}

// OnDown notes who was found dead. Whoever leaves with a goodbye hands its pointers over
// first.
func (l *Locator) OnDown(e env.Env, d *env.Down) {
	if d.Why != env.Dead {
		return
	}
	if len(l.dead) == maxDead {
		l.dead = l.dead[1:]
	}
	l.dead = append(l.dead, death{d.Peer, e.Now()})
}

// unsure reports whether this node, as the root of key, must not call anything absent:
// while two overlays become one, and while it has been the root for less than the deadline
// of a request (design §8), because somebody nearer to the key has just died. Servers lay
// their pointers anew only once they have noticed too.
func (l *Locator) unsure(e env.Env, key []byte) bool {
	if e.Now() < l.strangers {
		return true
	}
	for len(l.dead) > 0 && e.Now().Sub(l.dead[0].at) >= l.cfg.GiveUp {
		l.dead = l.dead[1:]
	}
	for _, d := range l.dead {
		if l.cfg.Space.Closer(d.id, l.cfg.Self, wire.ID(key)) {
			return true
		}
	}
	return false
}
