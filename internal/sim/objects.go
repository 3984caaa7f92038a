package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// object is something that nodes have published.
type object struct {
	guid    idspace.ID
	servers []server // who has published it, in that order, dead ones included
	asked   int      // how often it was looked for
}

// server is a node that serves an object, and since when the roots know.
type server struct {
	member *member
	since  mono.Time
}

func (o *object) key() pointers.Key { return pointers.Key{GUID: o.guid, App: app} }

// living lists the servers that are up.
func (o *object) living() (up []server) {
	for _, s := range o.servers {
		if !s.member.host.Down() && !s.member.leaving {
			up = append(up, s)
		}
	}
	return up
}

func (r *run) guid() idspace.ID {
	r.guids++
	return idspace.Hash(fmt.Appendf(nil, "object %d of %d", r.guids, r.cfg.Seed))
}

// publishing is a publish or unpublish under way.
type publishing struct {
	started mono.Time
	done    func(o *env.Outcome) // what else is to be done then; may be nil
}

func (*publishing) arrived(*member) {}

func (p *publishing) ended(o *env.Outcome) {
	if p.done != nil {
		p.done(o)
	}
}

// publish lets a node publish an object.
func (r *run) publish(o *object, by *member, done func(*publishing, *env.Outcome)) {
	p, st := &publishing{started: r.world.Now()}, r.stats
	r.history.begun(o, by)
	delete(r.ended, [2]idspace.ID{o.guid, by.host.ID()})
	st.offered++
	p.done = func(out *env.Outcome) {
		if out.Status == env.OK {
			st.placed++
			o.servers = append(o.servers, server{by, r.world.Now()})
			r.history.done(o, by)
		}
		if done != nil {
			done(p, out)
		}
	}
	r.ask(by, p, func(call env.Call) env.Local {
		return &env.PublishRequest{Call: call, GUID: o.guid, App: app, Deadline: r.world.Now().Add(deadline)}
	})
}

// publishAll lays the objects that the run begins with, over a few seconds.
func (r *run) publishAll() {
	spread := time.Duration(r.cfg.Objects) * time.Millisecond
	st := r.stats
	st.began = r.kinds
	for range r.cfg.Objects {
		o := &object{guid: r.guid()}
		r.objects = append(r.objects, o)
		for _, by := range r.honest(r.cfg.Replicas) {
			r.world.After(time.Duration(r.world.Rand().Int64N(int64(spread)+1)), func() {
				r.publish(o, by, func(p *publishing, out *env.Outcome) {
					if out.Status == env.OK {
						st.visible.ms(r.world.Now().Sub(p.started))
						st.published++
					}
				})
			})
		}
	}
	r.world.Run(spread + 3*time.Second)
	st.laid = r.kinds
	for _, m := range r.people.active {
		st.pointersLaid += m.host.Node().Pointers().Len()
	}
}

// publishes publishes an object and withdraws it, again and again.
func (r *run) publishes() {
	if !r.loading {
		return
	}
	r.world.After(r.cfg.PublishEvery, r.publishes)
	by := r.anybody()
	if by == nil {
		return
	}
	o, st := &object{guid: r.guid()}, r.stats
	r.publish(o, by, func(p *publishing, out *env.Outcome) {
		if out.Status == env.OK {
			st.visible.ms(r.world.Now().Sub(p.started))
			r.world.After(5*time.Second, func() { r.unpublish(o, by) })
		}
	})
}

func (r *run) unpublish(o *object, by *member) {
	if by.host.Down() {
		return
	}
	p, st := &publishing{started: r.world.Now()}, r.stats
	p.done = func(out *env.Outcome) {
		if out.Status == env.OK {
			st.gone.ms(r.world.Now().Sub(p.started))
			r.history.withdrawn(o, by, len(out.Placed))
			r.ends(o, by, r.world.Now())
		}
	}
	r.history.withdrawing(o, by)
	o.servers = slices.DeleteFunc(o.servers, func(s server) bool { return s.member == by })
	r.ask(by, p, func(call env.Call) env.Local {
		return &env.UnpublishRequest{Call: call, GUID: o.guid, App: app, Deadline: r.world.Now().Add(deadline)}
	})
}

// search is a locate, or a message to an object.
type search struct {
	run     *run
	stats   *stats // among which it counts
	how     how
	before  int // how often others have looked for the object
	object  *object
	from    *member
	servers []server // living when it began
	nearest time.Duration
	window  int
	started mono.Time
	asking  *asking
	reached bool // the message was delivered
}

