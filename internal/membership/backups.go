package membership

import (
	"math"
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
	if m.tables.Map.Bound(m.perSlot()) {
		m.settle(e, &env.Changed{}) // members of the leaf set may fit now
	}
}

func (m *Member) perSlot() int {
	switch life := m.links.Lifetime(); {
	case life >= lasting:
		return math.MaxInt // as many as there are places for
	case life >= brief:
		return 2
	}
	return 1
}
