package locate

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// Router is what a Locator asks of routing.
type Router interface {
	Route(e env.Env, m *wire.Routed)
	RouteVia(e env.Env, m *wire.Routed, first idspace.ID)
	Near(key idspace.ID) []idspace.ID
	Answer(e env.Env, request *wire.Routed, body []byte, why wire.Refusal)
	RetryAfter(e env.Env) time.Duration
	Room(e env.Env) bool
}

// Links knows how far away the neighbors are, and where this node and they are.
type Links interface {
	RTT(id idspace.ID) (time.Duration, bool)
	Heard(id idspace.ID) (at mono.Time, ok bool)
	Coord() []byte
	Where(id idspace.ID) wire.Coord
}

// Deps are the rooms below that a Locator uses.
type Deps struct {
	Router Router
	Links  Links
	Store  *pointers.Store
	Tree   Tree
}

// Tree has servers looked after that are asked for, and is told what is looked for.
type Tree interface {
	Asked(e env.Env, sv *pointers.Server)
	Sought(e env.Env, key pointers.Key)
}

// Locator is the machine. See the package comment.
type Locator struct {
	cfg Config
	Deps

	asks   map[env.Call]*ask
	calls  map[env.Call]question // the routed calls under way
	probes map[idspace.ID][]*ask // who waits for a node's verdict, in order of asking

	popular *simplelru.LRU[pointers.Key, *popular] // what is asked for here, and lies elsewhere
	fetches int                                    // of calls, those for popular objects

	dead      []death   // in the last GiveUp, the latest maxDead; the latest last
	strangers mono.Time // until then two overlays become one, and nothing is known to be absent
}

var _ routing.Upcall = (*Locator)(nil)

// ask is a request under way.
type ask struct {
	env.LocateRequest
	key     pointers.Key
	roots   []root     // per salt
	found   []*replica // no server twice; in order of coming
	phase   phase
	waiting int        // measurements still to come
	near    []env.Call // of the questions to the near nodes

	gone map[idspace.ID]pointers.Sequence // servers that have withdrawn the object, if Fresh
}

func (a *ask) zone() zone { return zone{a.Zone, a.Local} }

type phase uint8

const (
	racing    phase = iota // nothing found yet
	gathering              // waiting a moment for nearer ones
	measuring
	over
)

// root is what one salted root has said.
type root struct {
	calls    []env.Call // the questions put to it, the latest Tries of them; a late answer is one too
	tries    int
	answered bool
	turned   bool // the latest question to it had no room to leave
	empty    bool // its vote: no pointer
	notes    []*wire.HopNote
}

// question says what a routed call asks.
type question struct {
	ask  *ask
	salt int
	near bool // of a near node, whose word is no root's

	fetch *pointers.Key // instead, for whose sake nobody asks but this node
}

// replica is a server found.
type replica struct {
	env.Replica
	sequence pointers.Sequence
	node     *wire.NodeRecord
	doubted  bool // somebody says that it is dead
	match    int  // labels that its zone shares with the one wanted
	met      bool // a neighbor whose distance was measured once
	probed   bool // its verdict is waited for
	dead     bool // did not answer the probe
	told     bool // it was delivered already
}

// The timers of this room. N is the call of the request, or of the routed call.
const (
	timerDeadline uint8 = iota
	timerGather
	timerProbe
	timerRetry
)

// New returns a Locator; cfg must be valid.
func New(cfg Config, deps Deps) *Locator {
	cfg = cfg.withDefaults()
	return &Locator{
		cfg:     cfg,
		Deps:    deps,
		asks:    make(map[env.Call]*ask),
		calls:   make(map[env.Call]question),
		probes:  make(map[idspace.ID][]*ask),
		popular: newPopular(cfg.Known),
	}
}

// OnStrangers makes this node say "unknown" for a while where it would say "absent", as
// the root of others' requests and as the asker: roots move before pointers do.
func (l *Locator) OnStrangers(s *env.Strangers) { l.strangers = max(l.strangers, s.Until) }

// Outstanding says how many requests and questions are under way, and for how many nodes' distance
// they wait.
func (l *Locator) Outstanding() (asks, calls, probes int) {
	return len(l.asks), len(l.calls), len(l.probes)
}

func (l *Locator) setTimer(e env.Env, what uint8, call env.Call, at mono.Time) {
	e.SetTimer(env.TimerKey{Room: env.Locate, What: what, N: uint64(call)}, max(at.Sub(e.Now()), 0))
}

func (l *Locator) stopTimer(e env.Env, what uint8, call env.Call) {
	e.StopTimer(env.TimerKey{Room: env.Locate, What: what, N: uint64(call)})
}
