package sim

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// outcome ends an operation of a node.
func (r *run) outcome(h *world.Host, o *env.Outcome) {
	if m := of(h); o.Call == m.joining && o.Status != env.OK {
		// It could not join: somebody may start it again, as another node.
		if r.late(m) {
			r.stats.joins.failed++
		}
		r.world.After(0, func() { r.people.crash(m) })
		return
	}
	if op := r.operations[o.Call]; op != nil {
		delete(r.operations, o.Call)
		op.ended(o)
	}
}

// upcall is a message that has arrived at an application, which answers at once.
func (r *run) upcall(h *world.Host, u *env.Upcall) *env.HandlerReply {
	if op := r.operationOf(u.Payload); op != nil {
		op.arrived(of(h))
	}
	return &env.HandlerReply{}
}

// event watches what the machines do.
func (r *run) event(h *world.Host, ev env.Event) {
	switch ev := ev.(type) {
	case *env.Ready:
		r.joined(of(h))
		r.people.activate(of(h))
	case *env.NeighborChanged:
		r.judgement(h, ev)
	case *env.Forwarded:
		r.forwarded(ev)
	}
	if r.audit != nil {
		r.audit.event(h, ev)
	}
}

// forwarded counts the envelopes of locates.
func (r *run) forwarded(ev *env.Forwarded) {
	if ev.Kind == wire.BodyKind_BODY_LOCATE && r.loading {
		r.stats.located++
	}
}

// dialed counts the connections that are opened because somebody looks for an object: to
// carry a question, an answer or a message to a server; or to measure how far a server is.
func (r *run) dialed(h *world.Host, to idspace.ID, m wire.Message) {
	if !r.loading {
		return
	}
	switch m := m.(type) {
	case *wire.Routed:
		if m.BodyKind == wire.BodyKind_BODY_LOCATE || m.BodyKind == wire.BodyKind_BODY_MESSAGE {
			r.stats.dials++
		}
	case *wire.Beacon:
		if m.Use == wire.Use_USE_NONE && r.measures(of(h), to) {
			r.stats.dialsMeasuring++
		}
	}
}

// measures reports whether a node looks for an object, with measurements, that another serves.
func (r *run) measures(m *member, to idspace.ID) bool {
	for _, op := range r.operations { // unordered: any will do
		s, ok := op.(*search)
		if ok && s.how == measured && s.from == m && slices.ContainsFunc(s.servers, func(x server) bool { return x.member.host.ID() == to }) {
			return true
		}
	}
	return false
}

// judgement compares what a node believes of a neighbor with what is true.
func (r *run) judgement(h *world.Host, ev *env.NeighborChanged) {
	if ev.State == env.NeighborJoined {
		r.returned(h, ev.Peer)
	}
	dropped := ev.State == env.NeighborDead || ev.State == env.NeighborCutOff
	if !dropped && ev.State != env.NeighborSuspected {
		return
	}
	peer := r.world.Host(ev.Peer)
	if peer == nil {
		return
	}
	if dropped && !peer.Down() {
		r.flapped(h, peer)
	}
	switch {
	case ev.State == env.NeighborCutOff:
		r.people.disturb(of(h), of(peer))
	case peer.Down() && ev.State == env.NeighborDead:
		if !peer.Died().Before(r.began) { // else it is a death of the warm-up
			r.stats.detection.add(r.world.Now().Sub(peer.Died()).Seconds())
		}
	case peer.Down() || r.parted:
	case ev.State == env.NeighborDead:
		r.people.disturb(of(h), of(peer))
		if !of(peer).slow && !r.reborn(peer) {
			r.stats.wellDeaths++
		}
		if r.toBlame(h, peer) {
			r.stats.falseDeaths++
		}
	case r.toBlame(h, peer):
		r.stats.falseSuspicions++
	}
}

// flapSpan is how long a neighbor that was dropped and came back should stay, if only a link is bad.
const flapSpan = time.Minute

// flapped counts how often a node drops one that lives twice within too short a time, be it that the
// other merely has pointed at it meanwhile; and how often it had taken it for a neighbor again.
func (r *run) flapped(h, peer *world.Host) {
	pair, now := pairOf(h, peer), r.world.Now()
	if last, known := r.dropped[pair]; known && now.Sub(last.at) < flapSpan && r.loading {
		r.stats.flaps++
		if last.back {
			r.stats.relapses++
		}
	}
	r.dropped[pair] = drop{at: now}
}

// returned notes that a node takes another for a neighbor that it has dropped before.
func (r *run) returned(h *world.Host, id idspace.ID) {
	peer := r.world.Host(id)
	if peer == nil {
		return
	}
	if last, known := r.dropped[pairOf(h, peer)]; known {
		last.back = true
		r.dropped[pairOf(h, peer)] = last
	}
}

// drop is when a node dropped another, and whether it has taken it back.
type drop struct {
	at   mono.Time
	back bool
}

func pairOf(a, b *world.Host) [2]int { return [2]int{a.Number(), b.Number()} }

// toBlame reports whether the detector ought not to have judged as it did: neither side
// stalls, and the neighbor does not mean a life before this one.
func (r *run) toBlame(h, peer *world.Host) bool {
	return !r.reborn(peer) && !of(peer).slow && !of(h).slow
}

func (r *run) reborn(peer *world.Host) bool {
	return peer.Again() && r.world.Now().Sub(peer.Born()) < rebirth
}

// rebirth is how long the death of a node's earlier life may come to be known after it
// has been started again.
const rebirth = time.Minute
