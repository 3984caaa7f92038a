package publish

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// OnReply takes a root's acknowledgement, or why it refused.
func (p *Publisher) OnReply(e env.Env, r *wire.Routed) {
	call := env.Call(r.Call)
	a, ok := p.attempts[call]
	if !ok {
		return
	}
	if r.Refusal != wire.Refusal_REFUSAL_NONE && r.Refusal != wire.Refusal_REFUSAL_LIMIT {
		a.lay.roots[a.salt].invalid = r.Refusal == wire.Refusal_REFUSAL_INVALID
		return // the attempt stays, and is repeated when it is due
	}
	reply := new(wire.PublishReply)
	if r.Refusal == wire.Refusal_REFUSAL_NONE {
		var err error
		if reply, err = wire.Unpack(r.Body, reply); err != nil {
			e.Emit(&env.Dropped{Why: "publish: bad reply"})
			return
		}
	}
	delete(p.attempts, call)
	if l := a.lay; p.lays[l.key] == l && l.roots[a.salt].state == waiting {
		p.answered(e, a, r, pointers.Sequence{Generation: reply.HeldGeneration, Counter: reply.HeldCounter})
	}
}

// answered notes a root's answer to a lay.
func (p *Publisher) answered(e env.Env, a attempt, r *wire.Routed, held pointers.Sequence) {
	l, trail := a.lay, wire.IDs(r.Trail)
	if held.Above(l.sequence) {
		p.goAbove(e, a, held)
		return
	}
	at := &l.roots[a.salt]
	at.notes = r.Notes
	if len(trail) > 0 {
		at.id = trail[len(trail)-1]
	}
	if r.Refusal == wire.Refusal_REFUSAL_LIMIT {
		at.state, at.limit = refused, env.LimitOf(r.Limit)
		at.again = min(time.Duration(r.RetryAfterMs)*time.Millisecond, mostAgain)
		l.refused++
	} else {
		at.state = acknowledged
		l.acks++
		p.establish(l, a.salt, at.id)
	}
	p.settle(e, l)
}

// mostAgain bounds for how long a peer may put a publisher off.
const mostAgain = time.Hour

// establish notes that a root has the object.
func (p *Publisher) establish(l *lay, salt int, by idspace.ID) {
	if o := p.Served.Find(l.key); o != nil && !l.withdrawn {
		o.Established = true
		o.Stands = o.Stands || l.acks >= p.cfg.Acks
		o.Roots[salt] = by
	}
}

// A node that restarted with its clock set back meets its own higher sequences. The
// claim is not signed: what no honest past of this node can explain is not believed,
// so that a lie cannot use the sequences up.
const (
	maxAhead   = 10 * 365 * 24 * 3600 // generations are seconds
	maxCounter = 1 << 48
)

// goAbove repeats a lay under a sequence above the one that somebody holds (design §8).
func (p *Publisher) goAbove(e env.Env, a attempt, held pointers.Sequence) {
	l := a.lay
	if l.raised == maxRaises || held.Generation > p.cfg.Generation+maxAhead || held.Counter > maxCounter {
		e.Emit(&env.Dropped{Why: "publish: sequence not believed"})
		// Not an acknowledgement: ask again when it would have been due.
		p.expect(e, env.Call(e.Rand().Uint64()), a)
		return
	}
	if held.Above(p.last) {
		p.last = held
	}
	p.begin(e, &lay{key: l.key, withdrawn: l.withdrawn, raised: l.raised + 1})
}

// OnLost is told that an attempt could not leave this node. It is repeated when it
// is due, unless this node is no member: then nothing can be placed.
func (p *Publisher) OnLost(e env.Env, r *wire.Routed, why wire.Refusal) {
	a, ok := p.attempts[env.Call(r.Call)]
	if !ok || why != wire.Refusal_REFUSAL_NOT_JOINED {
		return
	}
	delete(p.attempts, env.Call(r.Call))
	l := a.lay
	if p.lays[l.key] != l {
		return
	}
	p.forget(l)
	p.parted(e, l)
	if o := p.Served.Find(l.key); o != nil && !l.withdrawn && !o.Sequence.Above(l.sequence) && !stays(o, env.NotJoined) {
		p.Served.Remove(l.key)
	}
	for _, j := range slices.Clone(l.jobs) {
		p.end(e, j, env.NotJoined)
	}
}
