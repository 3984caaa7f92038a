package routing

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/setting"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Config bounds what a router keeps.
type Config struct {
	// Pending is the most envelopes that wait for an acknowledgement or a verdict; one
	// more is dropped. If zero, 8192.
	Pending int
	// Calls is the most calls consumed here whose answers are remembered. If zero, 8192.
	Calls int
	// Dial is how long the first hop of RouteVia has, dialing included. If zero, 3 s.
	Dial time.Duration
	// Life is how long a request may travel if its caller set no deadline. If zero, 10 s.
	Life time.Duration
	// Park is how often parked envelopes look for a way again. If zero, 200 ms.
	Park time.Duration
	// Settle is how soon they look after the tables have changed; changes that come
	// together cost one look. If zero, 10 ms.
	Settle time.Duration
	// Pass is how long the answer to a request that was passed on by a node that is no
	// member yet is waited for before it is one. If zero, 1.5 s.
	Pass time.Duration
	// Alone has Near name nobody, to see what near nodes do.
	Alone bool
}

// WithDefaults returns c with zero fields filled in.
func (c Config) WithDefaults() Config {
	setting.Fill(c.settings())
	return c
}

// Validate names the first field that makes no sense.
func (c Config) Validate() error { return setting.Check("routing", c.settings()) }

func (c *Config) settings() []setting.Setting {
	return []setting.Setting{
		setting.Of("Pending", &c.Pending, 8192),
		setting.Of("Calls", &c.Calls, 8192),
		setting.Of("Dial", &c.Dial, 3*time.Second),
		setting.Of("Life", &c.Life, 10*time.Second),
		setting.Of("Park", &c.Park, 200*time.Millisecond),
		setting.Of("Settle", &c.Settle, 10*time.Millisecond),
		setting.Of("Pass", &c.Pass, 1500*time.Millisecond),
	}
}

// The timers of this room.
const (
	timerHop    uint8 = iota // the next hop did not acknowledge transmission N in time
	timerPark                // look for ways for what is parked
	timerPace                // look whether there is room for what waits to begin
	timerPassed              // look whether what was passed on is still waited for
)

// Router is the machine. It is not safe for concurrent use.
type Router struct {
	cfg     Config
	tables  *surrogate.Tables
	links   *links.Table
	upcalls [wire.BodyKind_BODY_SELF_PROBE + 1]Upcall
	guard   Guard                // asked before this node answers as root; nil if nobody is
	active  bool                 // a member, so that it may answer as root
	unsure  bool                 // it has lost everybody: it may not
	proxies []idspace.ID         // members that serve what comes here before that, the best first
	passed  map[uint64]mono.Time // calls that went to them and are not answered yet, and until when that is waited for
	holding bool                 // nothing more goes to them: this node is a member in a moment
	held    []visit              // what has come since
	lastTx  uint64
	pending map[uint64]*transit // what waits for an acknowledgement, by transmission
	late    *calls              // transmissions that were given up, by number
	parked  []*transit          // what waits for a way, oldest first
	parkAt  mono.Time           // when to look for one, 0 if nothing is parked
	calls   *calls              // consumed here
	resent  *calls              // sent more than once from here
	seen    *calls              // requests that have come from others, see copied
	budget  budget              // for what is sent again
	pace    pace                // of what begins here
	asking  *wire.HopNote       // note of the request whose upcall is running
}

// transit is an envelope on its way through this node.
type transit struct {
	msg      *wire.Routed  // as it goes out, but for its transmission number
	in       *wire.Routed  // a request as it came; nil for replies
	note     *wire.HopNote // this node's line in its explanation, nil if none is wanted
	arrived  mono.Time
	from     idspace.ID   // the hop before; Self if it began here
	to       idspace.ID   // the hop that has to acknowledge it
	tried    []idspace.ID // hops that did not
	missed   int          // how many, ever
	sent     mono.Time
	unseen   bool          // its machine has not been asked yet
	patience time.Duration // the link has to be dialed first, and may take so long; 0: it is open
	deadline mono.Time
}

// New returns a router over the given tables. cfg must be valid.
func New(cfg Config, tables *surrogate.Tables, table *links.Table) *Router {
	return &Router{
		cfg: cfg, tables: tables, links: table,
		pending: make(map[uint64]*transit), passed: make(map[uint64]mono.Time), late: newCalls(cfg.Pending),
		pace: newPace(), calls: newCalls(cfg.Calls), resent: newCalls(cfg.Calls), seen: newCalls(cfg.Calls),
	}
}

// Serve names the machine that serves bodies of kind k. Called once per kind, by node.
func (r *Router) Serve(k wire.BodyKind, u Upcall) { r.upcalls[k] = u }

// visit is a request that has come to this node.
type visit struct {
	msg   *wire.Routed
	from  idspace.ID   // the hop before; Self if it began here
	tried []idspace.ID // next hops that it should not take if there are others

	missed []idspace.ID // next hops that did not acknowledge it
}

