package heartbeat

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// running is when this node has run, so that it notices when it has not.
type running struct {
	last   mono.Time // zero before Start
	due    mono.Time // of the next sweep
	roused mono.Time
}

const (
	// late is by how much a sweep is overdue when this node has most likely not run.
	late = time.Second
	// rousePause is the least time between two answers to that: a node that is late because
	// it has too much to do must not give itself more.
	rousePause = 10 * time.Second
	// rouseWithin spreads the beacons of a node that comes to itself.
	rouseWithin = time.Second
)

// Awake notes that this node runs; the world has it called before anything else of a step.
// Whoever does not run is soon found dead. So a node that was late asks its leaf set, which
// hears by that that it lives. After Asleep it asks everybody, and says that what it
// believes is old.
func (m *Monitor) Awake(e env.Env) {
	now, r := e.Now(), &m.running
	slept, overdue := now.Sub(r.last), now.Sub(r.due)
	started := r.last != 0
	r.last = now
	switch {
	case !started || !m.open || m.cfg.Asleep < 0:
	case slept > m.cfg.Asleep:
		m.rouse(e, func(l *links.Link) bool { return l.Mine != wire.Use_USE_NONE })
		e.Post(&env.Stalled{For: slept})
	case overdue > late && (r.roused == 0 || now.Sub(r.roused) > rousePause):
		m.rouse(e, func(l *links.Link) bool { return l.Mine == wire.Use_USE_LEAF })
	}
}

// rouse asks some neighbors anew, and all whose answer is due: what nobody was here to
// listen to says nothing.
func (m *Monitor) rouse(e env.Env, whom func(*links.Link) bool) {
	m.running.roused = e.Now()
	for _, l := range m.links.All() {
		w := m.watch(l.ID)
		if w.seq != 0 {
			w.tries = 0
			m.try(e, l.ID, w)
		}
		if whom(l) {
			w.life = 0 // whatever it was told it may have forgotten
			m.beatIn(e, l.ID, time.Duration(e.Rand().Int64N(int64(rouseWithin))))
		}
	}
}
