package publish

import (
	"cmp"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// attempt is one publish request under way.
type attempt struct {
	lay         *lay
	salt, roots int
	until       mono.Time
	tries       int // how often it was sent
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
	a.tries++
	p.expect(e, call, a)
	m.Call = uint64(call)
	m.BodyKind = wire.BodyKind_BODY_PUBLISH
	m.DeadlineMs = uint32(max(a.until.Sub(e.Now()), minLeft).Milliseconds())
	p.Router.Route(e, m)
}

// maxDoublings bounds how often the wait for an acknowledgement doubles: what is late
// because links are full is not helped by more of it.
const maxDoublings = 3

// expect waits for the answer to an attempt.
func (p *Publisher) expect(e env.Env, call env.Call, a attempt) {
	p.attempts[call] = a
	due := e.Now().Add(p.cfg.Retry << min(max(a.tries-1, 0), maxDoublings))
	at, _ := slices.BinarySearchFunc(p.retries, due+1, func(r retry, t mono.Time) int { return cmp.Compare(r.due, t) })
	p.retries = slices.Insert(p.retries, at, retry{due, call})
	p.arm(e, timerRetry, due)
}

// onRetry repeats the attempts that had no answer in time.
func (p *Publisher) onRetry(e env.Env) {
	now, n := e.Now(), 0
	for n < len(p.retries) && p.retries[n].due <= now {
		n++
	}
	due := slices.Clone(p.retries[:n])
	p.retries = slices.Delete(p.retries, 0, n)
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
	switch {
	case p.lays[a.lay.key] != a.lay || a.lay.roots[a.salt].state != waiting:
	case a.until <= e.Now():
		p.forget(a.lay)
		p.parted(e, a.lay)
	default:
		p.try(e, a)
	}
}
