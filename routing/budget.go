package routing

import "github.com/tapestry-dolr/tapestry/internal/mono"

// budget bounds what is sent again to a share of what is sent. When links are full, everything
// is late, and a node that sends all of it again makes them fuller: the collapse would outlast
// its cause. Without budget an envelope waits on for an acknowledgement that may be late. A dead
// neighbor needs little, for after the first miss it is a suspect, and nothing more goes there.
//
// Invariant: 0 <= spent <= mostAgain.
type budget struct {
	spent float64 // so that the zero budget is a full one
	at    mono.Time
}

const (
	// againShare is how much each envelope that is sent adds.
	againShare = 0.2
	// againPerSecond is what time adds.
	againPerSecond = 2
	// mostAgain is the most there can be.
	mostAgain = 32
)

func (b *budget) earn() { b.spent = max(b.spent-againShare, 0) }

// spend takes what sending one envelope again costs, if there is as much.
func (b *budget) spend(now mono.Time) bool {
	b.spent = max(b.spent-againPerSecond*now.Sub(b.at).Seconds(), 0)
	b.at = now
	if b.spent+1 > mostAgain {
		return false
	}
	b.spent++
	return true
}
