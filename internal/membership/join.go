package membership

import (
	"fmt"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/routing"
)

// joining is a join under way: one seed after another is probed and asked to route a
// request to this node's own ID, until one comes back from its root, the surrogate. That
// inserts this node (see insertion) while it fills its tables with what it was lent.
type joining struct {
	call       env.Call // of the face
	seeds      []idspace.ID
	turn       int          // seeds asked so far, in all rounds
	request    uint64       // the call that is on its way, 0 if none is
	surrogate  idspace.ID   // who inserts this node, zero until the request has come back
	met        bool         // the surrogate has sent word
	strange    []idspace.ID // surrogates before that could not be reached
	insertedBy []idspace.ID // who say that all who need to know this node do, and have handed over
	late       bool         // a third of the time is over: who has not answered by now is not waited for
	holding    bool         // messages, until what was passed on has been answered
	shortfall  string       // what this turn has come to, for who waits for the join
}

// OnJoin begins to look for this node's place, or founds an overlay.
func (m *Member) OnJoin(e env.Env, j *env.JoinRequest) {
	if m.phase != Idle {
		e.Deliver(&env.Outcome{Call: j.Call, Status: env.Busy, Error: "already joined or joining"})
		return
	}
	seeds := slices.DeleteFunc(slices.Clone(j.Seeds), func(id idspace.ID) bool { return id == m.tables.Self })
	m.phase = Joining
	m.join = joining{call: j.Call, seeds: seeds}
	m.partition.setSeeds(seeds)
	m.tables.Map.Bound(m.perSlot())
	if len(seeds) == 0 {
		m.activate(e)
		return
	}
	e.Rand().Shuffle(len(seeds), func(a, b int) { seeds[a], seeds[b] = seeds[b], seeds[a] })
	m.askSeed(e)
}

// askSeed probes the next seed, or gives up after enough rounds.
func (m *Member) askSeed(e env.Env) {
	if m.join.turn >= m.cfg.JoinRounds*len(m.join.seeds) {
		e.Deliver(&env.Outcome{Call: m.join.call, Status: env.NoRoute, Error: fmt.Sprintf(
			"no seed brought this node in, in %d rounds: %s, asked last, %s", m.cfg.JoinRounds, m.seed().Short(), m.join.shortfall)})
		m.abandon(e)
		return
	}
	strange := m.join.strange
	if s := m.join.surrogate; !s.IsZero() && !m.join.met && !m.links.Linked(s) && len(strange) < maxStrange {
		strange = append(strange, s)
	}
	m.join = joining{
		call: m.join.call, seeds: m.join.seeds, turn: m.join.turn + 1, strange: strange,
		shortfall: "did not answer, nor did whom it led to",
	}
	m.probe(e, m.seed(), wire.Use_USE_NONE)
	m.request(e)
	m.setJoinTimer(e)
}

// maxStrange is how many surrogates a join goes past because they and this node cannot
// reach each other: the next one on the ring inserts it then, or after so many whatever member
// the join comes to, which is the seed.
const maxStrange = wire.MaxExclude - 1

// request asks the seed to route the join, in the same packet as the probe: the timer takes
// care of one that does not answer, so that a dead seed is not asked in a tight loop.
func (m *Member) request(e env.Env) {
	own := m.book.find(m.tables.Self)
	m.join.request = e.Rand().Uint64()
	excluded := slices.Clone(m.tables.Self[:])
	for _, s := range m.join.strange {
		excluded = append(excluded, s[:]...)
	}
	m.router.Defer(e, m.seed())
	m.router.RouteVia(e, &wire.Routed{
		Call: m.join.request, Key: m.tables.Self[:], BodyKind: wire.BodyKind_BODY_JOIN,
		Body: wire.Pack(&wire.Join{Record: own.record}), Excluded: excluded,
	}, m.seed())
}

func (m *Member) seed() idspace.ID {
	return m.join.seeds[(m.join.turn-1)%len(m.join.seeds)]
}

func (m *Member) setJoinTimer(e env.Env) {
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerJoin}, m.cfg.JoinTimeout)
}

// isSeed reports whether id is the seed that the join has asked. It is no candidate yet.
func (m *Member) isSeed(id idspace.ID) bool {
	return m.phase == Joining && m.join.surrogate.IsZero() && m.join.turn > 0 && id == m.seed()
}

// OnReply takes the surrogate's word that it inserts this node, with the rows that were
// lent along the way: their nodes are strangers, whose records the lenders have.
func (m *Member) OnReply(e env.Env, r *wire.Routed) {
	if m.phase != Joining || m.join.request != r.Call || !m.join.surrogate.IsZero() {
		return
	}
	if r.Refusal != wire.Refusal_REFUSAL_NONE {
		m.joinRefused(e, r)
		return
	}
	b, err := wire.Unpack(r.Body, new(wire.JoinReply))
	trail := wire.IDs(r.Trail)
	if err == nil && len(trail) == 0 {
		err = errNoTrail
	}
	if err != nil {
		e.Emit(&env.Dropped{Why: "join reply: " + err.Error()})
		return
	}
	m.join.surrogate = trail[len(trail)-1]
	m.join.shortfall = fmt.Sprintf("led to %s, which did not finish in time", m.join.surrogate.Short())
	m.router.Defer(e, m.join.surrogate, m.seed())
	for _, s := range m.join.seeds {
		m.book.avoid(s, mono.Time(0))
	}
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerJoin}, m.cfg.JoinTimeout/3)
	m.learn(e, b.Records)
	for _, l := range b.Lent {
		m.borrow(e, l)
	}
	m.joinProgress(e)
}

