package routing

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// maxMissed is how many next hops an envelope of maintenance may miss at one node. Whoever
// sent it sends it again, ever less often; what everybody repeats at every hop fills the
// links that are full already (design §5: maintenance drops first).
const maxMissed = 2

// shed reports whether an envelope that has missed another next hop is given up.
func (t *transit) shed() bool {
	t.missed++
	switch t.msg.BodyKind {
	case wire.BodyKind_BODY_PUBLISH, wire.BodyKind_BODY_SELF_PROBE:
		return t.missed >= maxMissed
	}
	return false
}

// maxPatience bounds how long an envelope waits for one acknowledgement.
const maxPatience = 5 * time.Second

// backOff lengthens the wait of an envelope that has missed more than one next hop, twice as long
// each time: one neighbor may be dead, but when several do not answer, it is the links that are
// full, and what is sent once more fills them further.
func (t *transit) backOff(patience time.Duration) time.Duration {
	for range min(max(t.missed-1, 0), 8) {
		patience *= 2
	}
	return min(patience, maxPatience)
}
