package sim

import (
	"fmt"
	"runtime"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/membership"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
	"github.com/tapestry-dolr/tapestry/internal/sim/topology"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// run is one scenario under way.
type run struct {
	cfg    Config
	world  *world.World
	places *topology.Placement
	people population

	operations map[env.Call]operation
	calls      uint64

	litter   litter
	objects  []*object
	ended    map[[2]idspace.ID]mono.Time // when a withdrawal was acknowledged, by object and server
	guids    int
	searched int

	sessions []topology.Session
	byTrace  map[int]*member // the latest life of each node of the trace

	loading bool // new requests and newcomers come
	parted  bool
	dropped map[[2]int]drop // when a host last dropped a living other one, by their numbers
	began   mono.Time       // when the measured part begins; known when the warm-up does
	stats   *stats          // of what is asked now; a request keeps those under which it began
	kinds   traffic         // since the beginning
	// What the network had counted at both ends of the measured part.
	measured              traffic
	packets, bytes, dials uint64

	audit   *auditor   // nil without --check
	history *historian // the same
}

// Run plays a scenario.
func Run(cfg Config) (report.Report, error) {
	if err := cfg.Validate(); err != nil {
		return report.Report{}, err
	}
	r, err := prepare(cfg)
	if err != nil {
		return report.Report{}, err
	}
	return r.play()
}

// prepare reads the files that the scenario names and builds an empty network.
func prepare(cfg Config) (*run, error) {
	r := &run{
		cfg: cfg, operations: make(map[env.Call]operation),
		dropped: make(map[[2]int]drop), ended: make(map[[2]idspace.ID]mono.Time), byTrace: make(map[int]*member), stats: newStats(cfg.Duration),
	}
	places := 2*cfg.Nodes + 64
	for _, j := range cfg.Join {
		places += int(j.Share * float64(cfg.Nodes))
	}
	if cfg.JoinEvery > 0 {
		places += int((cfg.Warmup + cfg.Duration) / cfg.JoinEvery)
	}
	delays, err := r.delays(places)
	if err == nil && cfg.ChurnTrace != "" {
		r.sessions, err = loadSessions(cfg)
	}
	if err != nil {
		return nil, &FileError{err}
	}
	r.places = topology.Place(delays, places, cfg.Seed)
	r.world = world.New(r.network())
	r.world.Hooks = world.Hooks{
		Event: r.event, Outcome: r.outcome, Upcall: r.upcall,
		Sent: r.sent, Dialed: r.dialed,
	}
	if cfg.Deny+cfg.DropObjects > 0 {
		r.world.Hooks.Alter = r.cfg.hostility
	}
	if cfg.Trace != nil {
		r.world.Hooks.Arrived = r.trace
	}
	r.people = population{world: r.world}
	for place := range places {
		r.people.free = append(r.people.free, place)
	}
	if cfg.Check {
		r.audit, r.history = newAuditor(r), newHistorian(r)
	}
	return r, nil
}

func (r *run) delays(places int) (topology.Delays, error) {
	switch {
	case r.cfg.RTTMatrix != "":
		return topology.LoadMatrix(r.cfg.RTTMatrix)
	case r.cfg.Coords != "":
		return topology.LoadCoords(r.cfg.Coords)
	}
	return topology.TransitStub(places, r.cfg.Seed), nil
}

// loadSessions reads the sessions of as many nodes of the trace as there are to be.
func loadSessions(cfg Config) (sessions []topology.Session, err error) {
	all, err := topology.LoadChurn(cfg.ChurnTrace)
	if err != nil {
		return nil, err
	}
	up := 0
	for _, s := range all {
		if s.Node < cfg.Nodes {
			sessions = append(sessions, s)
			if s.Start <= 0 && s.End > 0 {
				up++
			}
		}
	}
	if up == 0 {
		return nil, fmt.Errorf("%s: none of its first %d nodes is up at its start", cfg.ChurnTrace, cfg.Nodes)
	}
	return sessions, nil
}

func (r *run) network() world.Config {
	c := world.Config{
		Seed: r.cfg.Seed, Network: "sim", Delays: r.places, Loss: r.cfg.Loss, Jitter: r.cfg.Jitter,
		Reorder: r.cfg.Reorder, Duplicate: r.cfg.Duplicate, Bandwidth: r.cfg.Bandwidth, Nontransitive: r.cfg.Nontransitive,
	}
	if r.cfg.Transport == "datagram" {
		c.Transport = world.Datagram
	}
	if r.cfg.Fast {
		c.Codec = world.None
	}
	c.Node = r.cfg.node
	return c
}

// node is what a node has of the scenario.
func (c *Config) node(n *node.Config) {
	n.Links.Cap, n.LeafSide, n.Roots = c.MaxLinks, c.leafSide(), c.Roots
	if c.Recovery == "reactive" {
		n.Membership.Recovery = membership.Reactive
	}
	c.Without.apply(n)
}

func (r *run) trace(from, to *world.Host, m wire.Message) {
	// A trace that cannot be written any more is cut short; the run is what counts.
	_, _ = fmt.Fprintf(r.cfg.Trace, "%v %v > %v %s\n", r.world.Now().Sub(world.Start), from, to, wire.Describe(m))
}

// play lets the overlay come about, measures it, and reports.
func (r *run) play() (report.Report, error) {
	before := heap()
	began := time.Now()
	if err := r.begin(); err != nil {
		return report.Report{}, err
	}
	r.tell("publishing", 0, r.cfg.Duration)
	if r.cfg.Batch > 0 {
		r.publishBatches()
	} else {
		r.publishAll()
	}
	r.warmUp()
	settled := time.Now()
	events := r.world.Events()
	if err := r.profiled(r.measure); err != nil {
		return report.Report{}, err
	}
	wall := r.stats.wall
	out := r.report()
	out.WallS, out.SettleWallS = wall.Seconds(), settled.Sub(began).Seconds()
	out.Events = r.stats.events - events
	out.TraceHash = fmt.Sprintf("%016x", r.world.Hash())
	r.litter.look(r)
	out.State, out.Litter = r.state(), r.litter.Litter
	if live := r.people.live; live > 0 {
		out.State.HeapBytesPerNode = max(0, heap()-before) / float64(live)
	}
	if r.audit != nil {
		r.audit.judge(r.history)
		out.Oracles, out.Violations = r.audit.counts, r.audit.texts
	}
	return out, nil
}

// heap is what is in use after a collection.
func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// begin lets the overlay come about.
func (r *run) begin() error {
	births := r.firstBirths()
	if r.cfg.warm() {
		return r.settle(births)
	}
	return r.grow(births)
}

// firstBirths says where the first nodes stand.
func (r *run) firstBirths() (places []int) {
	if len(r.sessions) == 0 {
		for place := range r.cfg.Nodes {
			places = append(places, place)
		}
	}
	for _, s := range r.sessions {
		if s.Start <= 0 && s.End > 0 {
			places = append(places, s.Node)
		}
	}
	return places
}

func (r *run) born(place int) (*member, error) {
	r.people.take(place)
	m, err := r.people.birth(world.Birth{Place: place})
	if err == nil && len(r.sessions) > 0 {
		r.byTrace[place] = m
	}
	return m, err
}

// settle makes the overlay from perfect knowledge.
func (r *run) settle(places []int) error {
	for _, place := range places {
		if _, err := r.born(place); err != nil {
			return err
		}
	}
	r.people.gather(func() {
		r.world.Settle(r.world.Hosts(), world.Settled{Space: idspace.Hex, PerSlot: 3, LeafSide: r.cfg.leafSide(), Cap: r.cfg.MaxLinks})
	})
	for _, m := range r.people.active { // those that join are told when they do
		m.host.Request(&env.Seeds{IDs: r.people.seedsOf(m)})
	}
	r.people.changed = 0 // it has been together for ever
	r.world.Run(5 * time.Second)
	return nil
}

const (
	// joinPatience is how long a batch of nodes may take to join.
	joinPatience = 2 * time.Minute
	// calm is how long the tables are given to fill after the last join.
	calm = 40 * time.Second
)

// grow lets the nodes join, a quarter as many at once as have joined.
func (r *run) grow(places []int) error {
	for next := 0; next < len(places); {
		batch := places[next:min(len(places), next+max(1, next/4))]
		for _, place := range batch {
			m, err := r.born(place)
			if err != nil {
				return err
			}
			r.people.join(m, r.joinCall())
		}
		next += len(batch)
		joined := func() bool { return len(r.people.active) == next }
		if err := r.world.Until(joinPatience, 50*time.Millisecond, joined); err != nil {
			return fmt.Errorf("%d of %d nodes have joined: %w", len(r.people.active), next, err)
		}
		r.tell("growing", time.Duration(float64(r.cfg.Duration)*float64(next)/float64(len(places))), r.cfg.Duration)
	}
	r.world.Run(calm)
	return nil
}

// joinCall is a call of no operation.
func (r *run) joinCall() env.Call {
	r.calls++
	return env.Call(r.calls)
}

// warmUp begins load and churn, and lets them go on until the measured part begins. What
// was asked meanwhile ends, whenever that is, among stats that are thrown away.
func (r *run) warmUp() {
	counted := r.stats
	if r.cfg.Warmup > 0 {
		r.stats = newStats(windowLength)
	}
	r.began, r.loading = r.world.Now().Add(r.cfg.Warmup), true
	if r.audit != nil {
		r.audit.begin()
	}
	r.disturb()
	r.load()
	for done := time.Duration(0); done < r.cfg.Warmup; {
		length := min(windowLength, r.cfg.Warmup-done)
		r.world.Run(length)
		done += length
		r.tell("warming up", done, r.cfg.Warmup)
	}
	r.stats = counted
}

// measure is the part that counts.
func (r *run) measure() {
	clock := time.Now()
	before := r.world.Totals()
	r.stats.from = r.kinds
	r.stats.deaths, r.stats.falseDeaths, r.stats.falseSuspicions, r.stats.detection = 0, 0, 0, nil
	r.stats.located, r.stats.joins = 0, joins{}
	for i := range r.stats.windows {
		from := r.world.Totals().Bytes
		w := &r.stats.windows[i]
		w.live = r.people.live // as the window begins
		r.world.Run(min(windowLength, r.cfg.Duration-time.Duration(i)*windowLength))
		w.length = r.world.Totals().Bytes - from
		r.tell("running", time.Duration(i+1)*windowLength, r.cfg.Duration)
	}
	after := r.world.Totals()
	r.measured, r.packets, r.bytes = r.kinds, after.Packets-before.Packets, after.Bytes-before.Bytes
	r.dials = after.Dials - before.Dials
	r.stats.events = r.world.Events()
	r.stats.wall = time.Since(clock)
	r.loading = false
	r.world.Run(deadline + time.Second) // what was asked in time is judged
}

// load begins the requests that come again and again.
func (r *run) load() {
	for _, l := range []struct {
		every time.Duration
		do    func()
	}{{r.cfg.LookupEvery, r.lookups}, {r.cfg.LocateEvery, r.searches}, {r.cfg.PublishEvery, r.publishes}, {r.cfg.ShuffleEvery, r.shuffles}} {
		if l.every > 0 {
			r.world.After(l.every, l.do)
		}
	}
}

func (r *run) tell(stage string, done, total time.Duration) {
	if r.cfg.Progress != nil {
		r.cfg.Progress(Progress{
			Stage: stage, Done: min(done, total), Total: total, Live: r.people.live,
			Success: ratio(r.stats.right, r.stats.completed),
		})
	}
}

// state looks at what every node keeps.
func (r *run) state() (s report.State) {
	var links samples
	for _, m := range r.people.active {
		status := m.host.Node().Status(r.world.Now())
		links.add(float64(status.Links))
		s.LinksMax = max(s.LinksMax, status.LinksMost)
	}
	s.LinksMean, s.LinksP99 = links.mean(), links.sorted().at(0.99)
	return s
}
