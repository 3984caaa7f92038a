package sim

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// manner is how a node behaves towards the objects of others. All nodes are members in
// good standing otherwise; none of the hostile asks for objects or serves any.
type manner int

const (
	honest manner = iota
	// denying: where it is to answer a locate, as root or because it has pointers, it
	// answers that there is nothing.
	denying
	// dropping: it acknowledges what passes or ends at it of publishes and locates, and
	// does nothing with it.
	dropping
)

// manner draws that of a node, once and for all.
func (c *Config) manner(id idspace.ID) manner {
	switch x := float64(binary.BigEndian.Uint32(id[idspace.Size-4:])) / (1 << 32); {
	case x < c.Deny:
		return denying
	case x < c.Deny+c.DropObjects:
		return dropping
	}
	return honest
}

// hostility is what becomes of the messages of hostile nodes.
func (c *Config) hostility(from, to *world.Host, m wire.Message) wire.Message {
	r, ok := m.(*wire.Routed)
	if !ok || r.BodyKind != wire.BodyKind_BODY_LOCATE && r.BodyKind != wire.BodyKind_BODY_PUBLISH {
		return m
	}
	if c.manner(to.ID()) == dropping {
		return swallowed(r, to.ID())
	}
	id := from.ID()
	if c.manner(id) == denying && r.Reply && r.BodyKind == wire.BodyKind_BODY_LOCATE && bytes.HasSuffix(r.Trail, id[:]) {
		return denial(r)
	}
	return m
}

// swallowed is what a node acknowledges and does nothing with: a reply to itself of a call
// that it does not know.
func swallowed(r *wire.Routed, by idspace.ID) *wire.Routed {
	return &wire.Routed{
		Call: r.Call, Tx: r.Tx, Key: by[:], BodyKind: r.BodyKind, HopsLeft: r.HopsLeft, DeadlineMs: r.DeadlineMs,
		Reply: true, Trail: by[:], Refusal: wire.Refusal_REFUSAL_UNSURE,
	}
}

// denial is the answer of a root that has nothing in place of another.
func denial(r *wire.Routed) *wire.Routed {
	d := proto.Clone(r).(*wire.Routed)
	d.Refusal, d.Body = wire.Refusal_REFUSAL_NONE, wire.Pack(new(wire.LocateReply))
	return d
}

// honest draws n different members that are.
func (r *run) honest(n int) []*member {
	if r.cfg.Deny+r.cfg.DropObjects == 0 {
		return r.some(n)
	}
	all := slices.DeleteFunc(slices.Clone(r.people.staying()), func(m *member) bool { return r.cfg.manner(m.host.ID()) != honest })
	r.world.Rand().Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(n, len(all))]
}

// anybody draws a member that asks or serves, nil if there is none.
func (r *run) anybody() *member {
	if r.cfg.Deny+r.cfg.DropObjects == 0 {
		return r.people.random()
	}
	for _, m := range r.honest(1) {
		return m
	}
	return nil
}
