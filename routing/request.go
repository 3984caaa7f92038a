package routing

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Route begins a request. The caller sets Call, Key, BodyKind, Body and, if it wants,
// Exact, Excluded, Explain and DeadlineMs; m belongs to the router from now on.
func (r *Router) Route(e env.Env, m *wire.Routed) {
	r.RouteAround(e, m, nil)
}

// RouteAround begins a request that was begun before, by another first hop than those of then
// if there is one that is closer to the key. It returns its first hop, zero if it has none yet.
func (r *Router) RouteAround(e env.Env, m *wire.Routed, tried []idspace.ID) (first idspace.ID) {
	r.begin(m)
	first = r.around(m, tried).To
	r.decide(e, visit{msg: m, from: r.tables.Self, tried: tried})
	return first
}

// around is the next hop of a request, by another than those that were tried if there is one.
func (r *Router) around(m *wire.Routed, tried []idspace.ID) surrogate.Hop {
	skip := surrogate.Skip{Excluded: wire.IDs(m.Excluded)}
	usual := r.tables.Next(wire.ID(m.Key), skip)
	if len(tried) == 0 || usual.Rule == wire.Rule_RULE_ROOT {
		return usual
	}
	skip.Tried = tried
	if hop := r.tables.Next(wire.ID(m.Key), skip); !hop.Wait && hop.Rule != wire.Rule_RULE_ROOT {
		return hop
	}
	return usual
}

// begin gives a request the hops and the time that it has.
func (r *Router) begin(m *wire.Routed) {
	m.HopsLeft = wire.MaxHops
	if m.DeadlineMs == 0 {
		m.DeadlineMs = uint32(r.cfg.Life / time.Millisecond)
	}
}

// RouteVia begins a request at another node, which need not be a neighbor and is dialed if
// there is no link to it: how a joining node asks its seed.
func (r *Router) RouteVia(e env.Env, m *wire.Routed, first idspace.ID) {
	r.begin(m)
	r.forward(e, m, passage{from: r.tables.Self, hop: surrogate.Hop{To: first, Rule: wire.Rule_RULE_NONE}, patience: r.cfg.Dial})
}

// OnRouted takes an envelope from a neighbor.
func (r *Router) OnRouted(e env.Env, from idspace.ID, m *wire.Routed) {
	busy := r.full(e, m)
	e.Send(from, &wire.Ack{Tx: m.Tx, Busy: busy})
	if busy {
		return
	}
	if m.Reply {
		r.reply(e, m, from)
		return
	}
	n := len(m.Path)
	if n == 0 || idspace.ID(m.Path[n-idspace.Size:]) != from {
		drop(e, "path does not end at the sender", from)
		return
	}
	if known := r.calls.find(m.Call); known != nil {
		r.again(e, m, known)
		return
	}
	if !r.copied(e, m) {
		r.request(e, m, from)
	}
}

// copied reports whether a request has come before, by another way or because this node's
// acknowledgement was late. The first copy is this node's to bring on: when links are full, every
// hop would else make two of one. Through a node that it excludes it may come again, and by δ where it
// has followed pointers.
func (r *Router) copied(e env.Env, m *wire.Routed) bool {
	key := copyKey(m)
	if r.seen.find(key) != nil {
		return true
	}
	r.seen.add(key, e.Now())
	return false
}

// copyKey is the same of all copies of a request that exclude as many nodes.
func copyKey(m *wire.Routed) uint64 {
	key := m.Call + uint64(len(m.Excluded))
	if m.Exact {
		key += wire.MaxExclude + 1 // it may have been turned
	}
	if m.Follow {
		key = ^key // it may come once more, by δ
	}
	return key
}

// request decides about a request at this node: its machine may consume it, else it
// goes on, or ends here.
func (r *Router) request(e env.Env, m *wire.Routed, from idspace.ID) {
	r.decide(e, visit{msg: m, from: from})
}

func (r *Router) decide(e env.Env, v visit) {
	m, from := v.msg, v.from
	u := r.upcall(m.BodyKind)
	if u == nil {
		r.refuse(e, m, from, wire.Refusal_REFUSAL_NO_HANDLER)
		return
	}
	if r.keeps(v) {
		r.held = append(r.held, v)
		return
	}
	p := passage{from: from}
	out := m
	through := r.lets(m, from)
	if through {
		out, p.hop, p.soon = r.standIn(m)
	} else {
		p.hop = r.around(m, v.tried)
	}
	if on, hop, ok := r.led(e, u, v); ok && !through {
		p.hop, p.came = hop, m
		m, out = on, on
	}
	root := p.hop.Rule == wire.Rule_RULE_ROOT
	if root {
		b := r.barred(e, m)
		relayed := r.relayed(m, b)
		switch {
		case b.wait:
			r.await(e, m, from)
			return
		case relayed != nil:
			root, out, p.came = false, relayed, m
			p.hop = surrogate.Hop{To: b.by, Rule: wire.Rule_RULE_RELAY, Level: p.hop.Level, Digit: p.hop.Digit}
		case b.why != wire.Refusal_REFUSAL_NONE:
			r.refuse(e, m, from, b.why)
			return
		}
	}
	p.note = r.note(m, p.hop)
	if r.consumes(e, u, &out, p) {
		r.consumed(e, m, p)
		return
	}
	switch {
	case root:
		r.refuse(e, m, from, wire.Refusal_REFUSAL_NO_ROUTE)
	case m.HopsLeft == 0:
		drop(e, "hop limit", from)
		r.refuse(e, m, from, wire.Refusal_REFUSAL_NO_ROUTE)
	default:
		if through && len(r.passed) < r.cfg.Pending {
			r.passed[m.Call] = min(r.deadline(e, m), e.Now().Add(r.cfg.Pass))
		}
		r.forward(e, out, p)
	}
}

