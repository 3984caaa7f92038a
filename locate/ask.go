package locate

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// OnTimer is called with a timer that this machine set.
func (l *Locator) OnTimer(e env.Env, k env.TimerKey) {
	call := env.Call(k.N)
	if k.What == timerRetry {
		l.onRetry(e, call)
		return
	}
	a := l.asks[call]
	if a == nil {
		return
	}
	switch k.What {
	case timerDeadline:
		l.conclude(e, a)
	case timerGather:
		l.measure(e, a)
	case timerProbe:
		l.conclude(e, a)
	default:
		panic(fmt.Sprintf("locate: timer %d is not of this room", k.What))
	}
}

// onRetry asks a root again that has not answered. After a few times the others need
// not wait for it.
func (l *Locator) onRetry(e env.Env, call env.Call) {
	q, ok := l.calls[call]
	switch {
	case !ok || q.near:
		return
	case q.fetch != nil:
		l.fetched(e, call)
		return
	}
	if q.ask.roots[q.salt].tries >= l.cfg.Tries {
		l.settle(e, q.ask)
	}
	if q.ask.phase != over {
		l.question(e, q.ask, q.salt)
	}
}

// firstFound begins the end of the race.
func (l *Locator) firstFound(e env.Env, a *ask) {
	switch {
	case a.phase != racing || a.All:
	case a.First && !a.Explain:
		l.conclude(e, a)
	default:
		a.phase = gathering
		if !a.Explain { // an explanation waits for all roots
			l.setTimer(e, timerGather, a.Call, e.Now().Add(l.cfg.Gather))
		}
	}
}

// settle goes on when no root is left to wait for: all have answered, or have been
// asked often enough and the others know the answer.
func (l *Locator) settle(e env.Env, a *ask) {
	if a.phase != racing && a.phase != gathering {
		return
	}
	a.dropGone()
	all, waits := true, false
	for _, at := range a.roots {
		all = all && at.answered
		waits = waits || !at.answered && at.tries < l.cfg.Tries
	}
	if waits && !(a.Fresh && len(a.found) > 0 && l.trusts(a)) {
		return
	}
	switch {
	case len(a.found) > 0 && !a.First && !a.All:
		l.measure(e, a)
	case len(a.found) > 0 || all || a.votes() >= l.cfg.votes():
		l.conclude(e, a)
	}
}

// measure asks for the distance of the nearest few: for a neighbor it is known.
func (l *Locator) measure(e env.Env, a *ask) {
	if a.phase == measuring || a.phase == over {
		return
	}
	a.phase = measuring
	l.stopTimer(e, timerGather, a.Call)
	for _, r := range a.found {
		l.measured(e, r)
	}
	probe := l.promising(a)
	a.waiting = len(probe)
	if a.waiting == 0 {
		l.conclude(e, a)
		return
	}
	l.setTimer(e, timerProbe, a.Call, min(e.Now().Add(l.cfg.Probe), a.Deadline))
	for _, r := range probe {
		l.probes[r.Server] = append(l.probes[r.Server], a)
		if len(l.probes[r.Server]) == 1 {
			e.Post(&env.Probe{Peer: r.Server, Use: wire.Use_USE_NONE, For: env.Locate})
		}
	}
}

// measured notes the distance of a replica if it is known. A neighbor that has been silent for a
// while may be dead by now: it is as far as it was, and asked again.
func (l *Locator) measured(e env.Env, r *replica) {
	if r.Server == l.cfg.Self {
		r.RTT, r.Measured = 0, true
	} else if rtt, ok := l.Links.RTT(r.Server); ok {
		heard, well := l.Links.Heard(r.Server)
		r.RTT, r.Measured, r.met = rtt, well && e.Now().Sub(heard) < l.cfg.Silence, true
	}
}

// promising picks whom to measure: the nearest few strangers by what is guessed of them, and as many
// neighbors, but nobody who is beyond doubt farther than one of the zone wanted whose distance is known.
func (l *Locator) promising(a *ask) (probe []*replica) {
	known := func(match int) time.Duration {
		least := time.Duration(math.MaxInt64)
		for _, r := range a.found {
			if r.Measured && r.match >= match {
				least = min(least, r.RTT)
			}
		}
		return least
	}
	slices.SortFunc(a.found, byRTT)
	left := map[bool]int{true: l.cfg.Measure, false: l.cfg.Measure} // of those met, and of strangers
	for _, r := range a.found {
		if !r.Measured && left[r.met] > 0 && r.RTT/doubt <= known(r.match) {
			left[r.met]--
			r.probed = true
			probe = append(probe, r)
		}
	}
	return probe
}

// doubt is how many times too long a guess may be: one in ten is off by a third (findings B).
const doubt = 3

// byRTT orders replicas by distance, measured or not.
func byRTT(x, y *replica) int {
	a, b := *x, *y
	a.Measured, b.Measured = false, false
	return distance(&a, &b)
}

