package sim

import (
	"math"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/sim/topology"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
)

// disturb lets happen what the scenario wants to happen to nodes: what goes on all the
// time at once, what has its moment as long after the warm-up.
func (r *run) disturb() {
	if r.cfg.SessionMedian > 0 {
		for _, m := range r.people.active {
			r.endSession(m)
		}
		r.arrivals()
	}
	for _, s := range r.sessions {
		r.session(s)
	}
	for _, k := range r.cfg.Kill {
		r.world.After(r.cfg.Warmup+k.At, func() { r.kill(k.Share) })
	}
	for _, l := range r.cfg.Leave {
		r.world.After(r.cfg.Warmup+l.At, func() { r.leave(l.Share) })
	}
	for _, j := range r.cfg.Join {
		r.world.After(r.cfg.Warmup+j.At, func() { r.massJoin(j.Share) })
	}
	for _, p := range r.cfg.Partition {
		r.partition(p)
	}
	for _, p := range r.cfg.OneWay {
		r.loseOneWay(p)
	}
	if r.cfg.LeaveEvery > 0 {
		r.world.After(r.cfg.LeaveEvery, r.leaveOneByOne)
	}
	if r.cfg.JoinEvery > 0 {
		r.world.After(r.cfg.JoinEvery, r.joinOneByOne)
	}
	if r.cfg.Stall.Share > 0 {
		r.stalls()
	}
}

// endSession draws how long a node stays: sessions of all nodes are exponential, so that
// what is left of one is distributed like a whole one.
func (r *run) endSession(m *member) {
	mean := float64(r.cfg.SessionMedian) / math.Ln2
	r.world.After(time.Duration(r.world.Rand().ExpFloat64()*mean), func() { r.crash(m) })
}

// arrivals brings new nodes, at the rate at which sessions end.
func (r *run) arrivals() {
	mean := float64(r.cfg.SessionMedian) / math.Ln2 / float64(r.cfg.Nodes)
	r.world.After(time.Duration(r.world.Rand().ExpFloat64()*mean), func() {
		if !r.loading {
			return
		}
		if m := r.newcomer(); m != nil {
			r.endSession(m)
		}
		r.arrivals()
	})
}

// newcomer lets a new node join, nil if there is no place for it.
func (r *run) newcomer() *member {
	place, err := r.people.place()
	if err != nil {
		return nil
	}
	return r.enter(world.Birth{Place: place})
}

// enter lets a node join.
func (r *run) enter(b world.Birth) *member {
	m, err := r.people.birth(b)
	if err != nil {
		panic("sim: " + err.Error()) // the configuration of the first nodes was good
	}
	r.people.join(m, r.joinCall())
	return m
}

// crash takes a node down without a word.
func (r *run) crash(m *member) {
	if m.host.Down() {
		return
	}
	r.stats.deaths++
	r.history.stops(m)
	r.end(m)
}

// end takes a node off the net; what it has asked is not counted.
func (r *run) end(m *member) {
	for call, op := range r.operations { // unordered: only counts change
		if l, ok := op.(*lookup); ok && l.from == m {
			r.abandoned(op)
			delete(r.operations, call)
		}
	}
	r.people.crash(m)
}

// kill crashes a share of the nodes at once.
func (r *run) kill(share float64) {
	n := int(share * float64(len(r.people.active)))
	for _, m := range r.some(n) {
		r.crash(m)
	}
}

// leave lets a share of the nodes take its leave.
func (r *run) leave(share float64) {
	for _, m := range r.some(int(share * float64(len(r.people.active)))) {
		r.takeLeave(m)
	}
}

func (r *run) takeLeave(m *member) {
	m.leaving, r.people.changed = true, r.world.Now()
	r.history.stops(m)
	r.ask(m, &parting{r, m}, func(call env.Call) env.Local { return &env.LeaveRequest{Call: call} })
}

// leaveOneByOne lets one node take its leave, and the next one later.
func (r *run) leaveOneByOne() {
	if staying := r.people.staying(); r.loading && len(staying) > 1 {
		r.takeLeave(staying[len(staying)-1])
		r.world.After(r.cfg.LeaveEvery, r.leaveOneByOne)
	}
}

