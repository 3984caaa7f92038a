package heartbeat

import (
	"math"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// doubt is what others say of a node while this one waits for its answer.
type doubt struct {
	confirmed []idspace.ID // who else has found it dead
	inquiry
	favors []favor
}

func (w *watch) doubts() *doubt {
	if w.doubt == nil {
		w.doubt = new(doubt)
	}
	return w.doubt
}

// fewestProbes is how many unanswered beacons a death takes at least, whoever confirms it: one
// may be lost.
const fewestProbes = 2

// confirm notes that somebody else has found a neighbor dead, if this node doubts it too.
func (m *Monitor) confirm(id, by idspace.ID) {
	w := m.watches.Of(id)
	if w == nil || w.seq == 0 || len(w.asks) > 0 {
		return
	}
	if d := w.doubts(); len(d.confirmed) < m.cfg.Confirmations && !slices.Contains(d.confirmed, by) {
		d.confirmed = append(d.confirmed, by)
	}
}

// shortened is how many unanswered beacons make a death that takes most of them without
// confirmation: each one more that is independent says less than the one before (Lifeguard's
// suspicion timeout [5], counted in probes).
func (m *Monitor) shortened(most int, w *watch) int {
	if w.doubt == nil || len(w.doubt.confirmed) == 0 {
		return most
	}
	share := math.Log1p(float64(len(w.doubt.confirmed))) / math.Log1p(float64(m.cfg.Confirmations))
	return most - int(math.Round(share*float64(max(most-fewestProbes, 0))))
}
