package membership

import (
	"math"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
)

// A backup costs a link that has to be opened, watched and found dead, once in the life of
// each neighbor, and saves a detour when the primary dies. In a calm overlay it costs next
// to nothing. Where neighbors live for two minutes, backups are half of all traffic, and
// routing finds a way around a suspect without them
// (docs/adr/0014-backups-where-neighbors-last.md).

const (
	// brief is how short neighbors live where a slot has its primary alone.
	brief = 5 * time.Minute
	// lasting is how long they live where a slot has all its backups.
	lasting = 25 * time.Minute
)

// rebound sets how many neighbors a slot takes.
func (m *Member) rebound(e env.Env) {
	if !m.tables.Map.Bound(m.perSlot()) {
		return
	}
	m.settle(e, &env.Changed{}) // members of the leaf set may fit now
	known := slices.Clone(m.book.order)
	m.rank(e, known)
	for _, p := range known {
		m.consider(e, p.id)
	}
}

func (m *Member) perSlot() int {
	switch life := m.links.Lifetime(); {
	case life >= lasting:
		return math.MaxInt // as many as there are places for
	case life >= brief || life == 0: // or it is not known yet
		return 2
	}
	return 1
}
