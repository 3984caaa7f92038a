package publish

import (
	"fmt"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Many objects are laid as one batch, under one signature (design §8). No request follows their paths: the tree lays them, and says
// of each object and salt whether it has arrived.

// group is a batch on its way.
type group struct {
	name     uint64
	app      string
	sequence pointers.Sequence
	objects  map[idspace.ID]*tally
	order    []idspace.ID // of them
	open     int          // objects of which it is not known yet whether enough roots have them
	untold   int          // objects and salts of which nothing is known yet
	call     env.Call     // who waits, 0 if nobody does
	farewell *farewell    // a withdrawal because this node leaves: of which; else nil
}

// tally counts the roots that have an object, and those that have not.
type tally struct{ placed, missing int }

// decided reports whether nothing that is still to be told can change what became of an object.
func (t *tally) decided(roots, acks int) bool { return t.placed >= acks || roots-t.missing < acks }

// OnPublishBatch begins to serve the objects of a batch. What too few roots are known to have is served on if the deadline has not
// come, and named: whoever has asked tries these again, one by one.
func (p *Publisher) OnPublishBatch(e env.Env, m *env.PublishBatchRequest) {
	var order []idspace.ID
	for leaf := range m.Part.Leaves() {
		if leaf.Salt > 0 {
			break
		}
		order = append(order, leaf.GUID)
	}
	fresh := 0
	for _, guid := range order {
		if !p.Served.Has(pointers.Key{GUID: guid, App: m.App}) {
			fresh++
		}
	}
	switch {
	case !p.Router.Active():
		e.Deliver(&env.Outcome{Call: m.Call, Status: env.NotJoined})
		return
	case !p.serves(e, m.Call, pointers.Key{App: m.App}):
		return
	case p.Served.Room() < fresh:
		e.Deliver(&env.Outcome{Call: m.Call, Status: env.Limit, Refused: []env.Refused{{By: p.cfg.Self, Limit: env.LimitServed}}})
		return
	}
	in := p.cfg.Period/2 + p.random(e, p.cfg.Period/2)
	for _, guid := range order {
		p.schedule(e, p.Served.Add(pointers.Key{GUID: guid, App: m.App}, p.cfg.Roots), in)
	}
	until := m.Deadline
	if until == 0 {
		until = e.Now().Add(p.cfg.GiveUp)
	}
	g := p.beginGroup(e, m.App, order, m.Part, false, until)
	g.call = m.Call
	p.calls[m.Call] = g
	e.SetTimer(env.TimerKey{Room: env.Publish, What: timerDeadline, N: uint64(m.Call)}, max(until.Sub(e.Now()), 0))
}

// beginGroup signs a batch and has it laid. What is under way to say the contrary of one of these objects is overtaken; a single record
// that says the same goes above the batch where it meets that.
func (p *Publisher) beginGroup(e env.Env, app string, order []idspace.ID, part *batch.Part, withdrawn bool, until mono.Time) *group {
	p.last.Counter++
	g := &group{
		name: p.last.Counter, app: app, sequence: p.last, objects: make(map[idspace.ID]*tally, len(order)), order: order,
		open: len(order), untold: len(order) * p.cfg.Roots,
	}
	signed, rec := p.signBatch(e, g, part, withdrawn)
	under := &pointers.Batch{Record: rec}
	overtaken := env.Busy
	if p.leaving != nil {
		overtaken = env.NotJoined
	}
	for _, guid := range order {
		g.objects[guid] = new(tally)
		key := pointers.Key{GUID: guid, App: app}
		if l := p.lays[key]; l != nil && l.withdrawn != withdrawn {
			p.forget(l)
			for _, j := range slices.Clone(l.jobs) {
				p.end(e, j, overtaken)
			}
		}
		if o := p.Served.Find(key); o != nil && !withdrawn {
			o.Alone()
			o.Sequence, o.Batch = g.sequence, under
			under.Objects = append(under.Objects, o)
		}
	}
	if !withdrawn {
		p.groups[g.name] = g
		p.serve(under)
	}
	p.Tree.Serve(e, g.name, signed, part, until)
	return g
}

func (p *Publisher) signBatch(e env.Env, g *group, part *batch.Part, withdrawn bool) (*wire.SignedRecord, *wire.BatchRecord) {
	rec := &wire.BatchRecord{
		Network: p.cfg.Network, App: g.app, Server: p.cfg.Self[:], Generation: g.sequence.Generation, Counter: g.sequence.Counter,
		Withdrawn: withdrawn, LifeS: uint32(p.cfg.Life.Seconds()),
	}
	part.Commit(rec)
	return p.signed(e, rec), rec
}

// OnPlaced takes the tree's word on one object of a batch under one salt. It is called within the tree: what follows comes later.
func (p *Publisher) OnPlaced(e env.Env, name uint64, guid idspace.ID, placed bool) {
	g := p.groups[name]
	if g == nil {
		return
	}
	t := g.objects[guid]
	before := t.decided(p.cfg.Roots, p.cfg.Acks)
	if placed {
		t.placed++
	} else {
		t.missing++
	}
	if o := p.Served.Find(pointers.Key{GUID: guid, App: g.app}); placed && o != nil && o.Sequence == g.sequence {
		o.Established = true
		o.Stands = o.Stands || t.placed >= p.cfg.Acks
	}
	if !before && t.decided(p.cfg.Roots, p.cfg.Acks) {
		g.open--
	}
	if g.untold--; g.open == 0 || g.untold == 0 {
		p.arm(e, timerGroups, e.Now())
	}
}

// onGroups ends the calls whose batches have arrived, and forgets those of which all is known.
func (p *Publisher) onGroups(e env.Env) {
	for _, name := range sortedNames(p.groups) {
		g := p.groups[name]
		if g.open == 0 {
			p.endGroup(e, g, env.OK)
		}
		if g.untold > 0 {
			continue
		}
		delete(p.groups, name)
		if g.farewell != nil && g.farewell == p.leaving {
			p.oneParted(e)
		}
	}
}

func sortedNames(groups map[uint64]*group) []uint64 {
	names := make([]uint64, 0, len(groups))
	for name := range groups { // unordered: sorted below
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// endGroup tells whoever waits for a batch what became of it.
func (p *Publisher) endGroup(e env.Env, g *group, status env.Status) {
	if call := g.call; call != 0 {
		p.releaseGroup(e, g)
		o := &env.Outcome{Call: call, Status: status, Missing: p.missing(g)}
		for _, guid := range g.order {
			if !p.Served.Has(pointers.Key{GUID: guid, App: g.app}) {
				o.Overtaken = append(o.Overtaken, guid)
			}
		}
		e.Deliver(o)
	}
}

// releaseGroup lets go of whoever waits for a batch, without an outcome.
func (p *Publisher) releaseGroup(e env.Env, g *group) {
	e.StopTimer(env.TimerKey{Room: env.Publish, What: timerDeadline, N: uint64(g.call)})
	delete(p.calls, g.call)
	g.call = 0
}

// missing lists the objects that are served still, and that too few roots are known to have.
func (p *Publisher) missing(g *group) (missing []idspace.ID) {
	for _, guid := range g.order {
		if g.objects[guid].placed < p.cfg.Acks && p.Served.Has(pointers.Key{GUID: guid, App: g.app}) {
			missing = append(missing, guid)
		}
	}
	return missing
}

// giveUpGroup ends a batch that nobody waits for any longer: what no root is known to have is taken back.
func (p *Publisher) giveUpGroup(e env.Env, g *group, status env.Status) {
	p.endGroup(e, g, status)
	var back []idspace.ID
	for _, guid := range p.missing(g) {
		key := pointers.Key{GUID: guid, App: g.app}
		if o := p.Served.Find(key); o != nil && o.Sequence == g.sequence && !stays(o, status) {
			p.Served.Remove(key)
			back = append(back, guid)
		}
	}
	if len(back) < fewest {
		for _, guid := range back {
			p.begin(e, &lay{key: pointers.Key{GUID: guid, App: g.app}, withdrawn: true})
		}
		return
	}
	p.beginGroup(e, g.app, back, p.build(back), true, e.Now().Add(p.cfg.GiveUp))
}

// fewest is of how many objects on it is worth while to make a batch.
const fewest = 32

// build makes a batch of objects that this node has had in one before, so that nothing can be wrong with them.
func (p *Publisher) build(guids []idspace.ID) *batch.Part {
	part, err := batch.Build(p.cfg.Space, guids, p.cfg.Roots)
	if err != nil {
		panic(fmt.Sprintf("publish: %v", err))
	}
	return part
}

// relayBatch is of how many objects a batch is made that is laid again: making it takes a few milliseconds, in which nothing else happens.
const (
	relayBatch = 1000
	mostGroups = 4 // that are under way when another one is laid again
)

// relayGroup lays those again that are due with an object, and were laid as a batch that cannot be renewed. It reports whether there
// was room for it.
func (p *Publisher) relayGroup(e env.Env, first *pointers.Object) bool {
	if len(p.groups) >= mostGroups {
		return false
	}
	app, order, in := first.App, []idspace.ID(nil), p.nextRelay(e)
	for o := first; o != nil && o.Batch != nil && o.App == app && len(order) < relayBatch && !e.Now().Before(o.Due()); o = p.Served.Next() {
		order = append(order, o.GUID)
		p.schedule(e, o, in)
	}
	if len(order) < 2 {
		p.begin(e, &lay{key: pointers.Key{GUID: order[0], App: app}})
		return true
	}
	p.beginGroup(e, app, order, p.build(order), false, e.Now().Add(p.cfg.GiveUp))
	return true
}
