package multicast

import (
	"crypto/sha256"
	"fmt"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// OnRequest spreads a message of the application over everybody under a prefix.
func (c *Caster) OnRequest(e env.Env, r *env.MulticastRequest) {
	refused := env.OK
	switch {
	case !c.Router.Active():
		refused = env.NotJoined
	case len(r.Payload) > wire.MaxPayload:
		refused = env.TooLarge
	}
	if refused != env.OK {
		e.Deliver(&env.Outcome{Call: r.Call, Status: refused})
		return
	}
	m := &wire.Multicast{
		Call: e.Rand().Uint64(), Prefix: r.Prefix[:], Digits: uint32(r.Digits), Level: uint32(r.Digits),
		Announcement: &wire.Announcement{App: r.App, From: c.cfg.Self[:], Payload: r.Payload},
	}
	if r.Signed {
		m.Announcement.Origin = c.sign(e, m)
	}
	s := &spread{call: m.Call, msg: m, from: c.cfg.Self, face: r.Call, deadline: e.Now().Add(c.cfg.Life)}
	if r.Deadline != 0 {
		s.deadline = min(s.deadline, r.Deadline)
	}
	if !c.take(s) {
		e.Deliver(&env.Outcome{Call: r.Call, Status: env.Busy, RetryAfter: c.Router.RetryAfter(e)})
		return
	}
	c.begin(e, s)
}

// sign binds an announcement to this node, as MessageRecord does any other message.
func (c *Caster) sign(e env.Env, m *wire.Multicast) *wire.SignedRecord {
	hash := sha256.Sum256(m.Announcement.Payload)
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(&wire.MessageRecord{
		Network: c.cfg.Network, Call: m.Call, Key: m.Prefix, App: m.Announcement.App, PayloadHash: hash[:],
	})
	if err != nil {
		panic(fmt.Sprintf("multicast: packing an origin: %v", err)) // the face has checked the strings
	}
	return e.Sign(wire.OriginKind, payload)
}

// OnInsert spreads the insertion of a joining node, of which this node is the surrogate.
func (c *Caster) OnInsert(e env.Env, r *env.Insert) {
	m := &wire.Multicast{
		Call: e.Rand().Uint64(), Prefix: r.Node[:], Digits: uint32(r.Digits), Level: uint32(r.Digits), Insertion: r.Insertion,
	}
	s := &spread{call: m.Call, msg: m, from: c.cfg.Self, deadline: e.Now().Add(c.cfg.Life)}
	if !c.take(s) {
		e.Post(&env.Inserted{Node: r.Node, Failed: 1})
		return
	}
	c.begin(e, s)
}

// OnCancel ends a multicast that nobody waits for any more; what is on its way goes on.
func (c *Caster) OnCancel(call env.Call) {
	for _, id := range c.order {
		if s := c.spreads[id]; s.face == call && call != 0 {
			s.face = 0
		}
	}
}
