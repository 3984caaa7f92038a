package publish

import (
	"errors"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/tree"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// OnHop deposits a pointer that passes, or that stays because this is its root
// (JSAC Fig. 2).
func (p *Publisher) OnHop(e env.Env, r *wire.Routed, at routing.At) routing.Verdict {
	result, err := p.deposit(e, r, at)
	if err != nil {
		e.Emit(&env.Dropped{Why: "publish: bad record", Peer: at.From})
		p.Router.Answer(e, r, nil, wire.Refusal_REFUSAL_INVALID)
		return routing.Consumed
	}
	if at.Note != nil && result.Pointer != nil {
		at.Note.Pointers = uint32(len(p.Store.Live(result.Pointer.Key, e.Now(), wire.MaxFound)))
	}
	switch {
	case result.Kind == pointers.Older:
		// Its server must know, or the older record would be taken for placed.
		p.acknowledge(e, r, result.Pointer.Sequence())
	case !at.Root:
		return routing.Continue // a hop that is full does not stand in the way
	case result.Kind == pointers.Ignored:
		e.Emit(&env.Dropped{Why: "publish: run out", Peer: at.From})
		p.Router.Answer(e, r, nil, wire.Refusal_REFUSAL_INVALID)
	case result.Kind == pointers.Full:
		p.Router.Decline(e, r, result.Limit, p.roomIn(e))
	case result.Pointer.State == pointers.Withdrawn && len(p.held) < maxHeld && !p.Tree.Settled(e, result.Pointer):
		p.held = append(p.held, withdrawal{r, result.Pointer})
	default:
		p.acknowledge(e, r, result.Pointer.Sequence())
	}
	return routing.Consumed
}

// roomIn is when there may be room for what was refused: when the next pointers run out unless
// their servers speak for them. It is drawn, so that not all who were refused come back at once.
func (p *Publisher) roomIn(e env.Env) time.Duration {
	wait := lease.Life
	if at, ok := p.Store.NextExpiry(); ok {
		wait = min(max(at.Sub(e.Now()), time.Second), wait)
	}
	return wait + p.random(e, wait/2)
}

// withdrawal is one at its root here while others hold copies that have not heard of it: a lookup may
// come by one of them before it comes here.
type withdrawal struct {
	request *wire.Routed
	pointer *pointers.Pointer
}

// maxHeld bounds how many wait at once; more are acknowledged as they come.
const maxHeld = 1024

// OnSettled acknowledges a withdrawal that all know of, and ends this node's own.
func (p *Publisher) OnSettled(e env.Env, m *env.Settled) {
	key := pointers.Key{GUID: m.GUID, App: m.App}
	var known []withdrawal
	p.held = slices.DeleteFunc(p.held, func(w withdrawal) bool {
		is := w.pointer.Key == key && w.pointer.Server.ID == m.Server
		if is {
			known = append(known, w)
		}
		return is
	})
	for _, w := range known {
		p.acknowledge(e, w.request, w.pointer.Sequence())
	}
	if l := p.lays[key]; l != nil && m.Server == p.cfg.Self {
		l.heeded = true
		p.settle(e, l)
	}
}

func (p *Publisher) acknowledge(e env.Env, r *wire.Routed, held pointers.Sequence) {
	p.Router.Answer(e, r, wire.Pack(&wire.PublishReply{
		HeldGeneration: held.Generation, HeldCounter: held.Counter,
	}), wire.Refusal_REFUSAL_NONE)
}

// deposit gives what a publish request brings to the tree. The world has checked that both
// records are signed, the pointer by the server that it names.
func (p *Publisher) deposit(e env.Env, r *wire.Routed, at routing.At) (pointers.Result, error) {
	m, err := wire.Unpack(r.Body, new(wire.Publish))
	if err != nil {
		return pointers.Result{}, err
	}
	rec, err := m.Pointer.Pointer()
	if err != nil {
		return pointers.Result{}, err
	}
	if p.cfg.Space.Salted(wire.ID(rec.Guid), int(m.Salt), int(m.Roots)) != wire.ID(r.Key) {
		return pointers.Result{}, errors.New("the key is not the salted key of the object")
	}
	next := at.Next.To
	if at.Root {
		next = p.cfg.Self
	}
	spent := time.Duration(min(r.SpentUs, maxSpent)) * time.Microsecond
	return p.Tree.Arrive(e, tree.Arrival{Publish: m, From: at.From, Next: next, Latency: spent})
}

// maxSpent bounds what a request may claim to have spent, in microseconds.
const maxSpent = uint64(time.Hour / time.Microsecond)
