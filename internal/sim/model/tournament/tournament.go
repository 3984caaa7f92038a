package tournament

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/rivals"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/stage"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
	"github.com/tapestry-dolr/tapestry/internal/sim/topology"
)

// contest is one scenario under way.
type contest struct {
	cfg      sim.Config
	protocol model.Protocol
	stage    *stage.Stage
	places   *topology.Placement
	sessions []topology.Session

	free     []int // places without a live node
	objects  []*object
	calls    uint64
	under    map[uint64]operation // requests under way
	began    mono.Time
	loading  bool
	searched int
	keys     uint64
	requests uint64 // messages sent that are no replies
	tally    *tally // of what is asked now; a request keeps that under which it began
}

// operation is a request under way.
type operation struct {
	from      model.Addr
	started   mono.Time
	ended     func(o model.Outcome)
	delivered func() // may be nil
	abandoned func() // the node died first; may be nil
}

// patience is how much longer than the scenario its last requests are waited for:
// Kademlia's take many seconds while there are dead nodes in its tables.
const patience = time.Minute

// Run plays a scenario whose Protocol is that of a model.
func Run(cfg sim.Config) (report.Report, error) {
	p, ok := rivals.Named(cfg.Protocol)
	if !ok {
		return report.Report{}, fmt.Errorf("--protocol %q: want tapestry, kademlia, chord, central or flood", cfg.Protocol)
	}
	valid := cfg
	valid.Protocol = sim.Default().Protocol
	if err := valid.Validate(); err != nil {
		return report.Report{}, err
	}
	c := &contest{cfg: cfg, protocol: p, under: map[uint64]operation{}, tally: newTally(cfg.Duration)}
	began := time.Now()
	if err := c.prepare(); err != nil {
		return report.Report{}, err
	}
	c.publishAll()
	c.warmUp()
	settled := time.Now()
	c.measure()
	out := c.report()
	out.SettleWallS, out.WallS = settled.Sub(began).Seconds(), time.Since(settled).Seconds()
	return out, nil
}

// prepare puts the nodes on the net and settles them.
func (c *contest) prepare() error {
	places := 2*c.cfg.Nodes + 64
	for _, j := range c.cfg.Join {
		places += int(j.Share * float64(c.cfg.Nodes))
	}
	delays, err := c.delays(places)
	if err == nil && c.cfg.ChurnTrace != "" {
		err = c.loadSessions()
	}
	if err != nil {
		return sim.NewFileError(err)
	}
	c.places = topology.Place(delays, places, c.cfg.Seed)
	c.stage = stage.New(stage.Config{
		Seed: c.cfg.Seed, Delays: c.places, Datagrams: c.cfg.Transport == "datagram", Loss: c.cfg.Loss,
		Jitter: c.cfg.Jitter, Bandwidth: c.cfg.Bandwidth, Nontransitive: c.cfg.Nontransitive,
	}, c.protocol)
	c.stage.Hooks = stage.Hooks{Outcome: c.outcome, Delivered: c.delivered, Sent: c.sent}
	for place := c.cfg.Nodes; place < places; place++ {
		c.free = append(c.free, place)
	}
	for place := range c.cfg.Nodes {
		c.stage.Add(idspace.Hash(fmt.Appendf(nil, "sim-%d-%d", c.cfg.Seed, place)), place)
	}
	for _, down := range c.downAtFirst() {
		c.stage.Crash(down)
	}
	c.stage.Settle()
	return nil
}

func (c *contest) delays(places int) (topology.Delays, error) {
	switch {
	case c.cfg.RTTMatrix != "":
		return topology.LoadMatrix(c.cfg.RTTMatrix)
	case c.cfg.Coords != "":
		return topology.LoadCoords(c.cfg.Coords)
	}
	return topology.TransitStub(places, c.cfg.Seed), nil
}

