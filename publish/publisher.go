package publish

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/tree"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// Router is what a Publisher asks of routing.
type Router interface {
	Route(e env.Env, m *wire.Routed)
	Answer(e env.Env, request *wire.Routed, body []byte, why wire.Refusal)
	Decline(e env.Env, request *wire.Routed, limit wire.Limit, again time.Duration)
	Active() bool
}

// Tree takes what is laid here, and speaks for this node's lease.
type Tree interface {
	Arrive(e env.Env, a tree.Arrival) (pointers.Result, error)
	Serve(e env.Env, name uint64, signed *wire.SignedRecord, part *batch.Part, until mono.Time)
	Renew(e env.Env, signed *wire.SignedRecord, record *wire.BatchRecord) bool
	Pulse(now mono.Time) *wire.Pulse
	Settled(e env.Env, p *pointers.Pointer) bool
}

// Deps are the rooms below that a Publisher uses.
type Deps struct {
	Router Router
	Tree   Tree
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
	groups   map[uint64]*group    // batches on their way, by name
	calls    map[env.Call]*group  // of them, those that somebody waits for
	batches  []*pointers.Batch    // served, some of which may not be whole any more
	held     []withdrawal         // that came to their root here, and are acknowledged when all who hold copies know

	warned  mono.Time // when it was last told that objects are laid again too late
	leaving *farewell
	left    bool // everything was withdrawn; until this node is a member again
	armed   [timerKinds]mono.Time
}

var _ routing.Upcall = (*Publisher)(nil)

// New returns a Publisher; cfg must be valid.
func New(cfg Config, deps Deps) *Publisher {
	cfg = cfg.withDefaults()
	for _, key := range cfg.Kept {
		deps.Served.Keep(key, cfg.Roots)
	}
	cfg.Kept = nil // there may be millions
	return &Publisher{
		cfg:      cfg,
		Deps:     deps,
		last:     pointers.Sequence{Generation: cfg.Generation},
		lays:     make(map[pointers.Key]*lay),
		jobs:     make(map[env.Call]*job),
		attempts: make(map[env.Call]attempt),
		groups:   make(map[uint64]*group),
		calls:    make(map[env.Call]*group),
	}
}

// Outstanding says how many records are on their way to their roots, and how many
// requests of the face wait for one.
func (p *Publisher) Outstanding() (lays, jobs int) {
	return len(p.lays) + len(p.groups), len(p.jobs) + len(p.calls)
}

// OnSelf takes this node's new record.
func (p *Publisher) OnSelf(m *env.SelfChanged) { p.cfg.Record = m.Record }

// OnActivated is told when this node has become a member.
func (p *Publisher) OnActivated() { p.left = false }
