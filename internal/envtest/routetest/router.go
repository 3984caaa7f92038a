// Package routetest is a router for the stories of the machines above routing: it
// numbers the requests that a machine begins, writes them down, shows each to the
// machine at its origin as the real one does, and lets the story answer them.
//
// No layer: support for tests, which alone may import it.
package routetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Router is the scripted router of one node.
type Router struct {
	Env    *envtest.Env
	Upcall routing.Upcall
	// Next hops by key; Default for all others. This node itself: it is the root.
	Hops    map[idspace.ID]idspace.ID
	Default idspace.ID
	Full    bool // what begins here has to wait
	Left    bool // this node is no member: it may not answer as root
	Heir    idspace.ID
	Nearby  []idspace.ID          // the near nodes of every key
	Open    func(idspace.ID) bool // whom a request may be given whatever δ says, path or not

	begun   []*wire.Routed // the requests that began here, by number
	numbers map[uint64]int // their numbers, by call
	arrived map[uint64]string
}

// Stretched is for a node that keeps up.
func (r *Router) Stretched(d time.Duration) time.Duration { return d }

// RetryAfter is what a router says that is busy.
func (r *Router) RetryAfter(env.Env) time.Duration { return time.Second }

// Room is what a router says that is not.
func (r *Router) Room(env.Env) bool { return !r.Full }

// New returns a router that is the root of every key.
func New(e *envtest.Env) *Router {
	return &Router{
		Env: e, Default: e.Self, Hops: make(map[idspace.ID]idspace.ID),
		begun: make([]*wire.Routed, 1), numbers: make(map[uint64]int), arrived: make(map[uint64]string),
	}
}

// Course is the next hop of the script.
func (r *Router) Course(key idspace.ID) surrogate.Hop {
	to, ok := r.Hops[key]
	if !ok {
		to = r.Default
	}
	hop := surrogate.Hop{To: to, Rule: wire.Rule_RULE_SLOT}
	if to == r.Env.Self {
		hop.Rule = wire.Rule_RULE_ROOT
	}
	return hop
}

// Route begins a request.
func (r *Router) Route(e env.Env, m *wire.Routed) { r.RouteAround(e, m, nil) }

// RouteAround begins a request again, though the script has one first hop for each key.
func (r *Router) RouteAround(e env.Env, m *wire.Routed, tried []idspace.ID) (first idspace.ID) {
	n, around := len(r.begun), ""
	r.begun = append(r.begun, m)
	r.numbers[m.Call] = n
	if len(tried) > 0 {
		around = " around " + r.Env.List(tried)
	}
	r.Env.Line("route #%d %s%s", n, r.Describe(m), around)
	r.hop(e, m, r.Env.Self)
	return r.Course(wire.ID(m.Key)).To
}

// RouteVia begins a request at another node.
func (r *Router) RouteVia(e env.Env, m *wire.Routed, first idspace.ID) {
	n := len(r.begun)
	r.begun = append(r.begun, m)
	r.numbers[m.Call] = n
	r.Env.Line("route #%d via %s without %s: %s", n, r.Env.Of(first), r.Env.List(wire.IDs(m.Excluded)), r.Describe(m))
}

// Heirs is who comes after this node: the story's heir, if it has named one.
func (r *Router) Heirs(idspace.ID, int) []idspace.ID {
	if r.Heir.IsZero() {
		return nil
	}
	return []idspace.ID{r.Heir}
}

// Near are the story's near nodes.
func (r *Router) Near(idspace.ID) []idspace.ID {
	return r.Nearby
}

// Arrive is a request, named label, that comes in from a neighbor.
func (r *Router) Arrive(e env.Env, label string, m *wire.Routed) {
	r.arrived[m.Call] = label
	path := wire.IDs(m.Path)
	r.hop(e, m, path[len(path)-1])
}

