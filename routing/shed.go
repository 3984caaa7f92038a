package routing

import "github.com/tapestry-dolr/tapestry/internal/wire"

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