// warmUp begins load and churn, and lets them go on until the measured part begins. What
// was asked meanwhile ends, whenever that is, in a tally that is thrown away.
func (c *contest) warmUp() {
	counted := c.tally
	if c.cfg.Warmup > 0 {
		c.tally = newTally(windowLength)
	}
	c.began, c.loading = c.stage.Now().Add(c.cfg.Warmup), true
	// Both before what would begin at that moment.
	c.stage.After(c.cfg.Warmup, func() { c.tally = counted })
	c.stage.After(c.cfg.Warmup+c.cfg.Duration, func() { c.loading = false })
	c.disturb()
	c.load()
	for done := time.Duration(0); done < c.cfg.Warmup; {
		length := min(windowLength, c.cfg.Warmup-done)
		c.stage.Run(length)
		done += length
		c.tell("warming up", done, c.cfg.Warmup)
	}
}

// load begins the requests that come again and again.
func (c *contest) load() {
	if c.protocol.Root != nil && c.cfg.LookupEvery > 0 {
		c.lookups()
	}
	if c.cfg.LocateEvery > 0 {
		c.searches()
	}
	if c.cfg.PublishEvery > 0 {
		c.publishes()
	}
}

// measure plays the measured part.
func (c *contest) measure() {
	c.tally.measuring = true
	before, events := c.stage.Totals(), c.stage.Events()
	for i := range c.tally.windows {
		length := min(windowLength, c.cfg.Duration-time.Duration(i)*windowLength)
		bytes := c.stage.Totals().Bytes
		c.stage.Run(length)
		live := c.stage.Live()
		c.tally.window(i, len(live), float64(c.stage.Totals().Bytes-bytes)/length.Seconds())
		c.tally.nodeSeconds += float64(len(live)) * length.Seconds()
		c.tell("running", time.Duration(i+1)*windowLength, c.cfg.Duration)
	}
	c.tally.end(before, c.stage.Totals())
	c.tally.events = c.stage.Events() - events
	c.links()
	c.stage.Run(patience)
}

func (c *contest) tell(stage string, done, total time.Duration) {
	if c.cfg.Progress == nil {
		return
	}
	c.cfg.Progress(sim.Progress{
		Stage: stage, Done: min(done, total), Total: total, Live: len(c.stage.Live()),
		Success: ratio(c.tally.right, c.tally.asked),
	})
}

// links notes how many links the nodes keep.
func (c *contest) links() {
	for _, p := range c.stage.Live() {
		c.tally.links.add(float64(len(c.stage.Node(p.At).Links())))
	}
}

// ask makes a request of a node.
func (c *contest) ask(from model.Addr, r model.Request, op operation) {
	c.calls++
	r.Call = c.calls
	op.from, op.started = from, c.stage.Now()
	c.under[r.Call] = op
	c.stage.Begin(from, r)
}

func (c *contest) outcome(_ model.Addr, o model.Outcome) {
	op, ok := c.under[o.Call]
	if !ok {
		return
	}
	delete(c.under, o.Call)
	op.ended(o)
}

// abandon forgets the requests of a node that is gone.
func (c *contest) abandon(at model.Addr) {
	for call, op := range c.under { // each only counts, so that their order is all one
		if op.from != at {
			continue
		}
		delete(c.under, call)
		if op.abandoned != nil {
			op.abandoned()
		}
	}
}

func (c *contest) delivered(_ model.Addr, call uint64) {
	if op, ok := c.under[call]; ok && op.delivered != nil {
		op.delivered()
	}
}

// active lists the nodes that are members.
func (c *contest) active() (all []model.Peer) {
	for _, p := range c.stage.Live() {
		if c.stage.Node(p.At).Member() {
			all = append(all, p)
		}
	}
	return all
}

// some draws n different ones.
func (c *contest) some(all []model.Peer, n int) (picked []model.Peer) {
	for _, i := range c.stage.Rand().Perm(len(all))[:min(n, len(all))] {
		picked = append(picked, all[i])
	}
	return picked
}

// span is the time since op began.
func (c *contest) span(since mono.Time) time.Duration { return c.stage.Now().Sub(since) }

func (c *contest) rtt(a, b model.Addr) time.Duration {
	return c.places.RTT(c.stage.Place(a), c.stage.Place(b))
}

// number is the number of the present window; while the run warms up there is but one.
func (c *contest) number() int {
	return max(0, min(int(c.span(c.began)/windowLength), len(c.tally.windows)-1))
}
