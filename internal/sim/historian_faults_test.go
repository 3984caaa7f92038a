//go:build !invariants

// Servers are buried here behind the machines' backs; with -tags invariants the node itself
// would stop at the first.

package sim

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/world"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// TestTheHistoryCatchesFaults puts a fault in on purpose and demands that it is caught.
func TestTheHistoryCatchesFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault   string
		cfg     Config
		arrange func(*run)
		absent  bool // what has to be found is a wrong absence
	}{
		{"a root says absent as soon as it is one", promoted(1), func(r *run) {
			r.world.Hooks.Alter = neverUnsure
			r.world.After(2*time.Second, func() { killHolders(r) })
		}, true},
		{"holders say that they hold nothing", contested(1), func(r *run) { r.world.Hooks.Alter = denyAll }, true},
		{"a tombstone is passed on as a pointer", contested(1), func(r *run) { r.world.Hooks.Alter = raise }, false},
		{"deaths are believed on hearsay", contested(1), buryEverybody, true},
	} {
		t.Run(c.fault, func(t *testing.T) {
			c.cfg.Duration = 20 * time.Second
			_, wrong := told(t, c.cfg, c.arrange)
			n := 0
			for _, f := range wrong {
				if f.Absent == c.absent {
					n++
				}
			}
			if n == 0 {
				t.Errorf("not caught; %d other findings", len(wrong))
			}
			t.Logf("%d of %d findings", n, len(wrong))
		})
	}
}

// neverUnsure makes a root that does not know yet deny.
func neverUnsure(_, _ *world.Host, m wire.Message) wire.Message {
	reply, ok := m.(*wire.Routed)
	if !ok || !reply.Reply || reply.Refusal != wire.Refusal_REFUSAL_UNSURE {
		return m
	}
	return denial(reply)
}

// denyAll makes of each answer that names a server the vote that there is none.
func denyAll(_, _ *world.Host, m wire.Message) wire.Message {
	reply, ok := m.(*wire.Routed)
	if !ok || !reply.Reply || reply.BodyKind != wire.BodyKind_BODY_LOCATE || reply.Refusal != wire.Refusal_REFUSAL_NONE {
		return m
	}
	return denial(reply)
}

// raise makes of the tombstones that a node passes on for others the pointers that they
// were, under the same sequence.
func raise(from, _ *world.Host, m wire.Message) wire.Message {
	r, ok := m.(*wire.Routed)
	if !ok || r.Reply || r.BodyKind != wire.BodyKind_BODY_PUBLISH {
		return m
	}
	p, err := wire.Unpack(r.Body, new(wire.Publish))
	if err != nil {
		return m
	}
	record, err := p.Pointer.Pointer()
	if err != nil || !record.Withdrawn || wire.ID(record.Server) == from.ID() {
		return m
	}
	record.Withdrawn = false
	p.Pointer = proto.Clone(p.Pointer).(*wire.SignedRecord)
	if p.Pointer.Payload, err = proto.Marshal(record); err != nil {
		panic(err) // it was read from bytes
	}
	raised := proto.Clone(r).(*wire.Routed)
	raised.Body = wire.Pack(p)
	return raised
}
