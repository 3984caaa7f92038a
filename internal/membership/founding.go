package membership

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// founding is a join whose seeds are no members either: fresh hosts that name each other.
// Of those that can be reached, the one with the smallest ID founds the overlay, the
// others join it (design §6, founding).
type founding struct {
	call  env.Call  // of the join
	since mono.Time // when this node began to be the smallest of all that refuse it, 0 if it is not
	turn  int       // of the join, then
}

// foundAfter is how long that must be so. Two that both think so have not heard of each
// other; their overlays merge like any two.
const foundAfter = 3 * time.Second

// joinRefused takes the word of those whom the join has come to that none of them is a
// member: this node asks the next seed soon, or founds the overlay when each has been
// asked meanwhile.
func (m *Member) joinRefused(e env.Env, r *wire.Routed) {
	f := &m.founding
	if f.call != m.join.call {
		*f = founding{call: m.join.call}
	}
	smallest := r.Refusal == wire.Refusal_REFUSAL_NOT_JOINED &&
		!slices.ContainsFunc(wire.IDs(r.Trail), func(id idspace.ID) bool { return idspace.Compare(id, m.tables.Self) < 0 })
	switch {
	case !smallest:
		f.since = 0
	case f.since == 0:
		f.since, f.turn = e.Now(), m.join.turn
	case e.Now().Sub(f.since) >= foundAfter && m.join.turn-f.turn >= len(m.join.seeds):
		m.activate(e)
		return
	}
	m.join.shortfall = "led to a refusal: " + r.Refusal.Name()
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerJoin}, env.Jitter(e, m.cfg.JoinTimeout/3))
}
