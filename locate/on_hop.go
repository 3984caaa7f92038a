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
		l.Router.Answer(e, r, nil, wire.Refusal_REFUSAL_INVALID)
		return routing.Consumed
	}
	limit := int(min(m.Limit, wire.MaxFound))
	if limit == 0 {
		limit = 1
	}
	if m.Fresh && !at.Root {
		return routing.Continue
	}
	by := asker{
		coord: wire.CoordIn(m.Coord), spent: time.Duration(min(r.SpentUs, maxSpent)) * time.Microsecond,
		zone: zone{m.Zone, m.Local},
	}
	key := pointers.Key{GUID: wire.ID(m.Guid), App: m.App}
	l.Tree.Sought(e, key)
	live := l.nearest(e, key, by, limit)
	cached := len(live) == 0 && m.Cached && !at.Root && at.From != l.cfg.Self
	if cached {
		l.Passed(e, key, wire.ID(r.Key))
		live = l.within(e, key, by, limit)
	}
	if at.Note != nil {
		at.Note.Pointers = uint32(len(live))
	}
	_, own := l.calls[env.Call(r.Call)] // lookHere has seen what lies here
	if m.Here && at.From != l.cfg.Self {
		l.Router.Answer(e, r, wire.Pack(replyOf(live, m)), wire.Refusal_REFUSAL_NONE)
		return routing.Consumed
	}
	if !at.Root && (allDoubted(live) || own && at.From == l.cfg.Self) {
		return routing.Continue
	}
	if len(live) == 0 && l.unsure(e, r.Key) {
		l.Router.Answer(e, r, nil, wire.Refusal_REFUSAL_UNSURE)
		return routing.Consumed
	}
	if at.Note != nil && len(live) > 0 {
		at.Note.Rule = wire.Rule_RULE_POINTER
	}
	if m.Fresh {
		live = l.withGone(e, key, live)
	}
	if !cached {
		l.named(e, live)
	}
	l.Router.Answer(e, r, wire.Pack(replyOf(live, m)), wire.Refusal_REFUSAL_NONE)
	return routing.Consumed
}

// allDoubted reports whether there is no pointer but to servers of which somebody says that they
// are dead: others further on may know one that lives.
func allDoubted(live []offer) bool { return len(live) == 0 || live[0].Server.Doubted() }

// named has somebody look after the server that an asker is likely to turn to.
func (l *Locator) named(e env.Env, live []offer) {
	if len(live) > 0 && live[0].State == pointers.Live {
		l.Tree.Asked(e, live[0].Server)
	}
}

// withGone adds the tombstones that lie here, as far as there is room; a withdrawal outweighs
// what others still hold.
func (l *Locator) withGone(e env.Env, key pointers.Key, live []offer) []offer {
	for _, p := range l.Store.Tombstones(key, e.Now(), wire.MaxFound-len(live)) {
		live = append(live, offer{Pointer: p})
	}
	return live
}

// replyOf names servers to whoever asks; to one whose next step is a message to them, with their doors.
func replyOf(live []offer, m *wire.Locate) *wire.LocateReply {
	reply := new(wire.LocateReply)
	for i := range live {
		f := live[i].found()
		if m.Cached {
			f.Doors = live[i].Server.Doors
		}
		reply.Replicas = append(reply.Replicas, f)
	}
	return reply
}

// found is o as it travels.
func (o *offer) found() *wire.FoundReplica {
	proof, under := o.Proof()
	return &wire.FoundReplica{
		Pointer: o.Record(), Proof: proof, Under: uint32(under), Server: o.Server.Record, Coord: o.coord.Packed(), RttUs: uint64(o.far.Microseconds()),
		Doubted: o.Server.Doubted(),
	}
}

// maxSpent bounds what a request or an answer may claim of time, in microseconds.
const maxSpent = uint64(time.Hour / time.Microsecond)
