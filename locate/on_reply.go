package locate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// OnReply takes an answer: replicas, a vote that there are none, or a refusal.
func (l *Locator) OnReply(e env.Env, r *wire.Routed) {
	q, ok := l.calls[env.Call(r.Call)]
	if ok && q.fetch != nil {
		l.fetched(e, env.Call(r.Call))
	}
	if !ok || r.Refusal != wire.Refusal_REFUSAL_NONE {
		return // a refusal is no vote: the root is asked again when its timer comes
	}
	m, err := wire.Unpack(r.Body, new(wire.LocateReply))
	if err != nil {
		e.Emit(&env.Dropped{Why: "locate: bad reply"})
		return
	}
	if q.fetch != nil {
		l.cache(e, *q.fetch, m.Replicas, via(r))
		return
	}
	a := q.ask
	live := len(m.Replicas)
	for _, f := range m.Replicas {
		switch err := l.take(a, f, via(r)); {
		case errors.Is(err, errWithdrawn) && a.Fresh:
			live--
		case err != nil:
			e.Emit(&env.Dropped{Why: "locate: bad replica"})
		}
	}
	if q.near {
		delete(l.calls, env.Call(r.Call))
	} else {
		at := &a.roots[q.salt]
		l.closeCalls(e, at)
		// An answer of nothing but bad replicas is no vote.
		at.answered, at.empty, at.notes = true, live == 0, r.Notes
	}
	if a.hopeful() && !a.Fresh {
		l.tell(e, a)
		l.firstFound(e, a)
	}
	l.settle(e, a)
}

// hopeful reports whether a server was found of which nobody says that it is dead.
func (a *ask) hopeful() bool {
	return slices.ContainsFunc(a.found, func(r *replica) bool { return !r.doubted })
}

var errWithdrawn = errors.New("withdrawn")

// via is the way to who has answered.
func via(r *wire.Routed) []idspace.ID {
	if way := wire.IDs(r.Trail); len(way) > 1 {
		return way[1:]
	}
	return nil
}

func (l *Locator) closeCalls(e env.Env, at *root) {
	for _, call := range at.calls {
		delete(l.calls, call)
		l.stopTimer(e, timerRetry, call)
	}
	at.calls = nil
}

// take adds a replica to what was found, once per server: the shortest estimate, the
// newest records, the way of the first answer.
func (l *Locator) take(a *ask, f *wire.FoundReplica, via []idspace.ID) error {
	o, err := l.open(a.key, f)
	if err != nil {
		return err
	}
	if o.Record.Withdrawn {
		a.withdrawn(o.server(), pointers.SequenceOf(o.Record))
		return errWithdrawn
	}
	match, ok := a.zone().match(o.node.Zone)
	if !ok {
		return fmt.Errorf("in zone %q, not in %q", o.node.Zone, a.Zone)
	}
	l.merge(a, &replica{
		Replica:  env.Replica{Server: o.server(), Record: f.Server, RTT: trip(f), Via: via, Coord: wire.CoordIn(f.Coord), Doors: f.Doors},
		sequence: pointers.SequenceOf(o.Record),
		node:     o.node,
		match:    match,
		doubted:  f.Doubted,
	})
	return nil
}

func (l *Locator) merge(a *ask, n *replica) {
	i := slices.IndexFunc(a.found, func(o *replica) bool { return o.Server == n.Server })
	if i < 0 {
		a.found = append(a.found, n)
		return
	}
	o := a.found[i]
	if !o.Measured {
		o.RTT = min(o.RTT, n.RTT)
	}
	o.doubted = o.doubted || n.doubted
	if n.node.Newer(o.node) {
		o.Record, o.node = n.Record, n.node
	}
	if n.sequence.Above(o.sequence) {
		o.sequence = n.sequence
	}
}

// OnLost is told that a question could not leave this node. It is asked again when
// its timer comes, unless this node is no member, or has no room for any of them.
func (l *Locator) OnLost(e env.Env, r *wire.Routed, why wire.Refusal) {
	q, ok := l.calls[env.Call(r.Call)]
	switch {
	case ok && q.fetch != nil:
		l.fetched(e, env.Call(r.Call))
	case !ok || len(q.ask.found) > 0:
	case why == wire.Refusal_REFUSAL_NOT_JOINED:
		l.end(e, q.ask, env.NotJoined)
	case why == wire.Refusal_REFUSAL_BUSY && !l.Router.Room(e):
		q.ask.roots[q.salt].turned = true
		if !slices.ContainsFunc(q.ask.roots, func(at root) bool { return !at.turned }) {
			l.end(e, q.ask, env.Busy)
		}
	}
}

// withdrawn notes that a server has taken the object back.
func (a *ask) withdrawn(server idspace.ID, at pointers.Sequence) {
	if a.gone == nil {
		a.gone = make(map[idspace.ID]pointers.Sequence)
	}
	if at.Above(a.gone[server]) {
		a.gone[server] = at
	}
}

// distance orders replicas: those last of which somebody says that they are dead, else those in the zone wanted first, of these measured ones, then the
// nearest.
func distance(a, b *replica) int {
	if a.doubted != b.doubted {
		if b.doubted {
			return -1
		}
		return 1
	}
	if a.match != b.match {
		return b.match - a.match
	}
	if a.Measured != b.Measured {
		if a.Measured {
			return -1
		}
		return 1
	}
	if a.RTT != b.RTT {
		return int(min(max(a.RTT-b.RTT, -1), 1))
	}
	return idspace.Compare(a.Server, b.Server)
}
