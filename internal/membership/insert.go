package membership

import (
	"errors"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// insertion is a joining node that this one inserts, or needs to know (JSAC §III-C; design
// §6). The surrogate probes it, lends it its tables and has the multicast spread; whoever
// that reaches, the surrogate too, probes it, points at it, and hands over the pointers
// whose root it becomes. Others route to it from then on, and it passes on what comes
// until it is active.
type insertion struct {
	generation uint64
	surrogate  bool           // this node has it spread
	spread     bool           // it is on its way
	result     *wire.Inserted // how that ended
	calls      []uint64       // multicasts that wait for this node's part
	state      insertState
}

type insertState uint8

const (
	probing insertState = iota // heartbeat will tell whether it lives and has room
	handing                    // publish hands over
	known                      // this node's part is done
)

// lockTime is how long at most a joining node stays pinned, and is remembered (design §6).
const lockTime = 5 * time.Second

var (
	errNoTrail = errors.New("no path")
	errOther   = errors.New("record of another node")
)

// OnHop lends a joining node a row on its way, and inserts it at the root of its ID.
func (m *Member) OnHop(e env.Env, r *wire.Routed, at routing.At) routing.Verdict {
	b, id, err := m.readJoin(e, r)
	if err != nil {
		e.Emit(&env.Dropped{Why: "join: " + err.Error(), Peer: at.From})
		return routing.Continue
	}
	if at.From == m.tables.Self || m.phase != Active {
		return routing.Continue
	}
	if at.Root || routing.ByWayOfMembers(r) {
		m.serve(e, r, b.Lent)
		return routing.Consumed
	}
	if len(b.Lent) < wire.MaxHops {
		b.Lent = append(b.Lent, m.loan(id))
		*at.Body = wire.Pack(b)
	}
	return routing.Continue
}

// serve inserts the joining node that a join is of as its surrogate, if there is room for it.
func (m *Member) serve(e env.Env, r *wire.Routed, lent []*wire.Loan) {
	id := wire.ID(r.Key)
	if !m.hasRoom(id) {
		m.router.Answer(e, r, nil, wire.Refusal_REFUSAL_BUSY)
		return
	}
	reply := &wire.JoinReply{Records: m.closest(id), Lent: lent}
	m.router.Answer(e, r, wire.Pack(reply), wire.Refusal_REFUSAL_NONE)
	m.insert(e, id)
}

func (m *Member) readJoin(e env.Env, r *wire.Routed) (*wire.Join, idspace.ID, error) {
	b, err := wire.Unpack(r.Body, new(wire.Join))
	if err != nil {
		return nil, idspace.ID{}, err
	}
	id, err := m.note(e, b.Record)
	if err == nil && id != wire.ID(r.Key) {
		err = errOther
	}
	return b, id, err
}

// insert begins the insertion of a joining node as its surrogate. One that asks again is
// told how the last one ended, or has it begun anew if it was started again.
func (m *Member) insert(e env.Env, id idspace.ID) {
	generation := m.book.find(id).stamp.Generation
	if i := m.inserting[id]; i != nil && i.surrogate && i.generation == generation {
		if i.result != nil {
			m.tellInserted(e, id, i)
		}
		return
	}
	i := m.remember(e, id)
	i.surrogate = true
	m.lookAt(e, id, i)
	if records := m.lend(id); len(records) > 0 {
		e.SendDial(id, &wire.Records{Records: records})
	}
}

// remember begins to look after a joining node, unless there are too many.
func (m *Member) remember(e env.Env, id idspace.ID) *insertion {
	generation := m.book.find(id).stamp.Generation
	i := m.inserting[id]
	switch {
	case !m.hasRoom(id):
		return nil
	case i == nil || i.generation != generation:
		m.insertionDone(e, id, unnamed) // it was started anew: the multicast that told of it before missed it
		i = &insertion{generation: generation}
		m.inserting[id] = i
	}
	e.SetTimer(env.TimerKey{Room: env.Membership, What: timerLock, Peer: id}, lockTime)
	return i
}

// hasRoom reports whether this node can look after a joining one, or does already.
func (m *Member) hasRoom(id idspace.ID) bool {
	return m.inserting[id] != nil || len(m.inserting) < rememberedInsertions*m.cfg.Insertions && !m.crowded(id)
}

// crowded reports whether as many nodes, or as many of id's network, are being inserted as
// may be at once (design §6: few locks are granted per IP group).
func (m *Member) crowded(id idspace.ID) bool {
	all, same := 0, 0
	for other, i := range m.inserting { // a sum: order does not matter
		if i.state == known {
			continue
		}
		all++
		if m.group != nil && m.groupOf(id) != "" && m.groupOf(other) == m.groupOf(id) {
			same++
		}
	}
	return all >= m.cfg.Insertions || same >= max(1, m.cfg.Insertions/groupsAtOnce)
}

// groupsAtOnce is how many networks may at least have nodes inserted at once, and
// rememberedInsertions how many are remembered for each that may be under way.
const (
	groupsAtOnce         = 8
	rememberedInsertions = 8
)

// lookAt probes a joining node, for whatever it can be used for.
func (m *Member) lookAt(e env.Env, id idspace.ID, i *insertion) {
	i.state = probing
	if _, busy := m.gate.probing[id]; busy {
		return
	}
	use := m.want(id)
	if use == wire.Use_USE_SOLE && m.standsIn(id) {
		use = wire.Use_USE_STARVED // without it this node would be a wrong root
	}
	m.probe(e, id, use)
}

// OnLinkOpened has the multicast begin for a joining node that has been reached at its
// address: a link that this node dialed tells as much as an answered probe, a round trip sooner.
func (m *Member) OnLinkOpened(e env.Env, x *env.LinkOpened) {
	if i := m.inserting[x.Peer]; i != nil && x.Dialed && i.surrogate && !i.spread {
		m.spread(e, x.Peer, i)
	}
}

// OnInserting makes this node know a joining one that the multicast tells it of, if it needs
// to: nobody dials a node, or keeps a place for it, on a peer's word alone that it joins.
func (m *Member) OnInserting(e env.Env, x *env.Inserting) {
	id, err := m.note(e, x.Insertion.Record)
	switch {
	case err != nil || m.phase == Idle:
		e.Post(&env.InsertingDone{Spread: x.Spread, Failed: true})
	case id == m.tables.Self || m.phase == Leaving || !m.holds(id) && m.want(id) < wire.Use_USE_SOLE:
		if m.phase == Active && m.nearer(id, x.Insertion.Holes) {
			m.fill(e, id, x.Insertion.Holes)
		}
		e.Post(&env.InsertingDone{Spread: x.Spread}) // it is not needed here
	default:
		m.makeKnown(e, id, x)
	}
}

// nearer reports whether this node shares more digits with a joining one than its surrogate,
// which has given its own holes up to the level that it shares. So it can be if the surrogate is
// not the root (docs/protocol.md §5.7): then that one does not know who lives below that level.
func (m *Member) nearer(joiner idspace.ID, holes []byte) bool {
	return len(holes) > 0 && 2*m.tables.Space.CommonPrefix(m.tables.Self, joiner) >= len(holes)
}

func (m *Member) makeKnown(e env.Env, id idspace.ID, x *env.Inserting) {
	i := m.remember(e, id)
	if i == nil {
		e.Post(&env.InsertingDone{Spread: x.Spread, Failed: true})
		return
	}
	m.tables.Map.Pin(id)
	m.fill(e, id, x.Insertion.Holes)
	i.calls = append(i.calls, x.Spread)
	switch {
	case i.state == known:
		m.insertionDone(e, id, named)
	case i.state == handing:
	case m.holds(id):
		m.take(e, id, i) // it may have been started anew, and have nothing
	default:
		m.lookAt(e, id, i)
	}
}

// inserted goes on with an insertion when heartbeat has judged the joining node.
func (m *Member) inserted(e env.Env, v *env.Verdict) {
	i := m.inserting[v.Peer]
	if i == nil || i.state != probing {
		return
	}
	switch {
	case !v.Alive:
		m.insertionDone(e, v.Peer, named) // nobody needs to know it
		m.forgetInsertion(e, v.Peer)
	case i.surrogate && !i.spread:
		m.spread(e, v.Peer, i)
	default:
		m.take(e, v.Peer, i)
	}
}

// take hands over to a joining node that is in the tables. One that they have no room for
// nobody needs here, unless it fills a hole.
func (m *Member) take(e env.Env, id idspace.ID, i *insertion) {
	switch {
	case m.holds(id):
		i.state = handing
		e.Post(&env.HandOver{To: id})
	case m.tables.Map.FillsHole(id):
		m.insertionDone(e, id, unnamed)
	default:
		m.insertionDone(e, id, named)
	}
}

// spread has the multicast begin for a joining node that has answered.
func (m *Member) spread(e env.Env, id idspace.ID, i *insertion) {
	i.spread = true
	level := m.tables.Space.CommonPrefix(m.tables.Self, id)
	e.Post(&env.Insert{Node: id, Digits: level, Insertion: &wire.Insertion{
		Record: m.book.find(id).record, Holes: m.holes(level),
	}})
}

// OnSpread tells a joining node how the multicast has ended. If somebody is missing, it
// asks again.
func (m *Member) OnSpread(e env.Env, x *env.Inserted) {
	i := m.inserting[x.Node]
	if i == nil {
		return
	}
	i.result = &wire.Inserted{Generation: i.generation, Reached: uint32(x.Reached), Failed: uint32(x.Failed)}
	m.tellInserted(e, x.Node, i)
	if x.Failed > 0 {
		m.forgetInsertion(e, x.Node)
	}
}

func (m *Member) tellInserted(e env.Env, id idspace.ID, i *insertion) { e.SendDial(id, i.result) }

// ending says whether a joining node is known here now.
type ending uint8

const (
	named ending = iota
	unnamed
)

// insertionDone ends this node's part.
func (m *Member) insertionDone(e env.Env, id idspace.ID, how ending) {
	i := m.inserting[id]
	if i == nil {
		return
	}
	i.state = known
	for _, call := range i.calls {
		e.Post(&env.InsertingDone{Spread: call, Failed: how == unnamed})
	}
	i.calls = nil
}

// OnHandedOver goes on when publish has handed over: with an insertion, or with leaving.
func (m *Member) OnHandedOver(e env.Env, h *env.HandedOver) {
	if h.To.IsZero() {
		m.sayGoodbye(e)
		return
	}
	if i := m.inserting[h.To]; i != nil && i.state == handing {
		m.insertionDone(e, h.To, named)
	}
}

// OnUnpinned ends the time in which others that are inserted must be told of a node.
func (m *Member) OnUnpinned(u *env.Unpinned) { m.tables.Map.Unpin(u.Node) }

// forgetInsertion ends the care for a joining node: its time is over, or it has gone.
func (m *Member) forgetInsertion(e env.Env, id idspace.ID) {
	if i := m.inserting[id]; i != nil && i.state != known {
		m.insertionDone(e, id, unnamed)
	}
	delete(m.inserting, id)
	m.tables.Map.Unpin(id)
	e.StopTimer(env.TimerKey{Room: env.Membership, What: timerLock, Peer: id})
}