// OnVerdict takes a measurement.
func (l *Locator) OnVerdict(e env.Env, v *env.Verdict) {
	waiting := l.probes[v.Peer]
	delete(l.probes, v.Peer)
	for _, a := range waiting {
		i := slices.IndexFunc(a.found, func(r *replica) bool { return r.Server == v.Peer && r.probed })
		if i < 0 || a.phase != measuring {
			continue
		}
		r := a.found[i]
		r.probed = false
		if v.Alive {
			r.RTT, r.Measured = v.RTT, true
		} else {
			r.dead = true
		}
		if a.waiting--; a.waiting == 0 {
			l.conclude(e, a)
		}
	}
}

// conclude ends a with what it knows now.
func (l *Locator) conclude(e env.Env, a *ask) {
	a.dropGone()
	pointed := len(a.found) > 0
	a.found = slices.DeleteFunc(a.found, func(r *replica) bool { return r.dead })
	if !l.trusts(a) {
		a.found = nil
	}
	switch {
	case len(a.found) > 0:
		l.end(e, a, env.OK)
	case !pointed && a.votes() >= l.cfg.votes() && l.strangers <= e.Now():
		l.end(e, a, env.Absent)
	default:
		// A pointer beats any votes: a server that this node cannot reach is not absent.
		l.end(e, a, env.Unknown)
	}
}

// trusts reports whether what was found may be offered: if it has to be fresh, only when so many
// roots have answered that one of them knows of every withdrawal (design §8, Rd + W > R).
func (l *Locator) trusts(a *ask) bool {
	answered := 0
	for _, at := range a.roots {
		if at.answered {
			answered++
		}
	}
	return !a.Fresh || answered+l.cfg.Acks > l.cfg.Roots
}

// dropGone takes out the servers that have withdrawn the object since they published it.
func (a *ask) dropGone() {
	a.found = slices.DeleteFunc(a.found, func(r *replica) bool {
		at, gone := a.gone[r.Server]
		return gone && !r.sequence.Above(at)
	})
}

// votes counts the roots that hold no pointer.
func (a *ask) votes() (n int) {
	for _, at := range a.roots {
		if at.empty {
			n++
		}
	}
	return n
}

// end answers and forgets a.
func (l *Locator) end(e env.Env, a *ask, status env.Status) {
	l.forget(e, a)
	l.answer(e, a, status)
}

// forget drops a with its timers and calls.
func (l *Locator) forget(e env.Env, a *ask) {
	a.phase = over
	delete(l.asks, a.Call)
	for _, what := range [...]uint8{timerDeadline, timerGather, timerProbe} {
		l.stopTimer(e, what, a.Call)
	}
	for i := range a.roots {
		l.closeCalls(e, &a.roots[i])
	}
	for _, call := range a.near {
		delete(l.calls, call)
	}
	l.unwaitAll(a)
}

// unwaitAll takes a off the lists of those who wait for verdicts.
func (l *Locator) unwaitAll(a *ask) {
	for _, r := range a.found {
		if !r.probed {
			continue
		}
		r.probed = false
		left := slices.DeleteFunc(l.probes[r.Server], func(o *ask) bool { return o == a })
		if len(left) == 0 {
			delete(l.probes, r.Server)
		} else {
			l.probes[r.Server] = left
		}
	}
}

// tell tells what was not told yet, the nearest first. What has to be fresh is told in the end.
func (l *Locator) tell(e env.Env, a *ask) {
	if !a.All || a.Fresh || a.For != env.Face {
		return
	}
	var some []env.Replica
	for _, r := range a.found {
		l.measured(e, r)
	}
	slices.SortFunc(a.found, distance)
	for _, r := range a.found {
		if !r.told {
			r.told = true
			some = append(some, r.Replica)
		}
	}
	if len(some) > 0 {
		e.Deliver(&env.Found{Call: a.Call, Replicas: some})
	}
}

// answer tells whoever asked.
func (l *Locator) answer(e env.Env, a *ask, status env.Status) {
	slices.SortFunc(a.found, distance)
	var replicas []env.Replica
	for i, r := range a.found {
		if i < a.Limit || a.All {
			replicas = append(replicas, r.Replica)
		}
	}
	var notes [][]*wire.HopNote
	if a.Explain {
		for _, at := range a.roots {
			notes = append(notes, at.notes)
		}
	}
	if a.For == env.Face {
		o := &env.Outcome{Call: a.Call, Status: status, Replicas: replicas, Notes: notes}
		if status == env.Busy {
			o.RetryAfter = l.Router.RetryAfter(e)
		}
		e.Deliver(o)
	} else {
		e.Post(&env.Located{Call: a.Call, Status: status, Replicas: replicas, Notes: notes})
	}
}