// how an object is searched for.
type how int

const (
	first how = iota // the first answer will do
	measured
	sent // a message, at most once
	raced
	hows
)

// searches asks for a random object from a random node, in every way in turn.
func (r *run) searches() {
	if !r.loading {
		return
	}
	r.world.After(r.cfg.LocateEvery, r.searches)
	from := r.anybody()
	if from == nil || len(r.objects) == 0 {
		return
	}
	o := r.objects[r.world.Rand().IntN(len(r.objects))]
	s := &search{run: r, stats: r.stats, how: how(r.searched % int(hows)), object: o, from: from, servers: o.living(), window: r.window(), started: r.world.Now()}
	r.searched++
	if len(s.servers) == 0 {
		r.glance(o, from)
		return
	}
	s.asking, s.before = r.history.asks(o, from), o.asked
	o.asked++
	s.nearest = r.distance(from, s.servers)
	r.ask(from, s, s.request)
}

func (s *search) request(call env.Call) env.Local {
	until := s.run.world.Now().Add(deadline)
	if s.how == sent || s.how == raced {
		return &env.SendRequest{Call: call, Key: s.object.guid, Object: true, Raced: s.how == raced, App: app, Payload: payload(call), Deadline: until}
	}
	return &env.LocateRequest{Call: call, GUID: s.object.guid, App: app, Limit: 4, First: s.how == first, Deadline: until}
}

// distance is the round-trip time to the nearest of some servers.
func (r *run) distance(from *member, servers []server) time.Duration {
	near := time.Duration(1<<63 - 1)
	for _, s := range servers {
		near = min(near, r.rtt(from.host, s.member.host))
	}
	return near
}

// arrived notes that the message was delivered; of a raced one the first copy counts.
func (s *search) arrived(*member) {
	if s.reached {
		return
	}
	s.reached = true
	if s.nearest == 0 {
		return
	}
	x := float64(2*s.run.world.Now().Sub(s.started)) / float64(s.nearest)
	if s.how == sent {
		s.stats.once.add(x)
		return
	}
	s.stats.raced.add(x)
	s.stats.racedBins.add(s.nearest, x)
	s.stats.askedBins[magnitude(s.before)].add(s.nearest, x)
}

func (s *search) ended(o *env.Outcome) {
	s.asking.answered(o)
	st := s.stats
	w := &st.windows[s.window]
	if o.Status != env.OK && s.orphaned() {
		return
	}
	st.searched++
	w.searched++
	s.useful(o)
	if s.how != raced {
		st.locating++
	}
	switch o.Status {
	case env.OK:
		st.found++
		w.found++
		s.found(o)
	case env.Absent:
		if s.known() {
			st.wrongAbsent++
			s.run.absent(s)
		}
	case env.Unknown:
		st.unknown++
	}
}

// orphaned reports whether all servers that lived when the search began have gone since, or
// have said that they are about to, or serve the object no longer.
func (s *search) orphaned() bool { return !slices.ContainsFunc(s.servers, s.serves) }

func (s *search) serves(x server) bool {
	return !x.member.host.Down() && !x.member.leaving && slices.Contains(s.object.servers, x)
}

// known reports whether a server that the roots knew when the search began is still up,
// on the same side of a cut, and nobody had reason to take it for dead.
func (s *search) known() bool {
	return slices.ContainsFunc(s.servers, func(x server) bool {
		return s.serves(x) && s.run.people.steady(x.member) &&
			s.run.world.Reachable(s.from.host, x.member.host)
	})
}

func (s *search) found(o *env.Outcome) {
	st, took := s.stats, s.run.world.Now().Sub(s.started)
	if s.how == sent || s.how == raced {
		if s.how == sent {
			st.tripMs.ms(took)
		}
		if s.how == sent && s.nearest > 0 {
			st.roundtrip.add(float64(took) / float64(s.nearest))
		}
		return
	}
	st.leftover.note(s.run, s.object, o.Replicas)
	nearest := false
	if h := s.run.world.Host(o.Replicas[0].Server); h != nil {
		nearest = s.run.rtt(s.from.host, h) <= s.nearest
	}
	st.answers[s.how]++
	if nearest {
		st.nearest[s.how]++
	}
	if s.how == measured {
		return
	}
	st.firstAnswer.ms(took)
}
