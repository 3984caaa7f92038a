package messages

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// A raced message is not preceded by a locate (design §8): a copy goes towards each root of the
// object, and one to each near node, and the first node on each way that has pointers turns its copy
// to the nearest server it knows. Several servers may get the message, each hands it to its
// application once, and the first reply counts. When all copies were refused, or none was answered
// for a while, the message is sent as if it had not been raced.

// nearSalt is the salt whose key says which neighbors are the near nodes of an object.
const nearSalt = 0

// race sends the copies of s. Those that begin where a pointer lies would all go the same way.
func (c *Carrier) race(e env.Env, s *send) {
	s.racing = true
	body := &wire.AppMessage{App: s.App, Guid: s.Key[:], Payload: s.Payload, Race: e.Rand().Uint64() | 1}
	if s.Signed {
		body.Origin = c.sign(e, s, body.Race, s.Key)
	}
	c.repeatIn(e, s, c.Router.Stretched(repeatAfter))
	if len(c.Store.Live(pointers.Key{GUID: s.Key, App: s.App}, e.Now(), 1)) > 0 {
		c.Router.Route(e, c.copyOf(e, s, body, nearSalt))
		return
	}
	c.copyNear(e, s, body)
	for salt := 0; salt < c.cfg.Roots && s.racing && c.sends[s.Call] == s; salt++ {
		c.Router.Route(e, c.copyOf(e, s, body, salt))
	}
}

func (c *Carrier) copyNear(e env.Env, s *send, body *wire.AppMessage) {
	body.Here = true
	for _, near := range c.Router.Near(c.cfg.Space.Salted(s.Key, nearSalt, c.cfg.Roots)) {
		if s.racing && c.sends[s.Call] == s {
			c.Router.RouteVia(e, c.copyOf(e, s, body, nearSalt), near)
		}
	}
	body.Here = false
}

// copyOf is one more copy of s.
func (c *Carrier) copyOf(e env.Env, s *send, body *wire.AppMessage, salt int) *wire.Routed {
	call := env.Call(e.Rand().Uint64())
	s.earlier = append(s.earlier, attempt{call, e.Now()})
	c.calls[call] = s
	key := c.cfg.Space.Salted(s.Key, salt, c.cfg.Roots)
	return &wire.Routed{
		Call: uint64(call), Key: key[:], BodyKind: wire.BodyKind_BODY_MESSAGE, Body: wire.Pack(body),
		DeadlineMs: uint32(max(s.Deadline.Sub(e.Now()), minLeft).Milliseconds()),
	}
}

// raced reports whether a call that was refused, or could not leave, was a copy of a raced message:
// the others may come through.
func (c *Carrier) raced(e env.Env, s *send, call env.Call) bool {
	i := slices.IndexFunc(s.earlier, func(a attempt) bool { return a.call == call })
	if !s.Raced || i < 0 {
		return false
	}
	delete(c.calls, call)
	if s.earlier = slices.Delete(s.earlier, i, i+1); len(s.earlier) == 0 && s.racing {
		c.fallBack(e, s)
	}
	return true
}

// fallBack looks for the servers after all.
func (c *Carrier) fallBack(e env.Env, s *send) {
	s.racing = false
	e.StopTimer(repeatTimer(s.Call))
	c.locate(e, s)
}

// onRepeat is called when a message has not been answered for a while.
func (c *Carrier) onRepeat(e env.Env, call env.Call) {
	if s := c.sends[call]; s != nil && s.racing {
		c.fallBack(e, s)
		return
	}
	c.repeat(e, call)
}

// taken are the raced messages that this node's application was handed, the latest of them.
//
// Invariant: line holds exactly the keys of known, the oldest at next once it is full.
type taken struct {
	known map[uint64]bool
	line  []uint64
	next  int
}

// add notes a message; it reports false if it was known.
func (t *taken) add(race uint64, most int) bool {
	switch {
	case race == 0:
		return true
	case t.known[race]:
		return false
	case len(t.line) < most:
		t.line = append(t.line, race)
	default:
		delete(t.known, t.line[t.next])
		t.line[t.next] = race
		t.next = (t.next + 1) % most
	}
	t.known[race] = true
	return true
}
