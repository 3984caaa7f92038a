package messages

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// minLeft is the least time that an attempt is given, however late it is made.
const minLeft = 100 * time.Millisecond

// OnSend begins to carry a message.
func (c *Carrier) OnSend(e env.Env, m *env.SendRequest) {
	s := &send{SendRequest: *m, began: e.Now()}
	switch {
	case !pointers.Key{App: m.App}.Valid():
		c.deliver(e, s, env.NoHandler)
		return
	case len(m.Payload) > wire.MaxPayload:
		c.deliver(e, s, env.TooLarge)
		return
	case len(c.sends) >= c.cfg.Sends || c.sends[m.Call] != nil:
		c.deliver(e, s, env.Busy)
		return
	}
	if s.Deadline == 0 {
		s.Deadline = e.Now().Add(c.cfg.GiveUp)
	}
	c.sends[s.Call] = s
	e.SetTimer(sendTimer(s.Call), max(s.Deadline.Sub(e.Now()), 0))
	switch {
	case !s.Object:
		c.attempt(e, s, s.Key)
		c.armRepeat(e, s)
	case c.Served.Has(pointers.Key{GUID: s.Key, App: s.App}):
		// This node serves it: no copy is nearer.
		c.attemptReplica(e, s, env.Replica{Server: c.cfg.Self, Measured: true})
	case s.Raced:
		c.race(e, s)
	default:
		c.locate(e, s)
	}
}

func sendTimer(call env.Call) env.TimerKey {
	return env.TimerKey{Room: env.Messages, What: timerSend, N: uint64(call)}
}

// locate asks for servers of the object: the first answer in the first round, then,
// if all of those refused, whatever all roots know.
func (c *Carrier) locate(e env.Env, s *send) {
	s.rounds++
	m := &env.LocateRequest{
		Call: s.Call, For: env.Messages, GUID: s.Key, App: s.App,
		Limit: c.cfg.Replicas, First: true, Cached: true, Deadline: s.Deadline,
	}
	if s.rounds > 1 {
		m.Limit, m.First, m.Cached = wire.MaxFound, false, false
	}
	e.Post(m)
}

// OnLocated takes the servers found, and sends to the best that was not tried yet.
func (c *Carrier) OnLocated(e env.Env, m *env.Located) {
	s := c.sends[m.Call]
	if s == nil || s.call != 0 {
		return
	}
	if m.Status != env.OK {
		c.giveUp(e, s, m.Status)
		return
	}
	for _, r := range m.Replicas {
		if !slices.Contains(s.tried, r.Server) {
			s.replicas = append(s.replicas, r)
		}
	}
	switch {
	case len(s.replicas) > 0:
		c.next(e, s)
	case s.rounds == 1: // somebody near knew only servers that were tried
		c.locate(e, s)
	default:
		c.giveUp(e, s, env.Unknown)
	}
}

// giveUp ends s for want of servers: if one has refused, its refusal says more than
// that no other was found.
func (c *Carrier) giveUp(e env.Env, s *send, status env.Status) {
	switch {
	case len(s.tried) > 0:
		status = statusOf(s.last)
	case len(s.earlier) > 0: // copies are under way
		status = env.MaybeDelivered
	}
	c.end(e, s, status)
}

// statusOf is what a refusal means to the sender. A server that no longer has the
// object proves nothing about others.
func statusOf(r wire.Refusal) env.Status {
	if r == wire.Refusal_REFUSAL_STALE {
		return env.Unknown
	}
	return env.StatusOf(r)
}

// next tries the best replica left, or looks for more.
func (c *Carrier) next(e env.Env, s *send) {
	switch {
	case len(s.replicas) > 0:
		r := s.replicas[0]
		s.replicas = s.replicas[1:]
		c.attemptReplica(e, s, r)
	case s.rounds < c.cfg.Rounds:
		c.locate(e, s)
	default:
		c.end(e, s, statusOf(s.last))
	}
}

func (c *Carrier) attemptReplica(e env.Env, s *send, r env.Replica) {
	s.tried = append(s.tried, r.Server)
	s.to = r
	c.attempt(e, s, r.Server)
}

// attempt sends the message towards key, by another first hop than before: somebody beyond that
// may hold it up. Nothing may be decided by s afterwards: it may have ended.
func (c *Carrier) attempt(e env.Env, s *send, key idspace.ID) {
	s.call = env.Call(e.Rand().Uint64())
	s.routed = e.Now()
	c.calls[s.call] = s
	body := &wire.AppMessage{App: s.App, Payload: s.Payload}
	if s.Object {
		body.Guid, body.Via = s.Key[:], pack(s.to.Via)
	}
	if s.Signed {
		body.Origin = c.sign(e, s, uint64(s.call), key)
	}
	tried := s.firsts
	if s.Object {
		tried = nil // each attempt has another key
	}
	first := c.Router.RouteAround(e, &wire.Routed{
		Call:       uint64(s.call),
		Key:        key[:],
		BodyKind:   wire.BodyKind_BODY_MESSAGE,
		Body:       wire.Pack(body),
		Exact:      s.Exact || s.Object,
		DeadlineMs: uint32(max(s.Deadline.Sub(e.Now()), minLeft).Milliseconds()),
	}, tried)
	if !s.Object && !first.IsZero() {
		s.firsts = append(s.firsts, first)
	}
}

func (c *Carrier) sign(e env.Env, s *send, call uint64, key idspace.ID) *wire.SignedRecord {
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(&wire.MessageRecord{
		Network: c.cfg.Network, Call: call, Key: key[:], App: s.App, PayloadHash: hash(s.Payload),
	})
	if err != nil {
		panic(fmt.Sprintf("messages: packing an origin record: %v", err)) // Key.Valid was asked
	}
	return e.Sign(wire.OriginKind, payload)
}

// OnCancel forgets a send that nobody waits for.
func (c *Carrier) OnCancel(e env.Env, call env.Call) {
	if s := c.sends[call]; s != nil {
		c.forget(e, s)
	}
}

// onDeadline ends a send that has waited long enough.
func (c *Carrier) onDeadline(e env.Env, call env.Call) {
	s := c.sends[call]
	switch {
	case s == nil:
	case s.call != 0 || len(s.earlier) > 0:
		c.end(e, s, env.MaybeDelivered)
	case len(s.tried) > 0 || s.last != wire.Refusal_REFUSAL_NONE:
		c.end(e, s, statusOf(s.last))
	default:
		c.end(e, s, env.TimedOut)
	}
}

func (c *Carrier) end(e env.Env, s *send, status env.Status) {
	c.forget(e, s)
	c.deliver(e, s, status)
}

func (c *Carrier) forget(e env.Env, s *send) {
	delete(c.sends, s.Call)
	delete(c.calls, s.call)
	for _, a := range s.earlier {
		delete(c.calls, a.call)
	}
	e.StopTimer(sendTimer(s.Call))
	e.StopTimer(repeatTimer(s.Call))
}

func (c *Carrier) deliver(e env.Env, s *send, status env.Status) {
	o := &env.Outcome{Call: s.Call, Status: status, Replica: s.to}
	if status == env.Busy {
		o.RetryAfter = cmp.Or(s.retryAfter, c.Router.RetryAfter(e))
	}
	e.Deliver(o)
}