func (r *Router) hop(e env.Env, m *wire.Routed, from idspace.ID) {
	at := routing.At{Next: r.Course(wire.ID(m.Key)), From: from}
	if on, hop, ok := r.lead(e, m, from); ok {
		m, at.Next = on, hop
	}
	at.Root = at.Next.Rule == wire.Rule_RULE_ROOT
	if at.Root && r.Left {
		r.Upcall.OnLost(e, m, wire.Refusal_REFUSAL_NOT_JOINED)
		return
	}
	if m.Explain {
		at.Note = &wire.HopNote{Node: r.Env.Self[:], Rule: at.Next.Rule}
		m.Notes = append(m.Notes, at.Note)
	}
	verdict := r.Upcall.OnHop(e, m, at)
	if verdict == routing.Continue && from != r.Env.Self {
		r.Env.Line("forward %s to %s", r.arrived[m.Call], r.Env.Of(at.Next.To))
	}
}

// lead asks the machine for a better way, where the real router would.
func (r *Router) lead(e env.Env, m *wire.Routed, from idspace.ID) (on *wire.Routed, hop surrogate.Hop, ok bool) {
	leader, is := r.Upcall.(routing.Leader)
	if !is || m.Exact && !m.Follow && from != r.Env.Self || wire.ID(m.Key) == r.Env.Self {
		return nil, hop, false
	}
	lead, ok := leader.Lead(e, m, func(to idspace.ID) bool {
		return to != r.Env.Self && !slices.Contains(wire.IDs(m.Path), to) && r.Open(to)
	})
	if !ok {
		return nil, hop, false
	}
	if hop = (surrogate.Hop{To: lead.To, Rule: wire.Rule_RULE_FOLLOW}); lead.To.IsZero() {
		hop = r.Course(lead.Key)
	}
	if lead.Key.IsZero() {
		r.Env.Line("follow to %s", r.Env.Of(hop.To))
		return m, hop, true
	}
	r.Env.Line("turn to %s by %s", r.Env.Of(lead.Key), r.Env.Of(hop.To))
	return &wire.Routed{
		Call: m.Call, Key: lead.Key[:], Exact: true, BodyKind: m.BodyKind, Body: m.Body, Path: m.Path, DeadlineMs: m.DeadlineMs,
	}, hop, true
}

// Answer ends a request: one that began here is answered at once.
func (r *Router) Answer(e env.Env, request *wire.Routed, body []byte, why wire.Refusal) {
	r.conclude(e, request, &wire.Routed{Body: body, Refusal: why})
}

// Active reports whether this node is a member.
func (r *Router) Active() bool { return !r.Left }

// Decline refuses a request because of a limit.
func (r *Router) Decline(e env.Env, request *wire.Routed, limit wire.Limit, again time.Duration) {
	r.conclude(e, request, &wire.Routed{
		Refusal: wire.Refusal_REFUSAL_LIMIT, Limit: limit, RetryAfterMs: uint32(again.Milliseconds()),
	})
}

func (r *Router) conclude(e env.Env, request, reply *wire.Routed) {
	reply.BodyKind, reply.Call, reply.Reply = request.BodyKind, request.Call, true
	if n, ok := r.numbers[request.Call]; ok {
		r.Env.Line("answer #%d %s", n, r.Describe(reply))
		r.Reply(e, n, reply, r.Env.Self)
		return
	}
	r.Env.Line("answer %s %s", r.arrived[request.Call], r.Describe(reply))
}

// Reply hands the machine the reply to request n, from the node by; over those in its trail, if there are any.
func (r *Router) Reply(e env.Env, n int, reply *wire.Routed, by idspace.ID) {
	m := r.begun[n]
	reply.Call, reply.BodyKind, reply.Reply = m.Call, m.BodyKind, true
	reply.Trail = slices.Concat(r.Env.Self[:], reply.Trail)
	if by != r.Env.Self {
		reply.Trail = append(reply.Trail, by[:]...)
	}
	reply.Notes = append(m.Notes, reply.Notes...)
	r.Upcall.OnReply(e, reply)
}

// Requests is how many requests have begun here; they are numbered from 1.
func (r *Router) Requests() int { return len(r.begun) - 1 }

// Begun is request n.
func (r *Router) Begun(n int) *wire.Routed { return r.begun[n] }

// Last is the number of the latest request for a key.
func (r *Router) Last(key idspace.ID) int {
	for n := len(r.begun) - 1; n > 0; n-- {
		if wire.ID(r.begun[n].Key) == key {
			return n
		}
	}
	panic("no request for " + r.Env.Of(key))
}

