package locate

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// OnHop answers a locate that passes a node with pointers to the object, and one
// that has come to the root (JSAC Fig. 3).
func (l *Locator) OnHop(e env.Env, r *wire.Routed, at routing.At) routing.Verdict {
	m, err := wire.Unpack(r.Body, new(wire.Locate))
	if err != nil {
		e.Emit(&env.Dropped{Why: "locate: bad request", Peer: at.From})
		l.Router.Answer(e, r, nil, wire.Refusal_REFUSAL_LIMIT)
		return routing.Consumed
	}
	limit := int(min(m.Limit, wire.MaxFound))
	if limit == 0 {
		limit = 1
	}
	live := l.Store.Live(pointers.Key{GUID: wire.ID(m.Guid), App: m.App}, e.Now(), limit)
	if at.Note != nil {
		at.Note.Pointers = uint32(len(live))
	}
	_, own := l.calls[env.Call(r.Call)] // lookHere has seen what lies here
	if !at.Root && (len(live) == 0 || own && at.From == l.cfg.Self) {
		return routing.Continue
	}
	if len(live) == 0 && l.unsure(e, r.Key) {
		l.Router.Answer(e, r, nil, wire.Refusal_REFUSAL_UNSURE)
		return routing.Consumed
	}
	if at.Note != nil && len(live) > 0 {
		at.Note.Rule = wire.Rule_RULE_POINTER
	}
	reply := new(wire.LocateReply)
	for _, p := range live {
		reply.Replicas = append(reply.Replicas, &wire.FoundReplica{
			Pointer: p.Record, Server: p.Server.Record,
			RttUs: min(r.SpentUs, maxSpent) + uint64(l.latency(p).Microseconds()),
		})
	}
	l.Router.Answer(e, r, wire.Pack(reply), wire.Refusal_REFUSAL_NONE)
	return routing.Consumed
}

// maxSpent bounds what a request or an answer may claim of time, in microseconds.
const maxSpent = uint64(time.Hour / time.Microsecond)

// latency is how far the server of a pointer is from here, as this node measures it
// now, or as it was told when the pointer came.
func (l *Locator) latency(p *pointers.Pointer) time.Duration {
	if p.Server.ID == l.cfg.Self {
		return 0
	}
	if rtt, ok := l.Links.RTT(p.Server.ID); ok {
		return rtt
	}
	return p.Latency
}
