package routing

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// passage is one request's visit to this node.
type passage struct {
	from idspace.ID // the hop before; Self if it began here
	hop  surrogate.Hop
	note *wire.HopNote // this node's line in the explanation, nil if none is wanted
	soon bool          // this node will be the root

	unseen bool // its machine has not been asked yet

	came *wire.Routed // the request as it came, if it goes on as another: relayed

	patience time.Duration // of the first transmission, see transit
}

// forward sends a request on, or parks it until there is a way.
func (r *Router) forward(e env.Env, m *wire.Routed, p passage) {
	if r.Pending() >= r.cfg.Pending {
		drop(e, "router full", p.from)
		r.refuse(e, m, p.from, wire.Refusal_REFUSAL_BUSY)
		return
	}
	out := copyOf(m)
	out.Path = append(append(make([]byte, 0, len(m.Path)+idspace.Size), m.Path...), r.tables.Self[:]...)
	out.HopsLeft--
	t := &transit{msg: out, in: m, from: p.from, note: p.note, arrived: e.Now(), patience: p.patience, deadline: r.deadline(e, m), unseen: p.unseen}
	if p.came != nil {
		t.in = p.came
	}
	switch {
	case r.waits(e, t):
	case p.hop.Wait:
		r.park(e, t)
	default:
		r.send(e, t, p.hop)
	}
}

// send gives an envelope to a neighbor and waits for its acknowledgement.
func (r *Router) send(e env.Env, t *transit, hop surrogate.Hop) {
	out := t.msg
	r.lastTx++
	out.Tx = r.lastTx
	out.DeadlineMs = uint32(max(t.deadline.Sub(e.Now())/time.Millisecond, 1))
	rtt, _ := r.links.RTT(hop.To)
	if t.in != nil {
		out.SpentUs = t.in.SpentUs + uint64(rtt/time.Microsecond)
		out.Notes = t.notes(e, hop, rtt)
		out.Follow = hop.Rule == wire.Rule_RULE_FOLLOW
	}
	t.to, t.sent = hop.To, e.Now()
	r.pending[out.Tx] = t
	if t.missed == 0 {
		r.budget.earn()
	}
	patience := t.backOff(r.links.Timeout(hop.To))
	if t.patience > 0 {
		e.SendDial(hop.To, out)
		patience, t.patience = max(patience, t.patience), 0
	} else {
		e.Send(hop.To, out)
	}
	e.SetTimer(env.TimerKey{Room: env.Routing, What: timerHop, N: out.Tx}, patience)
	e.Emit(&env.Forwarded{
		Call: env.Call(out.Call), Kind: out.BodyKind, Key: wire.ID(out.Key), To: hop.To,
		Rule: hop.Rule, Reply: out.Reply, Resent: out.Resent,
	})
}

// missed sends an envelope another way at once (findings A.4), or waits on where it is if there
// is no budget for that.
func (r *Router) missed(e env.Env, tx uint64, t *transit) {
	e.Post(&env.Missed{Peer: t.to})
	shed := t.shed()
	if !shed && e.Now().Before(t.deadline) && !r.budget.spend(e.Now()) {
		e.SetTimer(env.TimerKey{Room: env.Routing, What: timerHop, N: tx}, t.backOff(r.links.Timeout(t.to)))
		return
	}
	r.forget(e, tx)
	l := r.late.add(tx, e.Now())
	l.to, l.sent = t.to, t.sent
	if shed {
		drop(e, "shed", t.from)
		return
	}
	r.resend(e, t)
}

// resend sends an envelope another way whose last hop may have it: from now on a
// refusal proves nothing (design §5, at most once).
func (r *Router) resend(e env.Env, t *transit) {
	t.tried = append(t.tried, t.to)
	t.msg = copyOf(t.msg) // the last one may still be on its way to a peer
	t.msg.Resent = true
	r.resent.add(t.msg.Call, e.Now())
	r.next(e, t)
}