// Lose tells the machine that request n could not leave.
func (r *Router) Lose(e env.Env, n int, why wire.Refusal) { r.Upcall.OnLost(e, r.begun[n], why) }

// Describe prints an envelope with what it carries.
func (r *Router) Describe(m *wire.Routed) string {
	if m.Refusal == wire.Refusal_REFUSAL_LIMIT {
		return fmt.Sprintf("refused: limit, %v, again in %dms", env.LimitOf(m.Limit), m.RetryAfterMs)
	}
	if m.Refusal != wire.Refusal_REFUSAL_NONE {
		return "refused: " + m.Refusal.Name()
	}
	if m.Reply {
		return r.describeReply(m)
	}
	s := fmt.Sprintf("%s key=%s %s", m.BodyKind.Name(), r.Env.Of(wire.ID(m.Key)), r.describeBody(m))
	if m.Exact {
		s += " exact"
	}
	return fmt.Sprintf("%s deadline=%dms", s, m.DeadlineMs)
}

func (r *Router) describeBody(m *wire.Routed) string {
	switch m.BodyKind {
	case wire.BodyKind_BODY_PUBLISH:
		b, err := wire.Unpack(m.Body, new(wire.Publish))
		if err != nil {
			return err.Error()
		}
		p, err := b.Pointer.Pointer()
		if err != nil {
			return err.Error()
		}
		s := fmt.Sprintf("server=%s seq=%d.%d left=%ds", r.Env.Of(wire.ID(p.Server)), p.Generation, p.Counter, b.LeftS)
		if p.Withdrawn {
			s += " withdrawn"
		}
		return s
	case wire.BodyKind_BODY_LOCATE:
		b, err := wire.Unpack(m.Body, new(wire.Locate))
		if err != nil {
			return err.Error()
		}
		s := fmt.Sprintf("limit=%d", b.Limit)
		if b.Here {
			s += " here"
		}
		if b.Zone != "" {
			s += fmt.Sprintf(" zone=%s local=%v", b.Zone, b.Local)
		}
		if b.Fresh {
			s += " fresh"
		}
		if b.Cached {
			s += " cached"
		}
		return s
	case wire.BodyKind_BODY_MESSAGE:
		b, err := wire.Unpack(m.Body, new(wire.AppMessage))
		if err != nil {
			return err.Error()
		}
		s := fmt.Sprintf("%s %q", b.App, b.Payload)
		if len(b.Guid) > 0 {
			s += " guid=" + r.Env.Of(wire.ID(b.Guid))
		}
		if b.Origin != nil {
			s += " signed"
		}
		if len(b.Via) > 0 {
			s += " via=" + r.Env.List(wire.IDs(b.Via))
		}
		if b.Race != 0 {
			s += " raced"
		}
		if b.Here {
			s += " here"
		}
		return s
	}
	return ""
}

func (r *Router) describeReply(m *wire.Routed) string {
	switch m.BodyKind {
	case wire.BodyKind_BODY_PUBLISH:
		b, err := wire.Unpack(m.Body, new(wire.PublishReply))
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("held=%d.%d", b.HeldGeneration, b.HeldCounter)
	case wire.BodyKind_BODY_LOCATE:
		b, err := wire.Unpack(m.Body, new(wire.LocateReply))
		if err != nil {
			return err.Error()
		}
		var s strings.Builder
		s.WriteString("replicas")
		for _, f := range b.Replicas {
			p, err := f.Pointer.Pointer()
			if err != nil {
				return err.Error()
			}
			fmt.Fprintf(&s, " %s~%dus", r.Env.Of(wire.ID(p.Server)), f.RttUs)
			if p.Withdrawn {
				s.WriteString(" withdrawn")
			}
			if n := len(wire.ServerRefs(f.Doors)); n > 0 {
				fmt.Fprintf(&s, " doors=%d", n)
			}
		}
		return s.String()
	case wire.BodyKind_BODY_MESSAGE:
		b, err := wire.Unpack(m.Body, new(wire.AppReply))
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("reply %q error=%q", b.Payload, b.Error)
	}
	return ""
}
