package membership

import (
	"fmt"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// PartitionConfig says how overlays that have lost each other find together again
// (Bamboo; FreePastry; design §6, partitions).
type PartitionConfig struct {
	// Period is the mean time between two probes for this node's own ID. If zero, 60 s.
	Period time.Duration
	// Eager is that time while this node is lonely, and for EagerFor after it has founded an
	// overlay or met strangers; the join of any other was a probe itself. If zero, 5 s and
	// one minute.
	Eager, EagerFor time.Duration
	// Lost is how many neighbors found dead are remembered, LostFor for how long. If zero,
	// 20 and 90 min.
	Lost    int
	LostFor time.Duration
	// Buried is how long hearsay of a neighbor found dead is ignored: by then others know of its
	// death, and who is named still may have been cut off for a moment. If zero, 1 min.
	Buried time.Duration
	// Alone is how long a node that has lost everybody waits for one of them before it
	// answers as root again. If zero, 60 s.
	Alone time.Duration
	// Doubt is for how long after strangers were met nothing is absent. If zero, 10 s: the
	// deadline of a request.
	Doubt time.Duration
}

func (c PartitionConfig) withDefaults() PartitionConfig {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Period, time.Minute}, {&c.Eager, 5 * time.Second}, {&c.EagerFor, time.Minute},
		{&c.LostFor, 90 * time.Minute}, {&c.Buried, time.Minute}, {&c.Alone, time.Minute},
		{&c.Doubt, 10 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Lost == 0 {
		c.Lost = 20
	}
	return c
}

func (c PartitionConfig) validate() error {
	if c.Period <= 0 || c.Eager <= 0 || c.EagerFor < 0 || c.Lost < 1 || c.LostFor <= 0 {
		return fmt.Errorf("membership: Partition.Period %v, Eager %v, EagerFor %v, Lost %d, LostFor %v: want positive",
			c.Period, c.Eager, c.EagerFor, c.Lost, c.LostFor)
	}
	if c.Buried <= 0 || c.Alone <= 0 || c.Doubt <= 0 {
		return fmt.Errorf("membership: Partition.Buried %v, Alone %v, Doubt %v: want positive", c.Buried, c.Alone, c.Doubt)
	}
	return nil
}

// partition is the part of a member that looks for those who are out of sight: gossip
// goes along links, so that it never notices that an overlay has come apart. From time to
// time this node asks a seed, or a neighbor lost lately, to route a request to this node's
// own ID. If that comes home, all is well. If somebody else takes itself for the root, it
// is of another overlay, or of a side that has buried this node.
type partition struct {
	m     *Member
	cfg   PartitionConfig
	seeds []idspace.ID
	lost  lostList

	turn int        // probes so far
	via  idspace.ID // whose verdict is waited for before it is asked, zero if nobody's
	call uint64     // the request on its way
	sent mono.Time  // when it left
	near bool       // it went by way of a neighbor
	past bool       // it goes past this node

	doubted []*wire.SignedRecord // strangers whom askElsewhere asks about, see there

	met  mono.Time // when a request last came to strangers
	keen mono.Time // until when to look for others eagerly

	lonely bool     // this node has lost everybody
	doubt  doubting // of what is absent
}

var _ routing.Upcall = (*partition)(nil)

func newPartition(m *Member, cfg PartitionConfig) *partition {
	return &partition{m: m, cfg: cfg}
}

// SelfProbes is what serves requests of the kind BODY_SELF_PROBE.
func (m *Member) SelfProbes() routing.Upcall { return m.partition }

// OnSeeds takes other seeds: a member asks one of them soon if any is new to it, or if it
// has lost everybody.
func (m *Member) OnSeeds(e env.Env, s *env.Seeds) {
	p := m.partition
	known := p.seeds
	p.setSeeds(s.IDs)
	news := slices.ContainsFunc(p.seeds, func(id idspace.ID) bool { return !slices.Contains(known, id) })
	if m.phase == Active && (news || p.alone()) {
		e.SetTimer(env.TimerKey{Room: env.Membership, What: timerProbe}, env.Jitter(e, p.cfg.Eager/2))
	}
}

// maxSeeds bounds the seeds that are remembered.
const maxSeeds = 64

func (p *partition) setSeeds(seeds []idspace.ID) {
	p.seeds = slices.DeleteFunc(slices.Clone(seeds), func(id idspace.ID) bool { return id == p.m.tables.Self })
	p.seeds = p.seeds[:min(len(p.seeds), maxSeeds)]
}

// begin sets the first timer: this node is a member now. Who founds an overlay may find
// that others have done so as well.
func (p *partition) begin(e env.Env) {
	if p.alone() {
		p.keen = e.Now().Add(p.cfg.EagerFor)
	}
	p.schedule(e)
}

func (p *partition) schedule(e env.Env) {
	period := p.cfg.Period
	if p.lonely || e.Now() < p.keen {
		period = p.cfg.Eager
	}
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerProbe}, env.Jitter(e, period))
}

// look begins the next probe: by way of a seed and of a lost node in turn.
func (p *partition) look(e env.Env) {
	if p.m.phase != Active {
		return
	}
	p.schedule(e)
	if _, waiting := p.m.gate.probing[p.via]; waiting {
		return
	}
	p.lost.expire(e.Now(), p.cfg.LostFor)
	p.turn++
	p.via, p.call = p.choose(e), 0
	if p.via.IsZero() {
		return
	}
	if _, busy := p.m.gate.probing[p.via]; !busy {
		p.m.probe(e, p.via, wire.Use_USE_NONE)
	}
}

// maxPutOff bounds how often the time doubles after which a lost node is looked for again.
const maxPutOff = 3

// choose says by way of whom to probe, zero if there is nobody.
func (p *partition) choose(e env.Env) idspace.ID {
	n := p.lost.next()
	if n != nil && n.due <= e.Now() && (p.turn%2 == 1 || len(p.seeds) == 0) {
		n.due = e.Now().Add(p.cfg.Period << min(n.tries, maxPutOff))
		if p.lonely {
			n.due = e.Now()
		}
		n.tries++
		p.remember(e, n)
		return n.id
	}
	if len(p.seeds) > 0 {
		return p.seeds[e.Rand().IntN(len(p.seeds))]
	}
	return idspace.ID{}
}

// remember writes a lost node into the book again, which may have forgotten it.
func (p *partition) remember(e env.Env, n *lostNode) {
	if p.m.book.find(n.id) == nil {
		_, _ = p.m.note(e, n.record) // it was good when it came
		p.m.book.bury(n.id, e.Now().Add(p.cfg.Buried))
	}
}

// verdict takes heartbeat's judgement of any node, and reports whether it was asked for
// here alone.
func (p *partition) verdict(e env.Env, v *env.Verdict, use wire.Use) bool {
	if v.Alive {
		p.m.book.unbury(v.Peer)
	}
	if v.Peer != p.via || p.m.phase != Active {
		return false
	}
	p.via = idspace.ID{}
	if !v.Alive {
		return use == wire.Use_USE_NONE
	}
	p.lost.drop(v.Peer)
	p.ask(e, v.Peer)
	if use != wire.Use_USE_NONE {
		return false
	}
	p.m.consider(e, v.Peer)
	return true
}

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
	case r.Call != p.call:
	case wire.ID(r.Key) != p.m.tables.Self:
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
