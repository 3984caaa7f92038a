package messages

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// Router is what a Carrier asks of routing.
type Router interface {
	Route(e env.Env, m *wire.Routed)
	RouteVia(e env.Env, m *wire.Routed, first idspace.ID)
	RouteAround(e env.Env, m *wire.Routed, tried []idspace.ID) (first idspace.ID)
	Near(key idspace.ID) []idspace.ID
	Answer(e env.Env, request *wire.Routed, body []byte, why wire.Refusal)
	Stretched(d time.Duration) time.Duration
	RetryAfter(e env.Env) time.Duration
	Room(e env.Env) bool
}

// Links knows which neighbors there are, and which of them live for sure.
type Links interface {
	RTT(id idspace.ID) (time.Duration, bool)
	Fresh(id idspace.ID, now mono.Time) bool
	Where(id idspace.ID) wire.Coord
	Begins(r wire.ServerRef) (idspace.ID, bool)
}

// Deps are the rooms below that a Carrier uses.
type Deps struct {
	Router Router
	Links  Links
	Served *pointers.Served
	Store  *pointers.Store
	Cache  Cache
}

// Cache has pointers to popular objects that lie elsewhere, for a moment.
type Cache interface {
	// Passed notes a request for an object that none lies here of, on its way towards a key.
	Passed(e env.Env, key pointers.Key, towards idspace.ID)
	Cached(key pointers.Key, now mono.Time) []pointers.Cached
}

// Carrier is the machine. See the package comment.
type Carrier struct {
	cfg Config
	Deps

	sends   map[env.Call]*send
	calls   map[env.Call]*send // by the routed call of the attempt under way
	inbound map[uint64]inbound // what the application has, by ticket
	perPeer map[idspace.ID]int // of inbound, by the hop it came from; never zero
	ticket  uint64             // the last one given
	taken   taken              // raced messages that the application has had
}

var _ routing.Leader = (*Carrier)(nil)

// inbound is a message that the application has.
type inbound struct {
	request *wire.Routed
	from    idspace.ID
}

// send is a message of this node on its way.
type send struct {
	env.SendRequest
	began    mono.Time
	replicas []env.Replica // still to be tried, best first
	tried    []idspace.ID
	rounds   int          // locates begun
	last     wire.Refusal // of the last attempt

	retryAfter time.Duration // what the last who was busy has said

	call   env.Call // of the attempt under way, zero if none is
	to     env.Replica
	routed mono.Time // when it left

	racing  bool         // copies are under way, and nobody was looked for
	earlier []attempt    // attempts that were repeated, or copies, and may be answered yet
	firsts  []idspace.ID // the first hops of the attempts towards Key
	due     mono.Time    // when it is repeated next
}

// attempt is a routed call.
type attempt struct {
	call   env.Call
	routed mono.Time
}

// The timers of this room. N is a call or a ticket.
const (
	timerSend uint8 = iota
	timerInbound
	timerRepeat
)

// New returns a Carrier; cfg must be valid.
func New(cfg Config, deps Deps) *Carrier {
	return &Carrier{
		cfg:     cfg.withDefaults(),
		Deps:    deps,
		sends:   make(map[env.Call]*send),
		calls:   make(map[env.Call]*send),
		inbound: make(map[uint64]inbound),
		perPeer: make(map[idspace.ID]int),
		taken:   taken{known: make(map[uint64]bool)},
	}
}

// OnTimer is called with a timer that this machine set.
func (c *Carrier) OnTimer(e env.Env, k env.TimerKey) {
	switch k.What {
	case timerSend:
		c.onDeadline(e, env.Call(k.N))
	case timerRepeat:
		c.onRepeat(e, env.Call(k.N))
	case timerInbound:
		c.handBack(e, k.N) // its caller has given up
	default:
		panic(fmt.Sprintf("messages: timer %d is not of this room", k.What))
	}
}

// Outstanding says how many sends are under way, and how many messages the
// application has.
func (c *Carrier) Outstanding() (sends, inbound int) { return len(c.sends), len(c.inbound) }
