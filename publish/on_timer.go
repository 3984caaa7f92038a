package publish

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// The timers of this room.
const (
	timerRetry    uint8 = iota // the oldest attempt is due
	timerRelay                 // an object is to be laid again
	timerFarewell              // the next portion of withdrawals
	timerLeft                  // nobody waits for the roots any longer
	timerGroups                // batches have arrived
	timerKinds

	timerDeadline // of the job N
)

// step is the pause between two portions of long work.
const step = 10 * time.Millisecond

// OnTimer is called with a timer that this machine set.
func (p *Publisher) OnTimer(e env.Env, k env.TimerKey) {
	if k.What < timerKinds {
		p.armed[k.What] = 0
	}
	switch k.What {
	case timerRetry:
		p.onRetry(e)
	case timerRelay:
		p.onRelay(e)
	case timerFarewell:
		p.onFarewell(e)
	case timerLeft:
		p.endFarewell(e)
	case timerGroups:
		p.onGroups(e)
	case timerDeadline:
		p.onDeadline(e, env.Call(k.N))
	default:
		panic(fmt.Sprintf("publish: timer %d is not of this room", k.What))
	}
}

// arm sets a timer unless it is set for an earlier time already.
func (p *Publisher) arm(e env.Env, what uint8, at mono.Time) {
	now := e.Now()
	at = max(at, now)
	if set := p.armed[what]; set != 0 && set <= at {
		return
	}
	p.armed[what] = at
	e.SetTimer(env.TimerKey{Room: env.Publish, What: what}, at.Sub(now))
}

func (p *Publisher) disarm(e env.Env, what uint8) {
	p.armed[what] = 0
	e.StopTimer(env.TimerKey{Room: env.Publish, What: what})
}
