package membership

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// A self-probe is a request for a node's own ID. If it comes home, whoever was asked to route it is of
// the same overlay. If another node takes itself for the root, it is of another one, or a mistake.

// ask sends the request by way of a node that has just answered.
func (p *partition) ask(e env.Env, via idspace.ID) { p.send(e, via, p.m.tables.Self, nil) }

// askPast sends it as if this node did not exist.
func (p *partition) askPast(e env.Env, via idspace.ID) {
	p.send(e, via, p.m.tables.Self, p.m.tables.Self[:])
	p.past = true
}

func (p *partition) send(e env.Env, via, key idspace.ID, excluded []byte) {
	p.call, p.sent, p.near, p.past, p.doubted = e.Rand().Uint64(), e.Now(), p.knows(via), false, nil
	p.m.router.RouteVia(e, &wire.Routed{
		Call: p.call, Key: key[:], BodyKind: wire.BodyKind_BODY_SELF_PROBE,
		Body: wire.Pack(&wire.SelfProbe{Record: p.m.Record(p.m.tables.Self)}), Excluded: excluded,
	}, via)
}

// home takes a request that has come home. If it came straight back from whom it was sent
// to, that says little: he may have got to know this node a moment ago, when it dialed him.
// Then the others there are asked, as if this node did not exist.
func (p *partition) home(e env.Env, r *wire.Routed) {
	path := wire.IDs(r.Path)
	switch {
	case p.call == 0 || r.Call != p.call:
	case len(p.doubted) > 0:
		p.call = 0
		p.believe(e, p.doubted, path) // who looks for a neighbor here knows none of them
	case len(path) == 2 && !p.past && !p.near:
		p.askPast(e, path[1])
	}
}

// OnHop answers a probe at the node that takes itself for the root, unless that is the
// node which asks: then it has come home.
func (p *partition) OnHop(e env.Env, r *wire.Routed, at routing.At) routing.Verdict {
	b, err := wire.Unpack(r.Body, new(wire.SelfProbe))
	if err != nil {
		e.Emit(&env.Dropped{Why: "self-probe: " + err.Error(), Peer: at.From})
		return routing.Continue
	}
	asker, err := p.m.note(e, b.Record)
	switch path := wire.IDs(r.Path); {
	case err != nil || len(path) == 0 || asker != path[0]:
		e.Emit(&env.Dropped{Why: "self-probe: record of another node", Peer: at.From})
		return routing.Continue
	case asker == p.m.tables.Self:
		p.home(e, r)
		return routing.Consumed
	case !at.Root:
		return routing.Continue
	}
	p.m.router.Answer(e, r, wire.Pack(p.reply(asker)), wire.Refusal_REFUSAL_NONE)
	p.m.book.unbury(asker) // it asks, so the gate may see whether it lives
	p.m.consider(e, asker)
	return routing.Consumed
}

// reply is what a probe brings home: nothing, if this node points at the asker and so is of
// the same overlay.
func (p *partition) reply(asker idspace.ID) *wire.SelfProbeReply {
	if p.knows(asker) {
		return new(wire.SelfProbeReply)
	}
	return p.neighborhood(asker)
}

// neighborhood is what the asker would need to be a member here, as a joining node would:
// this node and its leaf set, then the first of each slot, from the longest prefix down.
func (p *partition) neighborhood(asker idspace.ID) *wire.SelfProbeReply {
	reply := new(wire.SelfProbeReply)
	seen := map[idspace.ID]bool{asker: true}
	lend := func(to *[]*wire.SignedRecord, id idspace.ID) {
		record := p.m.Record(id)
		if record != nil && !seen[id] && len(seen) <= wire.MaxRecords {
			seen[id] = true
			*to = append(*to, record)
		}
	}
	lend(&reply.Leaves, p.m.tables.Self)
	for _, id := range p.m.tables.Leaves.All() {
		lend(&reply.Leaves, id)
	}
	for level := p.m.tables.Map.Levels() - 1; level >= 0; level-- {
		for _, n := range p.m.tables.Map.Row(level) {
			if _, primary := p.m.tables.Map.Primary(n.ID); primary {
				lend(&reply.Rows, n.ID)
			}
		}
	}
	return reply
}

// OnReply takes the tables of another root of this node's ID, or of a neighbor's. In the same
// overlay its neighbors on the ring are this node's too.
func (p *partition) OnReply(e env.Env, r *wire.Routed) {
	if p.call == 0 || r.Call != p.call || r.Refusal != wire.Refusal_REFUSAL_NONE || p.m.phase != Active {
		return
	}
	p.call = 0
	b, err := wire.Unpack(r.Body, new(wire.SelfProbeReply))
	if err != nil {
		e.Emit(&env.Dropped{Why: "self-probe reply: " + err.Error()})
		return
	}
	records, trail := slices.Concat(b.Leaves, b.Rows), wire.IDs(r.Trail)
	switch {
	case 2*p.strange(b.Leaves) <= len(b.Leaves):
		p.m.learn(e, records)
	case p.past && p.askElsewhere(e, trail):
		p.doubted = records
	default:
		p.believe(e, records, trail)
	}
}

// believe takes records for those of strangers. The way to them, after this node, begins with one.
func (p *partition) believe(e env.Env, records []*wire.SignedRecord, way []idspace.ID) {
	p.met, p.keen, p.doubted = e.Now(), e.Now().Add(p.cfg.EagerFor), nil
	p.meet(e, records)
	if len(way) > 1 && !p.knows(way[1]) {
		p.tell(e, way[1:2]) // it has a link to this node
	}
	p.m.learn(e, records)
}

// askElsewhere asks the same node for the place of one of this node's neighbors, if it has any:
// who goes past this node may find the slot empty of which it is the only one, and come to a
// root far from it on the ring. A root of the neighbor's that is as strange is no such mistake;
// nor is it one if the request comes by this node, which may be known there since it dialed.
func (p *partition) askElsewhere(e env.Env, trail []idspace.ID) bool {
	for _, id := range p.m.tables.Leaves.All() {
		if len(trail) > 1 && id != trail[1] && !p.m.tables.Leaves.Suspected(id) {
			p.send(e, trail[1], id, nil)
			return true
		}
	}
	return false
}

// strange counts the records of nodes that are in no table of this node.
func (p *partition) strange(records []*wire.SignedRecord) (count int) {
	for _, record := range records {
		if node, err := record.Node(); err == nil && !p.knows(node.ID()) {
			count++
		}
	}
	return count
}

func (p *partition) knows(id idspace.ID) bool {
	return id == p.m.tables.Self || p.m.tables.Leaves.Has(id) || p.m.tables.Map.Has(id)
}

// OnLost is a probe that could not leave this node: there will be others.
func (p *partition) OnLost(env.Env, *wire.Routed, wire.Refusal) {}
