package tournament

import (
	"fmt"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// groupSize is how many nodes ask for each key, as in internal/sim.
const groupSize = 10

// promptly is how long a request of this overlay may take, in internal/sim.
const promptly = 10 * time.Second

// group is the lookups of one key.
type group struct {
	key     idspace.ID
	tally   *tally     // in which they count
	root    model.Addr // when it was asked for
	window  int
	pending int
	answers []model.Addr
}

func (c *contest) key(what string) idspace.ID {
	c.keys++
	return idspace.Hash(fmt.Appendf(nil, "%s %d of %d", what, c.keys, c.cfg.Seed))
}

// lookups asks for a random key from ten nodes, and again after a while.
func (c *contest) lookups() {
	if !c.loading {
		return
	}
	c.stage.After(c.cfg.LookupEvery, c.lookups)
	active := c.active()
	if len(active) == 0 {
		return
	}
	g := &group{key: c.key("lookup"), tally: c.tally, window: c.number(), pending: min(groupSize, len(active))}
	g.root = c.protocol.Root(active, g.key)
	for _, p := range c.some(active, g.pending) {
		begun := c.stage.Now()
		g.tally.asked++
		c.ask(p.At, model.Request{Op: model.Lookup, Key: g.key}, operation{ended: func(o model.Outcome) {
			g.pending--
			g.tally.windows[g.window].judged++
			if o.OK {
				c.looked(g, o, p.At, c.span(begun))
			}
			if g.pending == 0 {
				g.tally.consistent += g.majority()
			}
		}, abandoned: func() {
			g.tally.asked-- // as internal/sim does not count it either
			if g.pending--; g.pending == 0 {
				g.tally.consistent += g.majority()
			}
		}})
	}
}

// looked judges an answer. It is right if it was the root when it was asked for, or
// is now.
func (c *contest) looked(g *group, o model.Outcome, from model.Addr, took time.Duration) {
	t := g.tally
	t.completed++
	if took <= promptly {
		t.prompt++
	}
	g.answers = append(g.answers, o.Root)
	if o.Root == g.root || o.Root == c.protocol.Root(c.active(), g.key) {
		t.right++
		t.windows[g.window].right++
	}
	t.hop(o.Hops)
	t.latency.ms(took)
	if rtt := c.rtt(from, o.Root); o.Root != from && rtt > 0 {
		t.stretch.add(float64(took) / float64(rtt))
		t.stretchBins.add(rtt, float64(took)/float64(rtt))
	}
}

// majority is how many answers of a group are those of more than half.
func (g *group) majority() int {
	for _, a := range g.answers {
		n := 0
		for _, b := range g.answers {
			if a == b {
				n++
			}
		}
		if 2*n > len(g.answers) {
			return n
		}
	}
	return 0
}

// object is something that nodes have published.
type object struct {
	key     idspace.ID
	servers []model.Addr
}

// quiet is how long a settled overlay is left alone before it is looked at: its
// periodic work has begun all at once, and has to spread over its periods.
const quiet = time.Minute

// publishAll lays the objects that the run begins with, over a few seconds.
func (c *contest) publishAll() {
	if c.cfg.Objects == 0 {
		return
	}
	spread := time.Duration(c.cfg.Objects)*time.Millisecond + 10*time.Second
	c.stage.Run(quiet)
	idle := c.totals()
	c.stage.Run(spread)
	before := c.totals()
	active := c.active()
	for range c.cfg.Objects {
		o := &object{key: c.key("object")}
		c.objects = append(c.objects, o)
		for _, p := range c.some(active, c.cfg.Replicas) {
			wait := time.Duration(c.stage.Rand().Int64N(int64(spread - 9*time.Second)))
			c.stage.After(wait, func() { c.publish(o, p.At, nil) })
		}
	}
	c.stage.Run(spread)
	c.tally.laid(idle, before, c.totals())
}

// publish has a node publish an object; done, if not nil, is called when it has.
func (c *contest) publish(o *object, by model.Addr, done func()) {
	if c.stage.Down(by) {
		return
	}
	begun, t := c.stage.Now(), c.tally
	c.ask(by, model.Request{Op: model.Publish, Key: o.key}, operation{ended: func(out model.Outcome) {
		if !out.OK {
			return
		}
		o.servers = append(o.servers, by)
		t.visible.ms(c.span(begun))
		if done != nil {
			done()
		}
	}})
}

// publishes publishes an object and withdraws it, again and again.
func (c *contest) publishes() {
	if !c.loading {
		return
	}
	c.stage.After(c.cfg.PublishEvery, c.publishes)
	for _, p := range c.some(c.active(), 1) {
		o := &object{key: c.key("object")}
		c.publish(o, p.At, func() { c.stage.After(5*time.Second, func() { c.unpublish(o, p.At) }) })
	}
}

func (c *contest) unpublish(o *object, by model.Addr) {
	if c.stage.Down(by) {
		return
	}
	begun, t := c.stage.Now(), c.tally
	c.ask(by, model.Request{Op: model.Unpublish, Key: o.key}, operation{ended: func(out model.Outcome) {
		if out.OK {
			t.gone.ms(c.span(begun))
		}
	}})
}

// how an object is searched for, in turn.
type how int

const (
	first how = iota
	all
	sent
	hows
)

// searches asks for a random object from a random node, in every way in turn.
func (c *contest) searches() {
	if !c.loading {
		return
	}
	c.stage.After(c.cfg.LocateEvery, c.searches)
	from := c.some(c.active(), 1)
	if len(from) == 0 || len(c.objects) == 0 {
		return
	}
	o := c.objects[c.stage.Rand().IntN(len(c.objects))]
	living := slices.DeleteFunc(slices.Clone(o.servers), c.stage.Down)
	way := how(c.searched % int(hows))
	if c.searched++; len(living) == 0 {
		return
	}
	s := &search{c: c, tally: c.tally, how: way, from: from[0].At, window: c.number()}
	s.servers, s.nearest = living, c.distance(s.from, living)
	r := model.Request{Key: o.key, Op: model.Locate}
	switch way {
	case all:
		r.Want = model.All
	case sent:
		r.Op = model.Deliver
	}
	begun := c.stage.Now()
	c.ask(s.from, r, operation{
		ended:     func(out model.Outcome) { s.ended(out, c.span(begun)) },
		delivered: func() { s.reached(c.span(begun)) },
	})
}

func (c *contest) distance(from model.Addr, servers []model.Addr) time.Duration {
	near := time.Duration(1<<63 - 1)
	for _, s := range servers {
		near = min(near, c.rtt(from, s))
	}
	return near
}

// search is a locate, or a message to an object.
type search struct {
	c       *contest
	tally   *tally // in which it counts
	how     how
	from    model.Addr
	window  int
	servers []model.Addr // living when it began
	nearest time.Duration
	done    bool
}

// reached notes that the message was delivered.
func (s *search) reached(after time.Duration) {
	if !s.done && s.nearest > 0 {
		x := float64(2*after) / float64(s.nearest)
		s.tally.once.add(x)
		s.tally.onceBins.add(s.nearest, x)
	}
	s.done = true
}

func (s *search) ended(o model.Outcome, took time.Duration) {
	t := s.tally
	w := &t.windows[s.window]
	t.searched++
	w.searched++
	if s.how != sent {
		t.asks++
		w.asks++
		if slices.ContainsFunc(o.Servers, func(a model.Addr) bool { return !s.c.stage.Down(a) }) {
			t.living++
			w.living++
		}
	}
	switch {
	case o.OK:
		t.found++
		w.found++
		s.found(o, took)
	case !slices.ContainsFunc(s.servers, func(a model.Addr) bool { return !s.c.stage.Down(a) }):
	case o.Absent:
		t.wrongAbsent++
	default:
		t.unknown++
	}
}

func (s *search) found(o model.Outcome, took time.Duration) {
	t := s.tally
	if s.how == sent {
		t.tripMs.ms(took)
		if s.nearest > 0 {
			t.roundtrip.add(float64(took) / float64(s.nearest))
		}
		return
	}
	t.answers[s.how]++
	if s.c.rtt(s.from, o.Servers[0]) <= s.nearest {
		t.nearest[s.how]++
	}
	if s.how == first {
		t.firstAnswer.ms(took)
	}
}