// parting is a departure under way.
type parting struct {
	run    *run
	member *member
}

func (*parting) arrived(*member) {}

func (p *parting) ended(*env.Outcome) {
	p.run.world.After(0, func() { p.run.end(p.member) })
}

// massJoin lets as many new nodes join at once as are a share of the first ones.
func (r *run) massJoin(share float64) {
	for range int(share * float64(r.cfg.Nodes)) {
		r.newcomer()
	}
}

// partition cuts a share of the places off for a time.
func (r *run) partition(p Span) {
	r.world.After(r.cfg.Warmup+p.From, func() {
		order := r.world.Rand().Perm(r.places.Nodes())
		off := make([]bool, len(order))
		for _, place := range order[:int(p.Share*float64(len(order)))] {
			off[place] = true
		}
		side := func(place int) bool { return off[place] }
		r.world.Partition(side)
		r.history.parts(side)
		r.people.changed = r.world.Now()
		r.parted = true
	})
	r.world.After(r.cfg.Warmup+p.To, func() {
		r.world.Partition(nil)
		r.people.changed, r.people.healed = r.world.Now(), r.world.Now()
		r.history.mends()
		r.parted = false
	})
}

// loseOneWay has links of a share of the pairs lose all that goes in one direction, for a time.
func (r *run) loseOneWay(p Span) {
	lose := func(at time.Duration, share float64) {
		r.world.After(r.cfg.Warmup+at, func() {
			r.world.LoseOneWay(share)
			r.people.changed = r.world.Now()
		})
	}
	lose(p.From, p.Share)
	lose(p.To, 0)
}

// stalls lets a share of the nodes stop again and again.
func (r *run) stalls() {
	for _, m := range r.some(int(r.cfg.Stall.Share * float64(len(r.people.active)))) {
		m.slow = true
		r.stall(m)
	}
}

func (r *run) stall(m *member) {
	span := func() time.Duration {
		return r.cfg.Stall.Min + time.Duration(r.world.Rand().Int64N(int64(r.cfg.Stall.Max-r.cfg.Stall.Min)+1))
	}
	r.world.After(span(), func() {
		if m.host.Down() || !r.loading {
			return
		}
		d := span()
		r.world.Stall(m.host, d)
		r.people.disturb(m)
		r.world.After(d, func() {
			r.people.disturb(m)
			r.stall(m)
		})
	})
}

// session plays one session of a trace: the node of that number comes and goes, always
// the same one.
func (r *run) session(s topology.Session) {
	begin, over := r.virtual(s.Start), r.cfg.Warmup+r.cfg.Duration
	if begin > 0 && begin < over {
		r.world.After(begin, func() {
			birth := world.Birth{Place: s.Node}
			if old := r.byTrace[s.Node]; old != nil {
				birth.Again = old.host
			}
			r.people.take(s.Node)
			r.byTrace[s.Node] = r.enter(birth)
		})
	}
	if end := r.virtual(s.End); end > 0 && end < over {
		r.world.After(end, func() {
			if m := r.byTrace[s.Node]; m != nil {
				r.crash(m)
			}
		})
	}
}

// PaceLookups sets LookupEvery such that each node looks a key up once in each: of the
// nodes that are up in the measured part on average.
func (c *Config) PaceLookups(each time.Duration) error {
	live, err := c.meanLive()
	c.LookupEvery = time.Duration(float64(groupSize*each) / max(1, live)).Round(time.Microsecond)
	return err
}

func (c *Config) meanLive() (float64, error) {
	if c.ChurnTrace == "" {
		return float64(c.Nodes), nil
	}
	sessions, err := loadSessions(*c)
	if err != nil {
		return 0, &FileError{err}
	}
	from := float64(c.Warmup) * c.ChurnSpeedup
	to := from + float64(c.Duration)*c.ChurnSpeedup
	up := 0.0
	for _, s := range sessions {
		up += max(0, min(float64(s.End), to)-max(float64(s.Start), from))
	}
	return up / (to - from), nil
}

// virtual is when something of the trace happens, from when the overlay has settled.
func (r *run) virtual(t time.Duration) time.Duration {
	return time.Duration(float64(t) / r.cfg.ChurnSpeedup)
}
