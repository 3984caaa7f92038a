package publish

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// OnPublish begins to serve an object (JSAC §III-A: PublishObject). It is served
// from now on; if its first publish fails it is served no longer, unless a root has
// acknowledged it and the others may only be late.
func (p *Publisher) OnPublish(e env.Env, m *env.PublishRequest) {
	key := pointers.Key{GUID: m.GUID, App: m.App}
	if !p.serves(e, m.Call, key) {
		return
	}
	o := p.Served.Add(key, p.cfg.Roots)
	if o == nil {
		e.Deliver(&env.Outcome{Call: m.Call, Status: env.Limit, Refused: []env.Refused{{By: p.cfg.Self, Limit: env.LimitServed}}})
		return
	}
	// The first one comes early, at a random time, so that objects that were
	// published together are not laid together ever after.
	p.schedule(e, o, p.cfg.Period/2+p.random(e, p.cfg.Period/2))
	j := p.newJob(e, m.Call, m.Deadline)
	j.explain = m.Explain
	p.begin(e, &lay{key: key, jobs: []*job{j}})
}

// serves answers a request that this node cannot serve, and says whether it can.
func (p *Publisher) serves(e env.Env, call env.Call, key pointers.Key) bool {
	switch {
	case p.left || p.leaving != nil:
		e.Deliver(&env.Outcome{Call: call, Status: env.NotJoined})
	case !key.Valid():
		e.Deliver(&env.Outcome{Call: call, Status: env.NoHandler})
	default:
		return true
	}
	return false
}

// newJob returns a job that ends at its deadline.
func (p *Publisher) newJob(e env.Env, call env.Call, deadline mono.Time) *job {
	if deadline == 0 {
		deadline = e.Now().Add(p.cfg.GiveUp)
	}
	j := &job{call: call, deadline: deadline}
	p.jobs[call] = j
	e.SetTimer(env.TimerKey{Room: env.Publish, What: timerDeadline, N: uint64(call)}, max(deadline.Sub(e.Now()), 0))
	return j
}

// random draws a duration from 0 to d.
func (p *Publisher) random(e env.Env, d time.Duration) time.Duration {
	return time.Duration(e.Rand().Int64N(int64(d) + 1))
}

// OnCancel forgets a call that nobody waits for: as if its deadline had come.
func (p *Publisher) OnCancel(e env.Env, call env.Call) {
	if g := p.calls[call]; g != nil {
		p.releaseGroup(e, g)
		p.giveUpGroup(e, g, env.TimedOut)
		return
	}
	if j := p.jobs[call]; j != nil {
		p.release(e, j)
		p.abandon(e, j.lay, env.TimedOut)
	}
}