// consumes asks the machine that serves m, which may amend what goes on.
func (r *Router) consumes(e env.Env, u Upcall, m **wire.Routed, p passage) bool {
	var body []byte
	r.asking = p.note
	verdict := u.OnHop(e, *m, At{
		Root: p.hop.Rule == wire.Rule_RULE_ROOT, Soon: p.soon, Next: p.hop, From: p.from, Note: p.note, Body: &body,
	})
	r.asking = nil
	if body != nil {
		*m = copyOf(*m)
		(*m).Body = body
	}
	return verdict == Consumed
}

// keeps reports whether a request waits here until this node is a member. What others have let
// pass does not, if there is room to pass it once more: they wait for its answer, and not for ever.
func (r *Router) keeps(v visit) bool {
	if !r.holding || v.from == r.tables.Self || r.awaits(v.msg.Call) || r.Pending() >= r.cfg.Pending {
		return false
	}
	excluded := len(v.msg.Excluded) / idspace.Size
	return excluded == 0 || excluded == wire.MaxExclude
}

// lets reports whether this node is no member yet and lets m, which has reached it, pass: two
// nodes that join at once would else wait for each other (design §6, activation at the joiner).
func (r *Router) lets(m *wire.Routed, from idspace.ID) bool {
	return !r.active && from != r.tables.Self && len(r.proxies) > 0 && !slices.Contains(wire.IDs(m.Excluded), r.tables.Self)
}

// standIn is where a request goes that passes through this node before it is a member, and as
// what: to a node that its own map knows to be nearer to the key, perhaps one that is being
// inserted too; else, soon being the root itself, to somebody who serves it as if this node
// were not there. Of a request that has no room to say so it is this node's to refuse.
func (r *Router) standIn(m *wire.Routed) (out *wire.Routed, hop surrogate.Hop, soon bool) {
	hop = r.tables.Next(wire.ID(m.Key), surrogate.Skip{Excluded: wire.IDs(m.Excluded)})
	switch {
	case ByWayOfMembers(m):
		return m, r.proxy(m, nil), true
	case hop.Rule != wire.Rule_RULE_ROOT:
		return m, hop, false
	case len(m.Excluded) == wire.MaxExclude*idspace.Size:
		return m, hop, true
	}
	out = copyOf(m)
	out.Excluded = append(slices.Clone(m.Excluded), r.tables.Self[:]...)
	return out, r.proxy(out, nil), true
}

// ByWayOfMembers reports whether m is a join that has passed as many nodes which are no members
// as it has room to exclude: the next member inserts the node, be it the root or not.
func ByWayOfMembers(m *wire.Routed) bool {
	return m.BodyKind == wire.BodyKind_BODY_JOIN && len(m.Excluded) == wire.MaxExclude*idspace.Size
}

// proxy is one of the members that serve what comes here or, if those are suspected, who comes
// next in order of δ. Without anybody it says root: the request is this node's to refuse.
func (r *Router) proxy(m *wire.Routed, tried []idspace.ID) surrogate.Hop {
	excluded := wire.IDs(m.Excluded)
	heirs := r.tables.Heirs(wire.ID(m.Key), wire.MaxExclude+1)
	for i, id := range append(slices.Clone(r.proxies), heirs...) {
		_, met := r.links.RTT(id)
		asked := i == len(r.proxies)-1 // the seed, which is no neighbor
		if (met || asked) && !r.links.Suspect(id) && !slices.Contains(excluded, id) && !slices.Contains(tried, id) {
			return surrogate.Hop{To: id}
		}
	}
	return surrogate.Hop{To: r.tables.Self, Rule: wire.Rule_RULE_ROOT}
}

func (r *Router) upcall(k wire.BodyKind) Upcall {
	if k <= 0 || int(k) >= len(r.upcalls) {
		return nil
	}
	return r.upcalls[k]
}

// note begins this node's line in the explanation of m, nil if none is wanted.
func (r *Router) note(m *wire.Routed, hop surrogate.Hop) *wire.HopNote {
	if !m.Explain {
		return nil
	}
	rtt, _ := r.links.RTT(hop.To)
	return &wire.HopNote{
		Node: r.tables.Self[:], Rule: hop.Rule, Level: uint32(hop.Level), Digit: uint32(hop.Digit),
		RttUs: uint64(rtt / time.Microsecond),
	}
}

// consumed remembers a call that ends here, so that it is not shown to its machine twice.
func (r *Router) consumed(e env.Env, m *wire.Routed, p passage) {
	rule := wire.Rule_RULE_POINTER
	if p.hop.Rule == wire.Rule_RULE_ROOT {
		rule = wire.Rule_RULE_ROOT
	}
	r.calls.add(m.Call, e.Now()).note = p.note
	e.Emit(&env.Arrived{
		Call: env.Call(m.Call), Kind: m.BodyKind, Key: wire.ID(m.Key),
		Hops: len(m.Path) / idspace.Size, Rule: rule,
	})
}

// refuse tells the origin that a request ends here unserved.
func (r *Router) refuse(e env.Env, m *wire.Routed, from idspace.ID, why wire.Refusal) {
	if from == r.tables.Self {
		r.concluded(e, m, why)
		if u := r.upcall(m.BodyKind); u != nil {
			u.OnLost(e, m, why)
		}
		return
	}
	r.calls.add(m.Call, e.Now())
	r.Answer(e, m, nil, why)
}

func drop(e env.Env, why string, peer idspace.ID) { e.Emit(&env.Dropped{Why: why, Peer: peer}) }
