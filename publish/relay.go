package publish

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// What is served is laid again under a new signature before the old one runs out. A node that serves very
// much, or has been held up, does not begin all that is due at once: it would fill its own links and those
// of its roots. So many are under way, and the rest is late: whoever runs the node can see that (Late).

// schedule has an object laid again in a while.
func (p *Publisher) schedule(e env.Env, o *pointers.Object, in time.Duration) {
	at := e.Now().Add(in)
	p.Served.Schedule(o, at)
	p.arm(e, timerRelay, at)
}

// crowded is the pause of those that are due when there is no room for more under way.
const crowded = 100 * time.Millisecond

// onRelay lays the objects that are due again, a portion at a time.
func (p *Publisher) onRelay(e env.Env) {
	if p.leaving != nil {
		return
	}
	pause := step
	for range p.cfg.Portion {
		o := p.Served.Next()
		if o == nil || e.Now().Before(o.Due()) {
			break
		}
		if o.Batch != nil {
			if !p.renew(e, o.Batch) && !p.relayGroup(e, o) {
				pause = crowded
			}
			break // it takes a while
		}
		if len(p.lays) >= p.cfg.Window {
			pause = crowded
			break
		}
		p.schedule(e, o, p.nextRelay(e))
		p.begin(e, &lay{key: o.Key})
	}
	p.warn(e)
	if o := p.Served.Next(); o != nil {
		p.arm(e, timerRelay, max(o.Due(), e.Now().Add(pause)))
	}
}

// nextRelay is in what time an object that is laid now is due again: 0.9 to 1.1 periods, a jitter that leaves the life of 2 periods
// its margin.
func (p *Publisher) nextRelay(e env.Env) time.Duration {
	return p.cfg.Period*9/10 + p.random(e, p.cfg.Period/5)
}

// Late is for how long the object that has waited longest was due to be laid again. When it comes to
// Life less Period, objects are forgotten by those who hold their pointers.
func (p *Publisher) Late(now mono.Time) time.Duration {
	if o := p.Served.Next(); o != nil {
		return max(now.Sub(o.Due()), 0)
	}
	return 0
}

// tolerated is the part of the time that there is to spare from which on lateness is told, once a minute.
const (
	tolerated = 4
	warnEvery = time.Minute
)

func (p *Publisher) warn(e env.Env) {
	late, spare := p.Late(e.Now()), p.cfg.Life-p.cfg.Period
	if late < spare/tolerated || p.warned != 0 && e.Now().Sub(p.warned) < warnEvery {
		return
	}
	p.warned = e.Now()
	e.Emit(&env.Behind{Late: late, Spare: spare, Served: p.Served.Len()})
}
