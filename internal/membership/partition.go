package membership

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/setting"
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

func (c *PartitionConfig) settings() []setting.Setting {
	return []setting.Setting{
		setting.Of("Partition.Period", &c.Period, time.Minute),
		setting.Of("Partition.Eager", &c.Eager, 5*time.Second),
		setting.Of("Partition.EagerFor", &c.EagerFor, time.Minute),
		setting.Of("Partition.Lost", &c.Lost, 20),
		setting.Of("Partition.LostFor", &c.LostFor, 90*time.Minute),
		setting.Of("Partition.Buried", &c.Buried, time.Minute),
		setting.Of("Partition.Alone", &c.Alone, time.Minute),
		setting.Of("Partition.Doubt", &c.Doubt, 10*time.Second),
	}
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
