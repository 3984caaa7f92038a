package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/history"
)

// historian writes down what happens to objects and what is answered about them, to be
// judged in the end. One that is nil writes nothing.
type historian struct {
	run *run
	log history.Log
	// tenures are the servers of each object, by object and server, and those of each
	// server in the order in which they began.
	tenures map[[2]idspace.ID]*tenure
	of      map[*member][]*tenure
	// cut is the last partition: the side of each place, and when it ended.
	cut    func(place int) bool
	mended mono.Time
	strict bool // nothing is forgiven but that: see reached
}

// tenure is a server's serving of an object, from a publish until it is gone.
type tenure struct {
	object, server idspace.ID
	ending         bool
	turn           int // how often it was published or began to end
}

const (
	// goneLate is how long an object may be found on a server that has crashed, or withdrawn it
	// where something is lost or somebody comes or goes: the life of a pointer, and how much later
	// a holder may forget it. Else nobody who asks when the withdrawal is over may be told of it.
	goneLate = lease.Life + sweep
	// meetTime is how long the sides of a cut that has ended may not know of each other,
	// so that what is on the other side only is absent to them.
	meetTime = 15 * time.Second
)

func newHistorian(r *run) *historian {
	return &historian{run: r, tenures: make(map[[2]idspace.ID]*tenure), of: make(map[*member][]*tenure)}
}

func (h *historian) tenure(o *object, by *member) *tenure {
	id := by.host.ID()
	t := h.tenures[[2]idspace.ID{o.guid, id}]
	if t == nil {
		t = &tenure{object: o.guid, server: id}
		h.tenures[[2]idspace.ID{o.guid, id}] = t
		h.of[by] = append(h.of[by], t)
	}
	return t
}

// begun: a node publishes an object.
func (h *historian) begun(o *object, by *member) {
	if h == nil {
		return
	}
	t := h.tenure(o, by)
	t.ending = false
	t.turn++
	h.log.Begun(t.object, t.server)
}

// done: it has published it.
func (h *historian) done(o *object, by *member) {
	if h == nil {
		return
	}
	if t := h.tenure(o, by); !t.ending {
		h.log.Done(t.object, t.server)
	}
}

// withdrawing: a node begins to take an object back.
func (h *historian) withdrawing(o *object, by *member) {
	if h != nil {
		h.end(h.tenure(o, by))
	}
}

// withdrawn: so many roots have acknowledged that.
func (h *historian) withdrawn(o *object, by *member, roots int) {
	if h == nil {
		return
	}
	if t := h.tenure(o, by); t.ending && roots == h.run.cfg.Roots && h.run.cfg.quiet() {
		h.gone(t, 0)
	}
}

// stops: a node takes its leave, or has crashed.
func (h *historian) stops(m *member) {
	if h == nil {
		return
	}
	for _, t := range h.of[m] {
		if !t.ending {
			h.end(t)
		}
	}
}

// end begins the time in which a server may still be found: the life of a pointer, and how
// much later a holder may forget it.
func (h *historian) end(t *tenure) {
	t.ending = true
	t.turn++
	h.log.Ending(t.object, t.server)
	h.gone(t, goneLate)
}

// gone notes in a while that t is over, unless it is published again before.
func (h *historian) gone(t *tenure, in time.Duration) {
	turn := t.turn
	h.run.world.After(in, func() {
		if t.turn == turn {
			h.log.Gone(t.object, t.server)
		}
	})
}

// parts and mends are the ends of a partition.
func (h *historian) parts(side func(place int) bool) {
	if h != nil {
		h.cut = side
	}
}

func (h *historian) mends() {
	if h != nil {
		h.mended = h.run.world.Now()
	}
}

// asking is a question under way.
type asking struct {
	by     *historian
	object *object
	from   *member
	since  history.Stamp
	at     mono.Time
}

// asks begins a question, nil if nothing is written down.
func (h *historian) asks(o *object, from *member) *asking {
	if h == nil {
		return nil
	}
	return &asking{h, o, from, h.log.Asked(), h.run.world.Now()}
}

// answered ends it.
func (a *asking) answered(o *env.Outcome) {
	if a == nil {
		return
	}
	told := func(what string) string {
		r := a.by.run
		return fmt.Sprintf("%v: %v, which has asked at %v, %s of %s", r.world.Now().Sub(r.began), a.from.host, a.at.Sub(r.began), what, a.object.guid.Short())
	}
	for _, found := range o.Replicas {
		a.by.log.Found(a.object.guid, found.Server, a.since, told("is told the server "+found.Server.Short()))
	}
	if o.Status == env.Absent {
		a.by.log.Absent(a.object.guid, a.since, a.reached, told("is told the absence"))
	}
}

// reached reports whether the asker could reach a server throughout: over the network,
// and, unless all is judged strictly, because both sides of a cut know of each other
// again, and nobody had lately reason to take the server for dead.
func (a *asking) reached(server idspace.ID) bool {
	h := a.by
	host := h.run.world.Host(server)
	if host == nil || !h.run.world.Reachable(a.from.host, host) {
		return false
	}
	since := a.at.Add(-mergeTime)
	if h.strict {
		since = a.at.Add(-meetTime)
	}
	if h.cut != nil && since <= h.mended && h.cut(host.Place()) != h.cut(a.from.host.Place()) {
		return false
	}
	return h.strict || h.run.people.steady(of(host))
}

// glance is a question of which nothing is counted.
type glance struct{ *asking }

func (glance) arrived(*member)        {}
func (g glance) ended(o *env.Outcome) { g.answered(o) }
func (r *run) glance(o *object, from *member) {
	if r.history == nil {
		return
	}
	g := glance{r.history.asks(o, from)}
	r.ask(from, g, func(call env.Call) env.Local {
		return &env.LocateRequest{Call: call, GUID: o.guid, App: app, Limit: 4, First: r.searched%2 == 0, Deadline: r.world.Now().Add(deadline)}
	})
}

// quiet reports whether nothing is lost, and nobody comes, goes, stalls or is cut off.
func (c *Config) quiet() bool {
	calm := c.Loss+c.Nontransitive+c.Bandwidth+c.Stall.Share == 0
	return calm && c.SessionMedian+c.JoinEvery+c.LeaveEvery == 0 && c.ChurnTrace == "" &&
		len(c.Kill)+len(c.Join)+len(c.Leave)+len(c.Partition)+len(c.OneWay) == 0
}

// shuffles has nodes begin and cease to serve the objects, again and again.
func (r *run) shuffles() {
	if !r.loading {
		return
	}
	r.world.After(r.cfg.ShuffleEvery, r.shuffles)
	m := r.anybody()
	if m == nil || len(r.objects) == 0 {
		return
	}
	o := r.objects[r.world.Rand().IntN(len(r.objects))]
	serves := o.living()
	switch {
	case r.world.Rand().IntN(r.cfg.Replicas*2) < len(serves):
		r.unpublish(o, serves[r.world.Rand().IntN(len(serves))].member)
	case !slices.ContainsFunc(serves, func(s server) bool { return s.member == m }):
		r.publish(o, m, nil)
	}
}

// judge lets the history be judged.
func (a *auditor) judge(h *historian) {
	for _, f := range h.log.Check() {
		if a.counts[historic]++; a.counts[historic] <= textsPerOracle {
			a.texts = append(a.texts, fmt.Sprintf("%s: %s\n    again with: %s", historic, f.Text, a.run.cfg.Command))
		}
	}
}
