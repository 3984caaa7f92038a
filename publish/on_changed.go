package publish

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// OnChanged hides the pointers of servers found dead, and looks for pointers whose
// next hop is now another (JSAC §III-C: object pointer redistribution). A neighbor that
// is merely suspected moves nothing.
func (p *Publisher) OnChanged(e env.Env, m *env.Changed) {
	for _, server := range m.Dead {
		for _, hidden := range p.Store.Bury(server) {
			e.Emit(&env.Removed{GUID: hidden.GUID, Server: server, Why: "server dead"})
		}
	}
	p.withdrawnTo(e, m.Removed)
	if len(m.Added)+len(m.Removed) > 0 {
		p.startSweep(e)
	}
}

// sweep is how far a look at all pointers has come. It walks Store from the end to
// the beginning, because a removal moves the last pointer into the gap.
type sweep struct {
	at   int // the pointer looked at last
	left int // pointers still to be looked at
}

// startSweep looks at every pointer's next hop soon, a portion at a time. A change
// during a sweep makes it go once around from where it is, so that no end of the
// store starves; what a removal moves out of its sight waits for the next lay.
func (p *Publisher) startSweep(e env.Env) {
	if p.sweep.left = p.Store.Len(); p.sweep.left > 0 {
		p.arm(e, timerSweep, e.Now().Add(p.cfg.Settle))
	}
}

// onSweep looks at a portion.
func (p *Publisher) onSweep(e env.Env) {
	pushed := 0
	for budget := p.cfg.Portion; budget > 0 && p.sweep.left > 0 && 4*pushed < p.cfg.Portion && p.pace.room(); budget-- {
		if p.sweep.at = min(p.sweep.at, p.Store.Len()); p.sweep.at == 0 {
			p.sweep.at = p.Store.Len()
		}
		if p.sweep.at == 0 {
			p.sweep.left = 0
			return
		}
		p.sweep.at--
		p.sweep.left--
		pushed += p.redirect(e, p.Store.At(p.sweep.at))
	}
	if p.sweep.left > 0 && p.pace.room() {
		p.arm(e, timerSweep, e.Now().Add(step))
	}
}

// redirect pushes ptr along every path whose next hop has changed, and says how many
// those were. Its server pushes its own the same way; the next lay renews it.
func (p *Publisher) redirect(e env.Env, ptr *pointers.Pointer) (pushed int) {
	if ptr.State == pointers.Dead || ptr.Expires() <= e.Now() {
		return 0
	}
	for i := range ptr.Paths() {
		path := ptr.Paths()[i]
		if path.Until <= e.Now() {
			continue
		}
		hop := p.Router.Course(p.cfg.Space.Salted(ptr.GUID, path.Salt, path.Roots))
		switch {
		case hop.Wait || hop.To == path.Next:
		case hop.Rule == wire.Rule_RULE_ROOT || hop.To == p.cfg.Self:
			p.Store.Passed(ptr, path, p.cfg.Self)
		default:
			p.Store.Passed(ptr, path, hop.To)
			if p.push(e, ptr, path, attempt{until: e.Now().Add(p.cfg.GiveUp)}) {
				pushed++
			}
		}
	}
	return pushed
}

// push sends a pointer that this node holds to the next hop of one of its paths,
// with what is left of its life. Of a, when to give up and what it is part of count. A root that
// is no member yet may keep it, whether this node inserts it or not: it has been placed before,
// and the root becomes one of those who route to it soon.
func (p *Publisher) push(e env.Env, ptr *pointers.Pointer, path pointers.Path, a attempt) bool {
	left := uint32(ptr.Expires().Sub(e.Now()) / time.Second)
	if left == 0 {
		return false
	}
	a.key, a.server, a.salt, a.roots = ptr.Key, ptr.Server.ID, path.Salt, path.Roots
	p.route(e, a, &wire.Routed{
		Key: p.salted(ptr.Key, path.Salt, path.Roots),
		Body: wire.Pack(&wire.Publish{
			Pointer: ptr.Record, Server: ptr.Server.Record,
			Salt: uint32(path.Salt), Roots: uint32(path.Roots), LeftS: left, HandOver: true,
		}),
		SpentUs: uint64(ptr.Latency.Microseconds()), // the way from the server to here
	})
	return true
}

// pushAgain repeats a push that nobody acknowledged, if the pointer is still held
// and still has somewhere to go; else it reports false.
func (p *Publisher) pushAgain(e env.Env, a attempt) bool {
	ptr := p.Store.Find(a.key, a.server)
	leaving := a.hand != nil && a.hand.to.IsZero()
	if ptr == nil || ptr.State == pointers.Dead || p.isRoot(a) && !leaving {
		return false
	}
	for _, path := range ptr.Paths() {
		if path.Salt == a.salt && path.Roots == a.roots {
			return p.push(e, ptr, path, a)
		}
	}
	return false
}

func (p *Publisher) isRoot(a attempt) bool {
	var hop surrogate.Hop = p.Router.Course(p.cfg.Space.Salted(a.key.GUID, a.salt, a.roots))
	return hop.To == p.cfg.Self
}
