package sim

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// gone is how long servers that are no more were still named to those who asked.
type gone struct {
	answers      int           // that named one
	late         int           // of them those that did so before all others, more than tolerated after its end
	first, named time.Duration // the longest after its end: before all others, and at all
}

// tolerated is how long a server that has crashed may be offered first (design §8).
const tolerated = 15 * time.Second

// note takes in an answer.
func (g *gone) note(r *run, o *object, replicas []env.Replica) {
	over := false
	for i, x := range replicas {
		since, ended := r.over(o.guid, x.Server)
		if !ended {
			continue
		}
		over = true
		g.named = max(g.named, since)
		if i == 0 {
			g.first = max(g.first, since)
			if since > tolerated {
				g.late++
			}
		}
	}
	if over {
		g.answers++
	}
}

// over is since when a server has been down, or its withdrawal of an object acknowledged.
func (r *run) over(guid, server idspace.ID) (time.Duration, bool) {
	if at, ok := r.ended[[2]idspace.ID{guid, server}]; ok {
		return r.world.Now().Sub(at), true
	}
	if h := r.world.Host(server); h != nil && h.Down() {
		return r.world.Now().Sub(h.Died()), true
	}
	return 0, false
}

func (g *gone) report() report.Gone {
	return report.Gone{Answers: g.answers, FirstLate: g.late, FirstMaxS: g.first.Seconds(), NamedMaxS: g.named.Seconds()}
}

// litter is what lies at living nodes. Looked at again and again, it says how long.
type litter struct {
	report.Litter
	astray map[spot]mono.Time // since when pointers were seen to be stray
}

// spot is where a pointer lies.
type spot struct{ at, guid, server idspace.ID }

// way is one path of a server to a root.
type way struct {
	guid, server idspace.ID
	salt, roots  int
}

// look counts the pointers that lie at living nodes: all, those to servers that have been
// no more for longer than a pointer lives, and those that lie where no path of their server
// to a root leads by now.
func (l *litter) look(r *run) {
	before, paths := l.astray, make(map[way]map[idspace.ID]bool)
	l.Pointers, l.Stale, l.Stray, l.astray = 0, 0, 0, make(map[spot]mono.Time)
	for _, m := range r.people.active {
		store := m.host.Node().Pointers()
		for i := range store.Len() {
			p := store.At(i)
			l.Pointers++
			if since, over := r.over(p.GUID, p.Server.ID); over {
				if p.State == pointers.Live && since > lease.Life+sweep {
					l.Stale++
				}
			} else if p.State == pointers.Live && r.strays(m, p, paths) {
				l.stray(r.world.Now(), spot{m.host.ID(), p.GUID, p.Server.ID}, before)
			}
		}
	}
}

func (l *litter) stray(now mono.Time, at spot, before map[spot]mono.Time) {
	since, known := before[at]
	if !known {
		since = now
	}
	l.Stray++
	l.astray[at] = since
	l.StrayMaxS = max(l.StrayMaxS, now.Sub(since).Seconds())
}

// strays reports whether a pointer lies on a path that its server's no longer is.
func (r *run) strays(at *member, p *pointers.Pointer, paths map[way]map[idspace.ID]bool) bool {
	for _, l := range p.Laid() {
		b := l.Branch()
		if b.Out || b.Copy != wire.Copy_COPY_PATH || b.Until() <= r.world.Now() {
			continue
		}
		w := way{p.GUID, p.Server.ID, l.Salt, l.Roots}
		on, known := paths[w]
		if !known {
			on = r.walk(w)
			paths[w] = on
		}
		if on != nil && !on[at.host.ID()] {
			return true
		}
	}
	return false
}

// walk goes from a server to the root, as its publish would now; nil if it comes to somebody
// who is down, for then it would go around that.
func (r *run) walk(w way) map[idspace.ID]bool {
	on := map[idspace.ID]bool{w.server: true}
	key := idspace.Hex.Salted(w.guid, w.salt, w.roots)
	for h := r.world.Host(w.server); len(on) <= wire.MaxHops; {
		if h == nil || h.Down() {
			return nil
		}
		hop := h.Node().NextHop(key)
		if hop.Rule == wire.Rule_RULE_ROOT {
			break
		}
		on[hop.To] = true
		h = r.world.Host(hop.To)
	}
	return on
}

// ends notes that a withdrawal was acknowledged.
func (r *run) ends(o *object, by *member, at mono.Time) {
	r.ended[[2]idspace.ID{o.guid, by.host.ID()}] = at
}

// useful counts a locate that carries no message by whether it names a server that lives.
func (s *search) useful(o *env.Outcome) {
	if s.how == sent || s.how == raced || s.orphaned() {
		return
	}
	st, w := s.stats, &s.stats.windows[s.window]
	st.asks++
	if s.how == measured {
		st.asksMeasured++
	}
	w.asks++
	lives := func(x env.Replica) bool {
		_, over := s.run.over(s.object.guid, x.Server)
		return !over
	}
	if slices.ContainsFunc(o.Replicas, lives) {
		st.living++
		w.living++
		if s.how == measured {
			st.livingMeasured++
		}
	}
	if len(o.Replicas) > 0 && lives(o.Replicas[0]) {
		st.livingFirst++
	}
}
