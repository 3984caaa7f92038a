package heartbeat

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Beacons tune themselves (MSPastry §4.1 [6]; design §6): a neighbor that dies is noticed
// after half a period on average, so that with failure rate µ per neighbor a share
// p = µ·T/2 of them is dead unnoticed. T = 2·p/µ holds that share at p.

// remembered is how many failures the rate is taken from.
const remembered = 16

// failures is what this node has seen of its neighbors' dying.
//
// Invariant: at holds the latest failures, oldest first, at most remembered.
type failures struct {
	watching bool
	since    mono.Time // it has watched since then
	at       []mono.Time
}

func (f *failures) add(now mono.Time) {
	if len(f.at) == remembered {
		copy(f.at, f.at[1:])
		f.at = f.at[:remembered-1]
	}
	f.at = append(f.at, now)
}

// rate estimates the failures per second and neighbor among so many watched. All that is
// remembered counts, with one more now, which makes the rate of a calm overlay sink as
// time passes. So that the change from calm to churn is not averaged away, the latest few by
// themselves make the rate if theirs is clearly higher: the highest of many samples always is
// somewhat.
func (f *failures) rate(now mono.Time, watched int) float64 {
	begin := f.since
	if len(f.at) == remembered {
		begin = f.at[0]
	}
	all := perSecond(len(f.at)+1, now.Sub(begin))
	highest := all
	for i := 0; i+fewest(watched) <= len(f.at); i++ {
		highest = max(highest, perSecond(len(f.at)-i, now.Sub(f.at[i])))
	}
	if highest < clearly*all {
		highest = all
	}
	return highest / float64(max(watched, 1))
}

// clearly is how many times higher the rate of the latest failures must be to count.
const clearly = 2

// fewest is how many failures in a row make a rate by themselves among so many watched: the
// highest rate of small samples is far too high, but a node with few neighbors has no large ones.
func fewest(watched int) int { return min(max(watched/16, 3), 6) }

func perSecond(n int, span time.Duration) float64 {
	return float64(n) / max(span, time.Millisecond).Seconds()
}

// period is the mean time between beacons for this rate of failures. It is no longer
// than this node has watched: nobody who has just come can know that all is calm.
func (m *Monitor) tuned(now mono.Time, watched int) time.Duration {
	if !m.failures.watching {
		return m.cfg.Fastest
	}
	seconds := min(2*m.cfg.Stale/m.failures.rate(now, watched), now.Sub(m.failures.since).Seconds())
	return min(max(time.Duration(seconds*float64(time.Second)), m.cfg.Fastest), m.cfg.Slowest)
}

// judgedAfter is how long this node watches before it says how long neighbors live: at
// first it has found few of those dead that are.
const judgedAfter = 30 * time.Second

// lifetime is how long a neighbor lives on average, 0 if that cannot be said yet.
func (m *Monitor) lifetime(now mono.Time, watched int) time.Duration {
	if !m.failures.watching || now.Sub(m.failures.since) < judgedAfter {
		return 0
	}
	return time.Duration(min(1/m.failures.rate(now, watched), time.Hour.Seconds()) * float64(time.Second))
}

// retune follows the rate of failures. Beacons that were put off for longer than the
// period is now are pulled in, spread over one period.
func (m *Monitor) retune(e env.Env) {
	watched := 0
	for _, l := range m.links.All() {
		if l.Mine != wire.Use_USE_NONE {
			watched++
		}
	}
	m.period = m.tuned(e.Now(), watched)
	m.links.SetLifetime(m.lifetime(e.Now(), watched))
	if m.period > m.paced {
		m.paced = m.period
	} else if m.period < m.paced*3/4 {
		m.paced = m.period
		m.pullIn(e)
	}
}

func (m *Monitor) pullIn(e env.Env) {
	latest := e.Now().Add(m.period + m.period/2)
	for _, l := range m.links.All() {
		if w := m.watches.Of(l.ID); l.Mine != wire.Use_USE_NONE && w != nil && latest.Before(w.due) {
			m.beatIn(e, l.ID, time.Duration(e.Rand().Int64N(int64(m.period))))
		}
	}
}

// beatIn sets the time of the next routine beacon.
func (m *Monitor) beatIn(e env.Env, id idspace.ID, d time.Duration) {
	m.watch(id).due = e.Now().Add(d)
	e.SetTimer(env.TimerKey{Room: env.Heartbeat, What: timerBeat, Peer: id}, d)
}

// sooner has a routine beacon go out within about the fastest period.
func (m *Monitor) sooner(e env.Env, id idspace.ID) {
	if d := env.Jitter(e, m.cfg.Fastest); e.Now().Add(d).Before(m.watch(id).due) {
		m.beatIn(e, id, d)
	}
}

// lives is for how many periods a beacon asks to be remembered.
const lives = 4

// spared says for how long a routine beacon is not needed because something else came
// from the neighbor (design §6: any traffic counts). Whatever came was an answer or has
// been answered, so that this node's use of the neighbor was renewed there too; that
// holds only if the neighbor knows that use, and keeps it for as long as the silence may
// last. And some round trip has to be measured now and then.
func (m *Monitor) spared(e env.Env, l *links.Link, w *watch) time.Duration {
	now := e.Now()
	switch {
	case l.Suspect || w.told != l.Mine || w.life < 2*m.period:
		return 0
	case w.sampled == 0 || now.Sub(w.sampled) > lives*m.period:
		return 0
	}
	return l.Heard.Add(env.Jitter(e, m.pace(l))).Sub(now)
}