// OnActivated lets this node answer as root from now on, first of all what it has held.
func (r *Router) OnActivated(e env.Env) {
	r.active = true
	clear(r.passed)
	e.StopTimer(env.TimerKey{Room: env.Routing, What: timerPassed})
	r.release(e)
}

// Defer passes what others send here on to the first of some members that has answered this
// node, until it is a member itself. The last is the seed, which has.
func (r *Router) Defer(e env.Env, to ...idspace.ID) {
	r.proxies = to
	r.release(e)
}

// Hold keeps what others send here until this node is a member, and posts Drained when nothing
// that it has passed on is waited for any more: it has been answered by who was the root before,
// or is taken to be lost. Two nodes must not be the root at once (design §6, activation at the
// joiner).
func (r *Router) Hold(e env.Env) {
	r.holding = true
	r.drained(e)
}

func (r *Router) drained(e env.Env) {
	maps.DeleteFunc(r.passed, func(_ uint64, until mono.Time) bool { return until <= e.Now() })
	switch {
	case !r.holding:
	case len(r.passed) == 0:
		e.Post(&env.Drained{})
	default:
		first := slices.MinFunc(slices.Collect(maps.Values(r.passed)), cmp.Compare)
		e.SetTimer(env.TimerKey{Room: env.Routing, What: timerPassed}, first.Sub(e.Now()))
	}
}

// awaits reports whether a call was passed on and not answered yet.
func (r *Router) awaits(call uint64) bool {
	_, passed := r.passed[call]
	return passed
}

func (r *Router) release(e env.Env) {
	held := r.held
	r.holding, r.held = false, nil
	for _, v := range held {
		r.decide(e, v)
	}
}

// OnDeparted stops this node from answering as root.
func (r *Router) OnDeparted() { r.active = false }

// Doubt stops this node from answering as root, though it is a member: it has lost
// everybody it knew (design §6, partitions), or did not run for a while. Trust lets it
// answer again.
func (r *Router) Doubt() { r.unsure = true }

// Trust is described at Doubt.
func (r *Router) Trust() { r.unsure = false }

// Sure reports whether this node answers as root: it is active, and has no doubt.
func (r *Router) Sure() bool { return r.active && !r.unsure }

// Active reports whether this node is a member.
func (r *Router) Active() bool { return r.active }

// Pending returns how many envelopes wait for an acknowledgement or a verdict.
func (r *Router) Pending() int {
	return len(r.pending) + len(r.parked) + len(r.held) + len(r.pace.queue)
}

// Stretched lengthens a wait as long as this node is slow itself (internal/links).
func (r *Router) Stretched(d time.Duration) time.Duration { return r.links.Stretched(d) }

// Next returns the step that a route to key would take from here.
func (r *Router) Next(key idspace.ID) surrogate.Hop { return r.tables.Next(key, surrogate.Skip{}) }

// Course returns the step that a route to key takes while nobody is suspected.
func (r *Router) Course(key idspace.ID) surrogate.Hop { return r.tables.Course(key) }

// Heirs returns up to k known nodes that come after this one in δ order.
func (r *Router) Heirs(key idspace.ID, k int) []idspace.ID { return r.tables.Heirs(key, k) }

// OnTimer takes back a timer that this machine set.
func (r *Router) OnTimer(e env.Env, k env.TimerKey) {
	if k.What == timerPark {
		r.unpark(e)
	} else if k.What == timerPace {
		r.admit(e)
	} else if k.What == timerPassed {
		r.drained(e)
	} else if t := r.pending[k.N]; t != nil {
		r.missed(e, k.N, t)
	}
}

// OnAck takes a hop's word that it has the envelope. Every transmission has a number of
// its own, so that an acknowledgement that comes too late still tells how long this
// link takes, and that the neighbor lives: without that, a link whose delay has grown
// would be given up again and again.
func (r *Router) OnAck(e env.Env, from idspace.ID, a *wire.Ack) {
	if t := r.pending[a.Tx]; t != nil && t.to == from {
		e.Post(&env.Heard{Peer: from, RTT: e.Now().Sub(t.sent)})
		r.forget(e, a.Tx)
		if a.Busy {
			r.turned(e, t)
		} else {
			r.taken(e, t)
		}
	} else if l := r.late.find(a.Tx); l != nil && l.to == from {
		e.Post(&env.Heard{Peer: from, RTT: e.Now().Sub(l.sent)})
		l.to = idspace.ID{}
	}
}

func (r *Router) forget(e env.Env, tx uint64) {
	delete(r.pending, tx)
	e.StopTimer(env.TimerKey{Room: env.Routing, What: timerHop, N: tx})
}

// OnChanged looks again, soon, at what waits for a way, and at once at what waits for
// neighbors that have gone.
func (r *Router) OnChanged(e env.Env, c *env.Changed) {
	if len(r.parked) > 0 {
		r.armPark(e, r.cfg.Settle)
	}
	for _, gone := range c.Removed {
		r.reroute(e, gone)
	}
}
