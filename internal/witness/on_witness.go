package witness

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// OnWitness names who lives in the hole that a neighbor asks about; if this node knows
// nobody, and cannot be sure of that, it asks somebody nearer to it.
func (a *Asker) OnWitness(e env.Env, from idspace.ID, m *wire.Witness) {
	path := wire.IDs(m.Path)
	if len(path) == 0 || path[len(path)-1] != from || int(m.Digits) > a.tables.Space.Digits() {
		e.Emit(&env.Dropped{Why: "witness: path does not end at the sender", Peer: from})
		return
	}
	lo, hi := a.tables.Space.Arc(wire.ID(m.Hole), int(m.Digits))
	named := slices.DeleteFunc(a.tables.Within(lo, hi, wire.MaxNamed+1), func(id idspace.ID) bool { return id == path[0] })
	if len(named) == 0 && m.HopsLeft > 0 && len(path) < wire.MaxWitnesses && !a.tables.Leaves.Covered(lo, hi) {
		next, ok := a.tables.Nearest(lo, hi, path)
		if ok && idspace.Compare(surrogate.Away(next, lo, hi), surrogate.Away(a.tables.Self, lo, hi)) < 0 {
			e.Send(next, &wire.Witness{
				Call: m.Call, Hole: m.Hole, Digits: m.Digits, HopsLeft: m.HopsLeft - 1,
				Path: append(slices.Clone(m.Path), a.tables.Self[:]...),
			})
			return
		}
	}
	reply := &wire.WitnessReply{Call: m.Call, Path: m.Path}
	for _, id := range named[:min(len(named), wire.MaxNamed)] {
		if record := a.record(id); record != nil {
			reply.Named = append(reply.Named, record)
		}
	}
	back(e, reply)
}

// back sends a reply to the last node of its path.
func back(e env.Env, m *wire.WitnessReply) {
	rest := len(m.Path) - idspace.Size
	e.Send(idspace.ID(m.Path[rest:]), &wire.WitnessReply{Call: m.Call, Path: m.Path[:rest], Named: m.Named})
}

// OnWitnessReply passes an answer on to who asked, or takes it: whoever is named goes to
// the gate.
func (a *Asker) OnWitnessReply(e env.Env, from idspace.ID, m *wire.WitnessReply) {
	if len(m.Path) > 0 {
		back(e, m)
		return
	}
	at := slices.IndexFunc(a.questions, func(q *question) bool { return q.state == asking && q.call == m.Call })
	if at < 0 || a.questions[at].asked[len(a.questions[at].asked)-1] != from {
		return // it comes too late
	}
	q := a.questions[at]
	var records []*wire.SignedRecord
	for _, record := range m.Named {
		node, err := record.Node()
		if err != nil || !a.tables.Inside(q.hole, node.ID()) {
			e.Emit(&env.Dropped{Why: "witness: names somebody else", Peer: from})
			continue
		}
		if !a.tables.Map.Has(node.ID()) { // else it is excluded, and the question was who else there is
			q.named, records = append(q.named, node.ID()), append(records, record)
		}
	}
	if len(q.named) == 0 {
		a.end(e, q, empty)
		return
	}
	q.state = judging
	e.SetTimer(q.timer(), a.cfg.Judging)
	for _, record := range records {
		e.Post(&env.Named{Record: record})
	}
}

// OnJudged takes the gate's word on somebody who was named. One that lives is enough: the
// request goes on if it has entered the map.
func (a *Asker) OnJudged(e env.Env, j *env.Judged) {
	for _, q := range a.questions {
		at := slices.Index(q.named, j.Peer)
		if q.state != judging || at < 0 {
			continue
		}
		q.named = slices.Delete(q.named, at, at+1)
		if j.Alive {
			q.live = append(q.live, j.Peer)
		}
		if !j.By.IsZero() {
			q.via = relay{j.Peer, j.By}
		}
		switch {
		case len(q.named) > 0:
		case !q.via.by.IsZero():
			a.end(e, q, relayed)
		case len(q.live) > 0:
			a.end(e, q, taken)
		default:
			e.StopTimer(q.timer())
			a.ask(e, q) // who names only the dead does not know that nobody lives
		}
	}
}
