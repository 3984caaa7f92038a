package membership

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// joining is a join under way: one seed after another is probed and asked to route a
// request to this node's own ID, until one comes back with its root's tables.
type joining struct {
	call    env.Call // of the face
	seeds   []idspace.ID
	turn    int    // seeds asked so far, in all rounds
	request uint64 // the call that is on its way, 0 if none is
	learned bool   // a root has lent its tables: their probes are under way
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
		m.phase = Idle
		e.Deliver(&env.Outcome{Call: m.join.call, Status: env.NoRoute, Error: "no seed brought the join back"})
		return
	}
	m.join.turn++
	m.join.request = 0
	m.probe(e, m.seed(), wire.Use_USE_NONE)
	m.setJoinTimer(e)
}

func (m *Member) seed() idspace.ID {
	return m.join.seeds[(m.join.turn-1)%len(m.join.seeds)]
}

func (m *Member) setJoinTimer(e env.Env) {
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerJoin}, m.cfg.JoinTimeout)
}

// isSeed reports whether the join waits for the verdict on id.
func (m *Member) isSeed(id idspace.ID) bool {
	return m.phase == Joining && !m.join.learned && m.join.request == 0 && m.join.turn > 0 && id == m.seed()
}

// seedVerdict asks a seed that answered to route the join; of one that did not the
// timer takes care, so that a dead seed is not asked in a tight loop.
func (m *Member) seedVerdict(e env.Env, v *env.Verdict) bool {
	if !v.Alive {
		return true
	}
	own := m.book.find(m.tables.Self)
	m.join.request = e.Rand().Uint64()
	m.router.Defer(v.Peer)
	m.router.RouteVia(e, &wire.Routed{
		Call: m.join.request, Key: m.tables.Self[:], BodyKind: wire.BodyKind_BODY_JOIN,
		Body: wire.Pack(&wire.Join{Record: own.record}), Excluded: m.tables.Self[:],
	}, v.Peer)
	return true
}

// joinLate ends a wait: for a seed, or for the probes of what the root has lent.
func (m *Member) joinLate(e env.Env) {
	switch {
	case m.phase != Joining:
	case m.join.learned:
		m.activate(e)
	default:
		m.askSeed(e)
	}
}

// joinProgress activates this node when every candidate of the lent tables has been probed.
func (m *Member) joinProgress(e env.Env) {
	if m.phase == Joining && m.join.learned && len(m.gate.probing) == 0 && len(m.gate.queue) == 0 {
		m.activate(e)
	}
}

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
	for level := range m.tables.Map.Levels() {
		if to, ok := m.randomOf(e, m.tables.Map.Row(level)); ok {
			m.sendRow(e, to, rowOf{level: level, ask: true})
		}
	}
}

// OnCancel ends a join for which nobody waits any more.
func (m *Member) OnCancel(e env.Env, call env.Call) {
	if m.phase == Joining && m.join.call == call {
		e.StopTimer(env.TimerKey{Room: env.Membership, What: timerJoin})
		m.phase, m.join = Idle, joining{}
	}
}

var _ routing.Upcall = (*Member)(nil)

// OnHop answers a join at the root of the joining node's ID with this node's tables.
func (m *Member) OnHop(e env.Env, r *wire.Routed, at routing.At) routing.Verdict {
	b, err := wire.Unpack(r.Body, new(wire.Join))
	if err != nil {
		e.Emit(&env.Dropped{Why: "join: " + err.Error(), Peer: at.From})
		return routing.Continue
	}
	if id, err := m.book.learn(b.Record); err != nil || id != wire.ID(r.Key) {
		e.Emit(&env.Dropped{Why: "join: record of another node", Peer: at.From})
		return routing.Continue
	}
	if !at.Root {
		return routing.Continue
	}
	m.router.Answer(e, r, wire.Pack(&wire.JoinReply{Records: m.lend(wire.ID(r.Key))}), wire.Refusal_REFUSAL_NONE)
	return routing.Consumed
}

// lend lists the records that a node joining next to this one needs most: this node's
// own, its leaf set, then its rows from the longest prefix down, one per slot first.
func (m *Member) lend(joiner idspace.ID) (records []*wire.SignedRecord) {
	ids := append([]idspace.ID{m.tables.Self}, m.tables.Leaves.All()...)
	var spares []idspace.ID
	for level := m.tables.Map.Levels() - 1; level >= 0; level-- {
		for _, n := range m.tables.Map.Row(level) {
			if _, primary := m.tables.Map.Primary(n.ID); primary {
				ids = append(ids, n.ID)
			} else {
				spares = append(spares, n.ID)
			}
		}
	}
	seen := map[idspace.ID]bool{joiner: true}
	for _, id := range append(ids, spares...) {
		p := m.book.find(id)
		if p == nil || seen[id] || len(records) == wire.MaxRecords {
			continue
		}
		seen[id] = true
		records = append(records, p.record)
	}
	return records
}

// OnReply takes the tables that the root of this node's ID has lent.
func (m *Member) OnReply(e env.Env, r *wire.Routed) {
	if m.phase != Joining || m.join.request != r.Call || m.join.learned {
		return
	}
	if r.Refusal != wire.Refusal_REFUSAL_NONE {
		return // the timer asks the next seed
	}
	b, err := wire.Unpack(r.Body, new(wire.JoinReply))
	if err != nil {
		e.Emit(&env.Dropped{Why: "join reply: " + err.Error()})
		return
	}
	m.join.learned = true
	for _, s := range m.join.seeds {
		m.book.avoid(s, mono.Time(0))
	}
	m.setJoinTimer(e)
	m.learn(e, b.Records)
	m.joinProgress(e)
}

// OnLost is a join that could not leave this node: the timer asks the next seed.
func (m *Member) OnLost(env.Env, *wire.Routed, wire.Refusal) {}
