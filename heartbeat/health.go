package heartbeat

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// health is how well this node keeps up, as Lifeguard's local health [5]: 0 is well. What
// answers late rather than never says that it is this node or its uplink that is slow, and
// that it has to wait longer before it takes others for dead. Silence says nothing of that
// kind: when half an overlay dies at once, nobody answers late.
//
// Invariant: 0 <= score <= Config.Awareness.
type health struct {
	score, most int
	well        int // timely answers in a row
}

// recovery is how many timely answers in a row take back what one late answer has added:
// neighbors near by answer in time while those farther away do not.
const recovery = 4

// answered notes an answer that took rtt where patience was allowed.
func (h *health) answered(rtt, patience time.Duration) {
	if rtt > patience {
		h.score, h.well = min(h.score+1, h.most), 0
		return
	}
	if h.well++; h.well >= recovery {
		h.score, h.well = max(h.score-1, 0), 0
	}
}

// suspected notes that a neighbor had to ask more than once: this node was slow to answer, or
// the network lost something.
func (h *health) suspected() { h.score, h.well = min(h.score+1, h.most), 0 }

// answered notes how long a neighbor took to answer. As much longer as it is slow itself this
// node waits for others, in routing too.
func (m *Monitor) answered(id idspace.ID, rtt time.Duration) {
	m.health.answered(rtt, m.allowed(id))
	m.links.SetStretch(m.health.score)
}

// suspected notes that a neighbor has told this node that it is a suspect.
func (m *Monitor) suspected() {
	m.health.suspected()
	m.links.SetStretch(m.health.score)
}
