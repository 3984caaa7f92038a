package locate

import (
	"slices"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// An object that many ask for is asked for again and again at the nodes around those that hold its pointers.
// Such a node asks the next hop for itself, and keeps what that holds for a few seconds (design §8). Cached
// pointers are for messages alone: no withdrawal reaches them, but a server that no longer has the object refuses.
// They are never cached in turn, so that none is older than its life.

// popular is an object that is asked for here, and lies elsewhere.
type popular struct {
	began  mono.Time // of the time in which it has been asked for so often
	times  int
	asked  mono.Time // when its pointers were asked for last
	cached []pointers.Cached
	until  mono.Time // how long they count
}

func newPopular(most int) *simplelru.LRU[pointers.Key, *popular] {
	known, err := simplelru.NewLRU[pointers.Key, *popular](most, nil)
	if err != nil {
		panic(err) // Config.Validate has asked for more than none
	}
	return known
}

// Passed notes that a request for an object has come here that a cached pointer would do for, on its way towards
// a key, and that none lies here. If there are many of them, it has the object's pointers fetched.
func (l *Locator) Passed(e env.Env, key pointers.Key, towards idspace.ID) {
	p, known := l.popular.Get(key)
	if !known {
		p = &popular{began: e.Now()}
		l.popular.Add(key, p)
	}
	if e.Now().Sub(p.began) >= l.cfg.Cached {
		p.began, p.times = e.Now(), 0
	}
	p.times++
	soon := e.Now().Add(l.cfg.Cached / 5) // before they run out, or there would be a gap
	if p.times < l.cfg.Popular || soon < p.until || p.asked != 0 && e.Now().Sub(p.asked) < l.cfg.Retry {
		return
	}
	p.asked = e.Now()
	e.Post(&env.Fetch{GUID: key.GUID, App: key.App, Towards: towards})
}

// OnFetch asks for the pointers of a popular object, once: who is on the way will ask for it again.
func (l *Locator) OnFetch(e env.Env, m *env.Fetch) {
	if l.fetches >= l.cfg.Fetches {
		return
	}
	l.fetches++
	call := env.Call(e.Rand().Uint64())
	l.calls[call] = question{fetch: &pointers.Key{GUID: m.GUID, App: m.App}}
	l.setTimer(e, timerRetry, call, e.Now().Add(l.cfg.Retry))
	l.Router.Route(e, &wire.Routed{
		Call: uint64(call), Key: m.Towards[:], BodyKind: wire.BodyKind_BODY_LOCATE,
		Body: wire.Pack(&wire.Locate{
			Guid: m.GUID[:], App: m.App, Limit: uint32(l.cfg.Measure), Coord: l.Links.Coord(),
		}),
		DeadlineMs: uint32(l.cfg.Retry.Milliseconds()),
	})
}

// fetched ends the question of a call.
func (l *Locator) fetched(e env.Env, call env.Call) {
	delete(l.calls, call)
	l.stopTimer(e, timerRetry, call)
	l.fetches--
}

// cache keeps the pointers that an answer names, if it came from the next hop: any farther, and nobody in between
// would know the way.
func (l *Locator) cache(e env.Env, key pointers.Key, found []*wire.FoundReplica, way []idspace.ID) {
	p, known := l.popular.Peek(key)
	if !known || len(way) != 1 {
		return
	}
	p.cached, p.until = nil, e.Now().Add(l.cfg.Cached)
	for _, f := range found {
		o, err := l.open(key, f)
		switch {
		case err != nil:
			e.Emit(&env.Dropped{Why: "locate: bad replica", Peer: way[0]})
		case o.Record.Withdrawn || f.Doubted:
		default:
			p.cached = append(p.cached, pointers.NewCached(o.Deposit, l.server(f, o), trip(f), way[0]))
		}
	}
}

// server is that of a replica as it is known here, or else one that nobody but the cache keeps.
func (l *Locator) server(f *wire.FoundReplica, o opened) *pointers.Server {
	if sv := l.Store.Server(wire.ServerRefTo(o.server())); sv != nil && sv.ID == o.server() {
		return sv
	}
	sv := l.Store.Meet(o.server(), f.Server, o.node)
	sv.Coord = wire.CoordIn(f.Coord)
	return sv
}

// Cached lists the cached pointers of an object whose servers nobody says are dead.
func (l *Locator) Cached(key pointers.Key, now mono.Time) []pointers.Cached {
	p, known := l.popular.Peek(key)
	if !known || now >= p.until {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.cached), func(c pointers.Cached) bool { return l.over(c.Server.ID) })
}

// over reports whether a server has been found dead, or somebody says so.
func (l *Locator) over(id idspace.ID) bool {
	sv := l.Store.Server(wire.ServerRefTo(id))
	return sv != nil && sv.ID == id && (!sv.Lives() || sv.Doubted())
}

// within offers those of them whose servers are neighbors. An answer that came soon promises a short way; by way of
// whoever holds the pointer it may be a long one.
func (l *Locator) within(e env.Env, key pointers.Key, by asker, limit int) []offer {
	var lie []*pointers.Pointer
	for _, c := range l.Cached(key, e.Now()) {
		if _, met := l.Links.RTT(c.Server.ID); met {
			lie = append(lie, c.Pointer)
		}
	}
	return l.offers(lie, by, limit)
}
