package publish

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Router is what a Publisher asks of routing.
type Router interface {
	Route(e env.Env, m *wire.Routed)
	RouteVia(e env.Env, m *wire.Routed, first idspace.ID)
	Answer(e env.Env, request *wire.Routed, body []byte, why wire.Refusal)
	Course(key idspace.ID) surrogate.Hop
	Heirs(key idspace.ID, k int) []idspace.ID
}

// Links knows how far away the neighbors are.
type Links interface {
	RTT(id idspace.ID) (time.Duration, bool)
}

// Deps are the rooms below that a Publisher uses.
type Deps struct {
	Router Router
	Links  Links
	Store  *pointers.Store
	Served *pointers.Served
}

// Publisher is the machine. See the package comment.
type Publisher struct {
	cfg Config
	Deps

	last     pointers.Sequence // the last sequence used; never goes back
	lays     map[pointers.Key]*lay
	jobs     map[env.Call]*job
	attempts map[env.Call]attempt // what may still be acknowledged
	retries  []retry              // when to look at an attempt again; in order of due

	pace      pace
	sweep     sweep
	handOvers []*handOver
	leaving   *farewell
	left      bool // everything was withdrawn; until this node is a member again
	armed     [timerKinds]mono.Time
}

var _ routing.Upcall = (*Publisher)(nil)

// New returns a Publisher; cfg must be valid.
func New(cfg Config, deps Deps) *Publisher {
	return &Publisher{
		cfg:      cfg.withDefaults(),
		Deps:     deps,
		last:     pointers.Sequence{Generation: cfg.Generation},
		lays:     make(map[pointers.Key]*lay),
		jobs:     make(map[env.Call]*job),
		attempts: make(map[env.Call]attempt),
		pace:     newPace(),
	}
}

// Outstanding says how many records are on their way to their roots, and how many
// requests of the face wait for one.
func (p *Publisher) Outstanding() (lays, jobs int) { return len(p.lays), len(p.jobs) }

// OnSelf takes this node's new record. What is served is laid again soon, spread over
// a sixth of a period: whoever finds it should not dial addresses of yesterday.
func (p *Publisher) OnSelf(e env.Env, m *env.SelfChanged) {
	p.cfg.Record = m.Record
	for _, o := range p.Served.Sorted() {
		if in := p.random(e, p.cfg.Period/6); e.Now().Add(in).Before(o.Due()) {
			p.schedule(e, o, in)
		}
	}
}

// OnActivated is told when this node has become a member.
func (p *Publisher) OnActivated(e env.Env) {
	p.left = false
	p.startSweep(e)
}
