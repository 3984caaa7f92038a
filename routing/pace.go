package routing

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/window"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// pace says how many requests of this node's applications may be under way at once. What the links
// cannot carry is turned away where it begins, before it has cost a byte: once it is under way, every
// hop that it has come would be in vain.
//
// What makes the window smaller is the word of a hop that it is busy, and that this node's own
// uplink is behind. That an answer takes long says nothing: a handler may take its time.
//
// Invariants: line has all of open, in the order in which it left; nothing open is older than flight
// when it is counted.
type pace struct {
	window window.Window       // once somebody was busy it grows with answers, not with what first hops take
	shrunk mono.Time           // when somebody was busy last, 0: never
	used   mono.Time           // when at least half of it was under way last, 0: never
	open   map[uint64]struct{} // what is under way, by call
	line   []remembered        // that, and what was answered since the first of it left
	queue  []*transit          // what waits for room, oldest first
}

const (
	// firstWindow is for those who begin much before they know anything. It doubles with each round trip
	// to the first hop.
	firstWindow = 8
	mostWindow  = 8192
	// shrink is what is left of the window, or of twice what is under way, when somebody is busy;
	// leastBusy is the least that this is taken of: the busy one may be that for others.
	shrink    = 0.7
	leastBusy = firstWindow
	// flight is for how long a request counts as under way that is not answered; it may be lost.
	flight = 1500 * time.Millisecond
	// forgiven is how long after somebody was busy last the window begins anew.
	forgiven = 30 * time.Second
	// patient is how long the first in the queue may have waited when another one is taken into it.
	patient = time.Second
	// mostQueued bounds the queue.
	mostQueued = 1024
	// admitEvery is how often the queue is looked at when no answer comes.
	admitEvery = 50 * time.Millisecond
)

func newPace() pace {
	return pace{window: window.New(firstWindow, mostWindow), open: make(map[uint64]struct{})}
}

// paced reports whether requests of this kind are those of applications. Maintenance has paces of
// its own.
func paced(k wire.BodyKind) bool {
	return k == wire.BodyKind_BODY_MESSAGE || k == wire.BodyKind_BODY_LOCATE
}

// room reports whether another request may leave.
func (p *pace) room(now mono.Time) bool {
	if p.window.Steady() && now.Sub(p.shrunk) > forgiven {
		p.window.Anew(firstWindow)
	}
	p.expire(now)
	return p.window.Room(len(p.open)) > 0
}

// began notes that a request leaves.
func (p *pace) began(call uint64, now mono.Time) {
	p.open[call] = struct{}{}
	p.line = append(p.line, remembered{call, now})
	if p.window.Room(2*len(p.open)) == 0 {
		p.used = now
	}
}

// expire forgets what is not under way any more.
func (p *pace) expire(now mono.Time) {
	for len(p.line) > 0 {
		first := p.line[0]
		if _, open := p.open[first.id]; open && now.Sub(first.since) < flight {
			return
		}
		delete(p.open, first.id)
		p.line = p.line[1:]
	}
}

// came notes that a request was answered, however late. While nobody is busy the window has grown before.
func (p *pace) came(call uint64, now mono.Time) {
	if p.window.Steady() {
		p.grow(now)
	}
	delete(p.open, call)
}

// grow makes room for one more, if there was not much more than was used.
func (p *pace) grow(now mono.Time) {
	if p.used != 0 && now.Sub(p.used) < flight { // else it says nothing of how much comes through
		p.window.Came(1)
	}
}

// busy notes that there is too much under way, once for what was under way together.
func (p *pace) busy(now mono.Time) {
	if p.shrunk == 0 || now.Sub(p.shrunk) >= flight/2 {
		p.window.Limit(max(2*len(p.open), leastBusy))
		p.window.Cut(shrink)
		p.shrunk = now
	}
}

// concluded takes the answer to a request that began here into account.
func (r *Router) concluded(e env.Env, m *wire.Routed, why wire.Refusal) {
	switch {
	case !paced(m.BodyKind):
	case why == wire.Refusal_REFUSAL_BUSY:
		r.pace.busy(e.Now())
		delete(r.pace.open, m.Call)
	default:
		r.pace.came(m.Call, e.Now())
	}
}

// taken notes that the first hop has a request that began here. While nobody is busy that is as good as an
// answer, for which a handler may take its time.
func (r *Router) taken(e env.Env, t *transit) {
	if t.from == r.tables.Self && t.in != nil && paced(t.msg.BodyKind) && !r.pace.window.Steady() {
		r.pace.grow(e.Now())
		r.admit(e)
	}
}

// Room reports whether another request of an application may leave at once.
func (r *Router) Room(e env.Env) bool {
	if r.links.Queued(e.Now()) > mostDelay {
		r.pace.busy(e.Now())
	}
	return len(r.pace.queue) == 0 && r.pace.room(e.Now())
}

// waits keeps a request that begins here until there is room for it, and reports whether it does, or
// has refused it because others have waited for too long.
func (r *Router) waits(e env.Env, t *transit) bool {
	p := &r.pace
	_, begun := p.open[t.msg.Call] // and decided about anew: it has waited
	switch {
	case t.from != r.tables.Self || !paced(t.msg.BodyKind) || begun:
		return false
	case r.Room(e):
		p.began(t.msg.Call, e.Now())
		return false
	case len(p.queue) >= mostQueued || len(p.queue) > 0 && e.Now().Sub(p.queue[0].arrived) > patient:
		r.noRoom(e, t)
	default:
		p.queue = append(p.queue, t)
		r.armPace(e)
	}
	return true
}

// noRoom tells the machine of a request that it has not left.
func (r *Router) noRoom(e env.Env, t *transit) {
	r.upcalls[t.in.BodyKind].OnLost(e, t.in, wire.Refusal_REFUSAL_BUSY)
}

func (r *Router) armPace(e env.Env) {
	e.SetTimer(env.TimerKey{Room: env.Routing, What: timerPace}, admitEvery)
}

// admit lets as much leave of what waits as there is room for.
func (r *Router) admit(e env.Env) {
	p := &r.pace
	for len(p.queue) > 0 && p.room(e.Now()) {
		t := p.queue[0]
		p.queue = p.queue[1:]
		if !e.Now().Before(t.deadline) {
			r.noRoom(e, t)
			continue
		}
		p.began(t.msg.Call, e.Now())
		r.next(e, t)
	}
	if len(p.queue) > 0 {
		r.armPace(e)
	}
}