// next looks for a way for an envelope that is not on its way.
func (r *Router) next(e env.Env, t *transit) {
	switch {
	case !e.Now().Before(t.deadline):
		drop(e, "deadline", t.from)
		if t.from == r.tables.Self && !t.msg.Reply && !t.msg.Resent {
			r.refuse(e, t.msg, t.from, wire.Refusal_REFUSAL_NO_ROUTE) // it never left
		}
	case t.msg.Reply:
		r.nextBack(e, t)
	default:
		r.nextOn(e, t)
	}
}

// nextOn finds the next hop of a request; this node may have become the root meanwhile.
func (r *Router) nextOn(e env.Env, t *transit) {
	skip := surrogate.Skip{Excluded: wire.IDs(t.msg.Excluded), Tried: t.tried}
	hop := r.tables.Next(wire.ID(t.msg.Key), skip)
	if hop.Rule == wire.Rule_RULE_ROOT && !r.active && slices.Contains(skip.Excluded, r.tables.Self) {
		hop = r.proxy(t.msg, t.tried)
	}
	switch {
	case hop.Wait:
		r.park(e, t)
	case hop.Rule == wire.Rule_RULE_ROOT || t.unseen:
		r.revisit(e, t)
	default:
		r.send(e, t, hop)
	}
}

// revisit decides about a request anew, unless a copy of it has been served meanwhile.
func (r *Router) revisit(e env.Env, t *transit) {
	if known := r.calls.find(t.in.Call); known != nil && t.from != r.tables.Self {
		r.again(e, t.in, known)
		return
	}
	again := copyOf(t.in)
	again.Resent = t.msg.Resent
	again.DeadlineMs = uint32(max(t.deadline.Sub(e.Now())/time.Millisecond, 1))
	r.decide(e, visit{msg: again, from: t.from, missed: t.tried})
}

// notes is the explanation as it leaves here: with this node's line, of the hop that is
// taken after all.
func (t *transit) notes(e env.Env, hop surrogate.Hop, rtt time.Duration) []*wire.HopNote {
	if t.note == nil {
		return t.in.Notes
	}
	return append(slices.Clone(t.in.Notes), &wire.HopNote{
		Node: t.note.Node, Rule: hop.Rule, Level: uint32(hop.Level), Digit: uint32(hop.Digit), Pointers: t.note.Pointers,
		RttUs: uint64(rtt / time.Microsecond), HeldUs: uint64(e.Now().Sub(t.arrived) / time.Microsecond),
	})
}

// park keeps an envelope until heartbeat has judged the suspects in its way.
func (r *Router) park(e env.Env, t *transit) {
	t.tried = nil
	r.parked = append(r.parked, t)
	r.armPark(e, r.cfg.Park)
}

func (r *Router) armPark(e env.Env, in time.Duration) {
	at := e.Now().Add(in)
	if r.parkAt == 0 || at < r.parkAt {
		r.parkAt = at
		e.SetTimer(env.TimerKey{Room: env.Routing, What: timerPark}, in)
	}
}

// unpark looks for a way for everything that is parked.
func (r *Router) unpark(e env.Env) {
	waiting := r.parked
	r.parked, r.parkAt = nil, 0
	for _, t := range waiting {
		r.next(e, t)
	}
}

// reroute takes back what waits for a neighbor that has gone.
func (r *Router) reroute(e env.Env, gone idspace.ID) {
	var lost []uint64
	for tx, t := range r.pending { // unordered: sorted below
		if t.to == gone {
			lost = append(lost, tx)
		}
	}
	slices.Sort(lost)
	for _, tx := range lost {
		t := r.pending[tx]
		r.forget(e, tx)
		r.resend(e, t)
	}
}

// copyOf returns an envelope of its own that shares m's fields.
func copyOf(m *wire.Routed) *wire.Routed {
	return &wire.Routed{
		Call: m.Call, Tx: m.Tx, Key: m.Key, BodyKind: m.BodyKind, Body: m.Body, Path: m.Path,
		HopsLeft: m.HopsLeft, DeadlineMs: m.DeadlineMs, Exact: m.Exact, Excluded: m.Excluded,
		Explain: m.Explain, Notes: m.Notes, Reply: m.Reply, Trail: m.Trail, Refusal: m.Refusal, SpentUs: m.SpentUs,
		Resent: m.Resent, Follow: m.Follow, RetryAfterMs: m.RetryAfterMs, Limit: m.Limit,
	}
}
