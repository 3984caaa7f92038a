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
	if !a.Fresh {
		l.lookHere(e, a)
		l.askNear(e, a)
	}
	for salt := range a.roots {
		if a.phase == over {
			return // answered within Route
		}
		l.question(e, a, salt)
	}
}

// lookHere takes the pointers that lie at this node.
func (l *Locator) lookHere(e env.Env, a *ask) {
	l.Tree.Sought(e, a.key)
	here := asker{coord: wire.CoordIn(l.Links.Coord()), zone: a.zone()}
	lie := l.nearest(e, a.key, here, wire.MaxFound)
	for _, o := range lie {
		l.take(a, o.found(), nil)
	}
	l.named(e, lie)
	if a.hopeful() {
		l.tell(e, a)
		l.firstFound(e, a)
	}
}

// question asks the root of one salt, or whoever holds pointers on the way.
func (l *Locator) question(e env.Env, a *ask, salt int) {
	at := &a.roots[salt]
	at.tries++
	at.turned = false
	call := env.Call(e.Rand().Uint64())
	if len(at.calls) == l.cfg.Tries {
		delete(l.calls, at.calls[0])
		at.calls = at.calls[1:]
	}
	at.calls = append(at.calls, call)
	l.calls[call] = question{ask: a, salt: salt}
	l.setTimer(e, timerRetry, call, e.Now().Add(l.cfg.Retry))
	l.Router.Route(e, l.envelope(e, a, call, &wire.Locate{Salt: uint32(salt)}))
}

// envelope is a question of a, towards the root of m's salt.
func (l *Locator) envelope(e env.Env, a *ask, call env.Call, m *wire.Locate) *wire.Routed {
	key := l.cfg.Space.Salted(a.GUID, int(m.Salt), len(a.roots))
	m.Guid, m.App, m.Limit, m.Coord = a.GUID[:], a.App, uint32(l.wanted(a)), l.Links.Coord()
	m.Zone, m.Local, m.Fresh, m.Cached = a.Zone, a.Local, a.Fresh, a.Cached
	return &wire.Routed{
		Call: uint64(call), Key: key[:], BodyKind: wire.BodyKind_BODY_LOCATE, Explain: a.Explain,
		Body:       wire.Pack(m),
		DeadlineMs: uint32(max(a.Deadline.Sub(e.Now()), minLeft).Milliseconds()),
	}
}

// nearSalt is the salt whose key says which neighbors are the near nodes of an object.
const nearSalt = 0

// askNear asks the neighbors where a server that is close by has laid a pointer (design §8). They are
// asked once: what they hold nothing of says nothing.
func (l *Locator) askNear(e env.Env, a *ask) {
	key := l.cfg.Space.Salted(a.GUID, nearSalt, len(a.roots))
	for _, near := range l.Router.Near(key) {
		if a.phase == over {
			return // answered within RouteVia
		}
		call := env.Call(e.Rand().Uint64())
		a.near = append(a.near, call)
		l.calls[call] = question{ask: a, near: true}
		l.Router.RouteVia(e, l.envelope(e, a, call, &wire.Locate{Salt: nearSalt, Here: true}), near)
	}
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
