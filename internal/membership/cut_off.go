package membership

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// away is a node that lives and does not answer this one: links are not transitive. It is in
// no table, and no tombstone keeps it out; requests of which it may be the root go by way of
// somebody who reaches it (design §5, relay by one hop).
type away struct {
	by    idspace.ID // who reaches it
	since mono.Time  // when that was found out last
	until mono.Time  // when to try again
}

const (
	// mostAway bounds how many are remembered.
	mostAway = 64
	// awayFor is how long, if nobody names them any more.
	awayFor = 10 * time.Minute
)

// cut notes that a node lives and is out of reach, and leaves it alone for a while.
func (m *Member) cut(e env.Env, id, by idspace.ID) {
	until := e.Now().Add(env.Jitter(e, m.cfg.Forgotten))
	m.book.avoid(id, until)
	m.back(id)
	m.forgetAway(e)
	if len(m.away) < mostAway {
		m.away[id] = away{by: by, since: e.Now(), until: until}
		m.tables.Away = append(m.tables.Away, id)
	}
}

// back notes that a node is out of reach no longer, or dead.
func (m *Member) back(id idspace.ID) {
	if _, ok := m.away[id]; ok {
		delete(m.away, id)
		m.tables.Away = slices.DeleteFunc(m.tables.Away, func(at idspace.ID) bool { return at == id })
	}
}

func (m *Member) forgetAway(e env.Env) {
	for _, id := range slices.Clone(m.tables.Away) {
		if e.Now().Sub(m.away[id].since) > awayFor {
			m.back(id)
		}
	}
}

// reachedBy returns who reaches a node that this one does not, zero if that is not known or not
// so any more.
func (m *Member) reachedBy(e env.Env, id idspace.ID) (by idspace.ID) {
	if a, ok := m.away[id]; ok && e.Now().Before(a.until) && m.links.Linked(a.by) {
		return a.by
	}
	return by
}