// borrow asks a node on the way for the records of those in its row that this node has room
// for. The surrogate lends its own without being asked.
func (m *Member) borrow(e env.Env, l *wire.Loan) {
	lender, err := m.note(e, l.Lender)
	if err != nil {
		e.Emit(&env.Dropped{Why: "join reply: " + err.Error()})
		return
	}
	m.consider(e, lender)
	if lender == m.join.surrogate {
		return
	}
	var strangers []byte
	for _, r := range wire.Refs(l.Refs) {
		if p := m.book.resolve(r); p != nil {
			m.consider(e, p.id)
		} else if m.want(r.Guess()) >= wire.Use_USE_SOLE {
			strangers = wire.AppendRef(strangers, r)
		}
	}
	if len(strangers) > 0 {
		e.SendDial(lender, &wire.RecordRequest{Refs: strangers})
	}
}

// OnInserted takes the surrogate's word of how the multicast over those who need to know
// this node has ended; it may be here before the reply that names him.
func (m *Member) OnInserted(e env.Env, from idspace.ID, i *wire.Inserted) {
	own := m.book.find(m.tables.Self)
	switch {
	case m.phase != Joining || m.join.request == 0 || i.Generation != own.stamp.Generation:
	case i.Failed > 0 && from == m.join.surrogate:
		// Somebody may still answer without knowing this node: it asks again, soon.
		m.join.late, m.join.met = true, true
		m.join.shortfall = fmt.Sprintf("led to %s, which could not tell %d of those who need to know", from.Short(), i.Failed)
		e.SetTimer(env.TimerKey{Room: env.Membership, What: timerJoin}, env.Jitter(e, m.cfg.JoinTimeout/3))
	case i.Failed == 0 && len(m.join.insertedBy) < wire.MaxExclude:
		m.join.insertedBy = append(m.join.insertedBy, from)
		m.joinProgress(e)
	}
}

// joinLate ends a wait: for a seed, for the insertion, or for what was passed on.
func (m *Member) joinLate(e env.Env) {
	switch {
	case m.phase != Joining:
	case m.join.holding:
		m.activate(e)
	case !m.join.surrogate.IsZero() && !m.join.late:
		m.join.late = true
		e.SetTimer(env.TimerKey{Room: env.Membership, What: timerJoin}, m.cfg.JoinTimeout*2/3)
		m.joinProgress(e)
	default:
		m.askSeed(e)
	}
}

// joinProgress holds messages when this node is inserted and its nearest neighbors on the
// ring have confirmed it; it is active when what it has passed on has been answered.
func (m *Member) joinProgress(e env.Env) {
	if m.phase != Joining || m.join.holding || !slices.Contains(m.join.insertedBy, m.join.surrogate) {
		return
	}
	if !m.confirmed() {
		return
	}
	m.join.holding = true
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerJoin}, m.cfg.JoinTimeout)
	m.router.Hold(e)
}

// OnDrained activates this node when nobody else can answer any more what is its own.
func (m *Member) OnDrained(e env.Env) {
	if m.phase == Joining && m.join.holding {
		m.activate(e)
	}
}

// confirmed reports whether those next to this node on the ring point at it. Candidates at
// the gate, or before it, may be next to it; the dead ones take too long to be waited for.
func (m *Member) confirmed() bool {
	nearest := leafset.New(m.tables.Self, confirmers)
	for _, id := range m.tables.Leaves.All() {
		nearest.Insert(id)
	}
	if !m.join.late {
		for id := range m.gate.probing { // a set: order does not matter
			nearest.Insert(id)
		}
		for _, id := range m.gate.queue {
			nearest.Insert(id)
		}
	}
	for _, id := range nearest.All() {
		l := m.links.Link(id)
		if l == nil || !m.tables.Leaves.Has(id) || !l.Suspect && l.Theirs == wire.Use_USE_NONE {
			return false
		}
	}
	return true
}

// confirmers is how many members of the leaf set on each side must point at this node
// before it is active: all sixteen made a join two and a half times as long (findings A.8).
const confirmers = 2

// activate makes this node a member: it may answer as root, and its exchanges begin.
func (m *Member) activate(e env.Env) {
	e.StopTimer(env.TimerKey{Room: env.Membership, What: timerJoin})
	m.phase, m.activated = Active, e.Now()
	e.Post(&env.Activated{})
	e.Emit(&env.Ready{})
	e.Deliver(&env.Outcome{Call: m.join.call})
	m.join = joining{}
	m.schedule(e, timerLeaf, m.cfg.LeafPeriod)
	m.schedule(e, timerRow, m.cfg.RowPeriod)
	m.partition.begin(e)
	for level := range m.tables.Map.Levels() {
		if to, ok := m.randomOf(e, m.tables.Map.Row(level)); ok {
			m.sendRow(e, to, rowOf{level: level, ask: true})
		}
	}
}

// OnCancel ends a join for which nobody waits any more.
func (m *Member) OnCancel(e env.Env, call env.Call) {
	if m.phase == Joining && m.join.call == call {
		m.abandon(e)
	}
}

// abandon undoes a join that comes to nothing: those who know this node by now must not
// route to one that cannot answer. It says no goodbye, for it may join again.
func (m *Member) abandon(e env.Env) {
	e.StopTimer(env.TimerKey{Room: env.Membership, What: timerJoin})
	m.router.Defer(e, m.seed()) // passes on what was held, and what still comes
	m.join = joining{}
	for _, l := range m.links.All() {
		e.Send(l.ID, &wire.Unlink{})
	}
	e.Post(&env.Departing{})
	m.forgetAll(e)
}

var _ routing.Upcall = (*Member)(nil)

// OnLost is a join that could not leave this node: the timer asks the next seed.
func (m *Member) OnLost(env.Env, *wire.Routed, wire.Refusal) {}
