package routing

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Leader is an upcall that may know better than δ where a request should go: a pointer says who
// serves an object, and which way that is.
type Leader interface {
	Upcall
	// Lead says where m goes from here; ok is false if the machine knows nothing better. It may go
	// to those neighbors that are open to it: who lives, as far as is known, and has not had it.
	Lead(e env.Env, m *wire.Routed, open func(idspace.ID) bool) (lead Lead, ok bool)
}

// Lead is where a request goes.
type Lead struct {
	To  idspace.ID // a neighbor that is open to it; zero: by δ
	Key idspace.ID // turns a request for whoever serves a key into one for this very node; zero: it stays
}

// led asks for a lead. A request has at most three parts to its way, each of which ends by itself
// (docs/adr/0020-messages-follow-pointers.md): towards a key δ shrinks; turned towards a node, once,
// it follows leads, and no node is on its path twice; once it has gone by δ again it does so to its
// end. out is the request as it goes on.
func (r *Router) led(e env.Env, u Upcall, v visit) (out *wire.Routed, hop surrogate.Hop, ok bool) {
	m := v.msg
	leader, is := u.(Leader)
	if !is || m.Exact && !m.Follow && v.from != r.tables.Self || wire.ID(m.Key) == r.tables.Self {
		return nil, hop, false
	}
	open := func(to idspace.ID) bool { return r.follows(v, to) }
	lead, ok := leader.Lead(e, m, open)
	turned := ok && !m.Exact && !lead.Key.IsZero()
	if !ok || !turned && !m.Exact {
		return nil, hop, false
	}
	if out = m; turned {
		out = copyOf(m)
		out.Key, out.Exact = lead.Key[:], true
	}
	if open(lead.To) {
		return out, surrogate.Hop{To: lead.To, Rule: wire.Rule_RULE_FOLLOW}, true
	}
	return out, r.around(out, nil), turned
}

// follows reports whether a request may be given to a neighbor whatever its δ.
func (r *Router) follows(v visit, to idspace.ID) bool {
	_, met := r.links.RTT(to)
	return met && to != r.tables.Self && !r.links.Suspect(to) && !slices.Contains(v.missed, to) &&
		!slices.Contains(wire.IDs(v.msg.Path), to) && !slices.Contains(wire.IDs(v.msg.Excluded), to)
}
