package stage

import (
	"math/rand/v2"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/calendar"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// actor is a node and its world.
type actor struct {
	stage   *Stage
	self    model.Peer
	place   int
	life    int // counts its lives, from 1
	node    model.Node
	down    bool
	rng     *rand.Rand
	timers  map[model.Timer]uint64 // that are set, by the number of their setting
	set     uint64
	conns   map[model.Addr]*conn
	out     []outgoing
	stalled mono.Time
	uplink  mono.Time // when its uplink will have sent everything
}

var _ model.World = (*actor)(nil)

// conn is one end of a connection.
type conn struct {
	to     *actor
	life   int // of to
	open   bool
	last   mono.Time // when what was sent last arrives: a stream keeps its order
	used   mono.Time
	queued []model.Message // until it is open
}

type outgoing struct {
	conn *conn // nil once it is in a packet
	msg  model.Message
}

type timer struct {
	actor *actor
	life  int
	key   model.Timer
	set   uint64
}

const (
	dialTimeout = 5 * time.Second  // how long a dial of nobody takes
	idleTime    = 30 * time.Second // how long a connection of no use stays open
	maxQueued   = 64               // messages that wait for a connection
)

func (a *actor) live(p model.Protocol) {
	a.life++
	a.down, a.node = false, p.New(a.self)
	a.timers, a.conns = map[model.Timer]uint64{}, map[model.Addr]*conn{}
}

// step runs the node and sends what it has sent.
func (a *actor) step(do func()) {
	if a.down {
		return
	}
	do()
	a.flush()
}

func (a *actor) Now() mono.Time       { return a.stage.now }
func (a *actor) Rand() *rand.Rand     { return a.rng }
func (a *actor) Done(o model.Outcome) { tell2(a.stage.Hooks.Outcome, a.self.At, o) }

func (a *actor) Delivered(call uint64) { tell2(a.stage.Hooks.Delivered, a.self.At, call) }

func tell2[A, B any](hook func(A, B), x A, y B) {
	if hook != nil {
		hook(x, y)
	}
}

func (a *actor) SetTimer(k model.Timer, d time.Duration) {
	a.set++
	a.timers[k] = a.set
	arg := a.stage.timers.put(timer{actor: a, life: a.life, key: k, set: a.set})
	a.stage.push(calendar.Event{At: a.stage.now.Add(d), Kind: evTimer, Host: int32(a.self.At), Arg: arg})
}

func (a *actor) StopTimer(k model.Timer) { delete(a.timers, k) }

func (s *Stage) fire(e calendar.Event) {
	a := s.actors[e.Host]
	if !a.down && s.deferred(a, e) {
		return
	}
	t := s.timers.take(e.Arg)
	if a.down || a.life != t.life || a.timers[t.key] != t.set {
		return
	}
	delete(a.timers, t.key)
	s.note(uint64(a.self.At), uint64(t.key.What)<<32^t.key.N)
	a.step(func() { a.node.OnTimer(a, t.key) })
}

func (a *actor) RTT(to model.Addr) time.Duration {
	if c := a.conns[to]; c != nil && c.open {
		return a.stage.rtt(a, c.to)
	}
	return 0
}

func (a *actor) Send(to model.Addr, m model.Message) {
	if to < 0 || to == a.self.At {
		return
	}
	c := a.conns[to]
	if c == nil {
		c = a.dial(to)
	}
	c.used = a.stage.now
	switch {
	case c.open:
		a.out = append(a.out, outgoing{c, m})
	case len(c.queued) < maxQueued:
		c.queued = append(c.queued, m)
	}
}

// dial opens a connection in two round trips, or finds nobody in dialTimeout.
func (a *actor) dial(to model.Addr) *conn {
	s := a.stage
	peer := s.actors[to]
	c := &conn{to: peer, life: peer.life}
	a.conns[to] = c
	s.totals.Dials++
	tell2(s.Hooks.Opened, a.self.At, to)
	life, wait := a.life, dialTimeout
	if s.reaches(a, peer) {
		wait = 2 * s.rtt(a, peer)
	}
	s.After(wait, func() {
		if a.down || a.life != life || a.conns[to] != c || c.open {
			return
		}
		if !s.reaches(a, peer) {
			delete(a.conns, to)
			return
		}
		s.link(a, peer)
		a.flush()
		peer.flush()
	})
	return c
}

// link opens both ends of a connection.
func (s *Stage) link(a, b *actor) {
	for _, end := range [...][2]*actor{{a, b}, {b, a}} {
		from, to := end[0], end[1]
		c := from.conns[to.self.At]
		if c == nil || c.life != to.life {
			c = &conn{to: to}
			from.conns[to.self.At] = c
		}
		c.open, c.life, c.used = true, to.life, s.now
		for _, m := range c.queued {
			from.out = append(from.out, outgoing{c, m})
		}
		c.queued = nil
	}
	s.After(idleTime, func() { s.idle(a, b) })
}

// idle closes a connection that has not been used and that neither end keeps.
func (s *Stage) idle(a, b *actor) {
	if a.down || b.down {
		return
	}
	there, back := a.conns[b.self.At], b.conns[a.self.At]
	if there == nil || back == nil || there.to != b || there.life != b.life || back.life != a.life {
		return
	}
	used := max(there.used, back.used)
	switch {
	case s.now.Before(used.Add(idleTime)):
		s.After(used.Add(idleTime).Sub(s.now), func() { s.idle(a, b) })
	case a.node.Linked(b.self.At) || b.node.Linked(a.self.At):
		s.After(10*idleTime, func() { s.idle(a, b) })
	default:
		delete(a.conns, b.self.At)
		delete(b.conns, a.self.At)
	}
}

// Close closes both ends; the other hears of it when the word has reached it.
func (a *actor) Close(to model.Addr) {
	c := a.conns[to]
	if c == nil {
		return
	}
	delete(a.conns, to)
	if !c.open || !a.stage.reaches(a, c.to) {
		return
	}
	a.stage.After(a.stage.oneWay(a, c.to), func() { a.stage.closed(c.to, a) })
}

// closed tells a node that the connection to another has gone.
func (s *Stage) closed(a, other *actor) {
	if c := a.conns[other.self.At]; !a.down && c != nil && c.open {
		delete(a.conns, other.self.At)
		a.step(func() { a.node.Closed(a, other.self.At) })
	}
}
