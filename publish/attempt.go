package publish

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// attempt is one publish request under way: of a lay of this node, or of a pointer
// that is pushed to a new next hop.
type attempt struct {
	lay         *lay // nil for a push
	key         pointers.Key
	server      idspace.ID
	salt, roots int
	until       mono.Time
	hand        *handOver // what the push is part of, nil if of none
}

// retry is when to look whether an attempt was answered.
type retry struct {
	due  mono.Time
	call env.Call
}

// minLeft is the least time that a request is given, however late it is sent.
const minLeft = 100 * time.Millisecond

// route sends m as an attempt, which is repeated if no answer comes.
func (p *Publisher) route(e env.Env, a attempt, m *wire.Routed) {
	call := env.Call(e.Rand().Uint64())
	due := e.Now().Add(p.cfg.Retry)
	p.attempts[call] = a
	p.retries = append(p.retries, retry{due, call})
	p.arm(e, timerRetry, due)
	m.Call = uint64(call)
	m.BodyKind = wire.BodyKind_BODY_PUBLISH
	m.DeadlineMs = uint32(max(a.until.Sub(e.Now()), minLeft).Milliseconds())
	if a.hand != nil && a.hand.to.IsZero() {
		p.toHeir(e, m)
		return
	}
	p.Router.Route(e, m)
}

// onRetry repeats the attempts that had no answer in time.
func (p *Publisher) onRetry(e env.Env) {
	now, n := e.Now(), 0
	for n < len(p.retries) && p.retries[n].due <= now {
		n++
	}
	due := p.retries[:n:n]
	p.retries = p.retries[n:]
	for _, r := range due {
		if a, ok := p.attempts[r.call]; ok {
			delete(p.attempts, r.call)
			p.again(e, a)
		}
	}
	if len(p.retries) > 0 {
		p.arm(e, timerRetry, p.retries[0].due)
	}
}

// again repeats an attempt if it still matters.
func (p *Publisher) again(e env.Env, a attempt) {
	late := a.until <= e.Now()
	switch {
	case a.lay == nil && (late || !p.pushAgain(e, a)):
		p.settled(e, a)
	case a.lay == nil || p.lays[a.lay.key] != a.lay || a.lay.roots[a.salt].state != waiting:
	case late:
		p.forget(a.lay)
		p.parted(e, a.lay)
	default:
		p.try(e, a.lay, a.salt)
	}
}
