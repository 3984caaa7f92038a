package locate

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// minLeft is the least time that a question is given, however late it is asked.
const minLeft = 100 * time.Millisecond

// OnLocate begins to look for the servers of an object: at this node first, then
// under all salted keys at once.
func (l *Locator) OnLocate(e env.Env, m *env.LocateRequest) {
	a := &ask{LocateRequest: *m, key: pointers.Key{GUID: m.GUID, App: m.App}}
	if a.Limit <= 0 || a.Limit > wire.MaxFound {
		a.Limit = wire.MaxFound
	}
	switch {
	case !a.key.Valid():
		l.answer(e, a, env.NoHandler)
		return
	case len(l.asks) >= l.cfg.Asks || l.asks[m.Call] != nil:
		l.answer(e, a, env.Busy)
		return
	}
	if a.Deadline == 0 {
		a.Deadline = e.Now().Add(l.cfg.GiveUp)
	}
	a.roots = make([]root, l.cfg.Roots)
	l.asks[m.Call] = a
	l.setTimer(e, timerDeadline, m.Call, a.Deadline)
	l.lookHere(e, a)
	for salt := range a.roots {
		if a.phase == over {
			return // answered within Route
		}
		l.question(e, a, salt)
	}
}

// lookHere takes the pointers that lie at this node.
func (l *Locator) lookHere(e env.Env, a *ask) {
	for _, p := range l.Store.Live(a.key, e.Now(), wire.MaxFound) {
		l.take(a, &wire.FoundReplica{
			Pointer: p.Record, Server: p.Server.Record, RttUs: uint64(l.latency(p).Microseconds()),
		})
	}
	if len(a.found) > 0 {
		l.firstFound(e, a)
	}
}

// question asks the root of one salt, or whoever holds pointers on the way.
func (l *Locator) question(e env.Env, a *ask, salt int) {
	at := &a.roots[salt]
	at.tries++
	call := env.Call(e.Rand().Uint64())
	if len(at.calls) == l.cfg.Tries {
		delete(l.calls, at.calls[0])
		at.calls = at.calls[1:]
	}
	at.calls = append(at.calls, call)
	l.calls[call] = question{a, salt}
	l.setTimer(e, timerRetry, call, e.Now().Add(l.cfg.Retry))
	key := l.cfg.Space.Salted(a.GUID, salt, len(a.roots))
	l.Router.Route(e, &wire.Routed{
		Call:     uint64(call),
		Key:      key[:],
		BodyKind: wire.BodyKind_BODY_LOCATE,
		Body: wire.Pack(&wire.Locate{
			Guid: a.GUID[:], App: a.App, Salt: uint32(salt), Limit: uint32(l.wanted(a)),
		}),
		DeadlineMs: uint32(max(a.Deadline.Sub(e.Now()), minLeft).Milliseconds()),
		Explain:    a.Explain,
	})
}

// wanted is how many replicas a root is to name: the nearest to the root need not be
// the nearest to this node, so never fewer than are measured.
func (l *Locator) wanted(a *ask) int {
	if a.First {
		return a.Limit
	}
	return max(a.Limit, l.cfg.Measure)
}

// OnCancel forgets a request that nobody waits for.
func (l *Locator) OnCancel(e env.Env, call env.Call) {
	if a := l.asks[call]; a != nil {
		l.forget(e, a)
	}
}
