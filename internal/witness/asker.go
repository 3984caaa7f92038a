package witness

import (
	"math"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Asker is the machine: it asks, and it is asked. It is not safe for concurrent use.
type Asker struct {
	cfg       Config
	tables    *surrogate.Tables
	record    func(idspace.ID) *wire.SignedRecord
	questions []*question // one per hole, the oldest first
	holes     []surrogate.Hole
}

// question is what is known of one hole.
type question struct {
	hole  surrogate.Hole
	state state
	until mono.Time     // when state ends, if nothing ends it before
	call  uint64        // of the question under way
	asked []idspace.ID  // witnesses, the last one at present
	named []idspace.ID  // whom the gate has not judged yet
	live  []idspace.ID  // whom it has let live
	via   relay         // of one that this node does not reach, zero if there is none
	span  time.Duration // for how long the hole was last believed to be empty
}

// relay is a node that this one does not reach, and who does.
type relay struct{ id, by idspace.ID }

type state uint8

const (
	asking  state = iota // a witness has the question
	judging              // the gate has whom it named
	empty                // nobody lives there
	silent               // nobody could tell
	taken                // somebody lives there, and is no neighbor
	relayed              // and another node reaches it
)

var _ routing.Guard = (*Asker)(nil)

// New returns an Asker over the given tables; record finds the record of a node, nil if it
// is not known. cfg must be valid.
func New(cfg Config, tables *surrogate.Tables, record func(idspace.ID) *wire.SignedRecord) *Asker {
	return &Asker{cfg: cfg, tables: tables, record: record}
}

// Judge implements routing.Guard.
func (a *Asker) Judge(e env.Env, key idspace.ID, excluded []idspace.ID) (worst routing.Standing, by idspace.ID) {
	a.holes = a.tables.Holes(a.holes[:0], key, excluded)
	for _, h := range a.holes {
		s := a.judge(e, h)
		if s == routing.Relayed || s == routing.Unsure {
			q := a.about(h)
			if q.isOf(excluded) {
				continue
			}
			if q != nil && by.IsZero() { // the first is the nearest to the key
				by = q.via.by
			}
		}
		worst = max(worst, s)
	}
	return worst, by
}

func (a *Asker) judge(e env.Env, h surrogate.Hole) routing.Standing {
	q := a.about(h)
	if q == nil {
		if len(a.questions) >= a.cfg.Holes && !a.forget() {
			return routing.Unsure
		}
		q = &question{hole: h, state: silent}
		a.questions = append(a.questions, q)
	}
	if q.state >= empty && !e.Now().Before(q.until) {
		q.asked, q.live, q.via = nil, nil, relay{}
		a.ask(e, q)
	}
	switch q.state {
	case asking, judging:
		return routing.Waiting
	case empty:
		return routing.Sure
	case relayed:
		return routing.Relayed
	}
	return routing.Unsure
}

// isOf reports whether all who are known to live in a hole are among ids. A request that excludes
// them asks who else does, and of that the witness has said: nobody. One that names as many as it may
// can know more.
func (q *question) isOf(ids []idspace.ID) bool {
	other := func(id idspace.ID) bool { return !slices.Contains(ids, id) }
	return q != nil && q.state >= taken && len(q.live) < wire.MaxNamed && !slices.ContainsFunc(q.live, other)
}

func (a *Asker) about(h surrogate.Hole) *question {
	for _, q := range a.questions {
		if q.hole == h {
			return q
		}
	}
	return nil
}

// forget drops the oldest question that is not under way.
func (a *Asker) forget() bool {
	at := slices.IndexFunc(a.questions, func(q *question) bool { return q.state >= empty })
	if at >= 0 {
		a.questions = slices.Delete(a.questions, at, at+1)
	}
	return at >= 0
}

const (
	timerLate uint8 = iota // question N has had its time
	never           = mono.Time(math.MaxInt64)
)

// ask gives a question to the nearest witness that has not been asked.
func (a *Asker) ask(e env.Env, q *question) {
	lo, hi := a.tables.Arc(q.hole)
	to, ok := a.tables.Nearest(lo, hi, q.asked)
	switch {
	case len(q.asked) == a.cfg.Witnesses, !ok && len(q.asked) > 0:
		a.end(e, q, silent)
	case !ok: // nobody is known who could be asked
		a.end(e, q, empty)
	default:
		q.state, q.until, q.call = asking, never, e.Rand().Uint64()
		q.asked = append(q.asked, to)
		e.Send(to, &wire.Witness{
			Call: q.call, Hole: lo[:], Digits: uint32(q.hole.Level + 1), HopsLeft: wire.MaxWitnesses - 1,
			Path: a.tables.Self[:],
		})
		e.SetTimer(q.timer(), a.cfg.Patience)
	}
}

func (q *question) timer() env.TimerKey {
	return env.TimerKey{Room: env.Witness, What: timerLate, N: q.call}
}

// end notes the answer, and has the router look again at what waits for it.
func (a *Asker) end(e env.Env, q *question, s state) {
	e.StopTimer(q.timer())
	q.state, q.named = s, nil
	again := a.cfg.Again
	switch s {
	case empty:
		q.span = min(max(2*q.span, a.cfg.Empty), a.cfg.Longest)
		again = q.span
	case relayed:
		again = a.cfg.Relayed
	}
	q.until = e.Now().Add(again)
	e.Post(&env.Witnessed{})
}

// OnTimer takes back a timer that this machine set.
func (a *Asker) OnTimer(e env.Env, k env.TimerKey) {
	for _, q := range a.questions {
		switch {
		case q.call != k.N:
		case q.state == asking:
			a.ask(e, q)
		case q.state == judging:
			a.end(e, q, silent)
		}
	}
}

// OnChanged forgets what it knows of slots that somebody has entered or left, believes for
// a while only in holes where that could be seen to happen, and asks others instead of
// witnesses that have gone.
func (a *Asker) OnChanged(e env.Env, c *env.Changed) {
	for _, id := range c.Added {
		a.changed(e, id)
	}
	for _, id := range c.Removed {
		a.changed(e, id)
		for _, q := range a.questions {
			switch {
			case q.state == asking && q.asked[len(q.asked)-1] == id:
				e.StopTimer(q.timer())
				a.ask(e, q)
			case q.state == relayed && q.via.by == id:
				q.until = e.Now()
			}
		}
	}
}

func (a *Asker) changed(e env.Env, id idspace.ID) {
	level := a.tables.Space.CommonPrefix(a.tables.Self, id)
	a.questions = slices.DeleteFunc(a.questions, func(q *question) bool {
		if q.hole.Level != level {
			return false
		}
		if q.state == empty {
			q.span, q.until = 0, min(q.until, e.Now().Add(a.cfg.Empty))
		}
		if !a.tables.Inside(q.hole, id) {
			return false
		}
		e.StopTimer(q.timer())
		e.Post(&env.Witnessed{})
		return true
	})
}

// OnStrangers forgets which holes are empty: an overlay has been met of which nobody knew.
func (a *Asker) OnStrangers() {
	a.questions = slices.DeleteFunc(a.questions, func(q *question) bool { return q.state == empty })
}
