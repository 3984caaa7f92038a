package wire_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func signed(kind wire.RecordKind, m proto.Message) *wire.SignedRecord {
	return &wire.SignedRecord{PayloadType: []byte(kind), Payload: pack(m), Signature: []byte("signature")}
}

// openers opens a record as each kind.
var openers = map[wire.RecordKind]func(*wire.SignedRecord) (proto.Message, error){
	wire.NodeKind:   func(r *wire.SignedRecord) (proto.Message, error) { return r.Node() },
	wire.OriginKind: func(r *wire.SignedRecord) (proto.Message, error) { return r.Origin() },
	wire.BatchKind:  func(r *wire.SignedRecord) (proto.Message, error) { return r.Batch() },
}

func TestRecordsOpenAsTheirKindAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for kind, m := range map[wire.RecordKind]proto.Message{
			wire.NodeKind: anyNode.Draw(t, "node"), wire.OriginKind: anyOrigin.Draw(t, "origin"),
			wire.BatchKind: anyBatch.Draw(t, "batch"),
		} {
			for as, open := range openers {
				got, err := open(signed(kind, m))
				if (err == nil) != (as == kind) {
					t.Fatalf("%s opened as %s: %v", kind, as, err)
				}
				if err == nil {
					equal(t, got, m)
				}
			}
		}
	})
}

func TestMalformedRecordsDoNotOpen(t *testing.T) {
	long := strings.Repeat("x", 2000)
	bad := map[string]*wire.SignedRecord{
		"node without a key":          {PayloadType: []byte(wire.NodeKind)},
		"node in a long zone":         signed(wire.NodeKind, &wire.NodeRecord{Peer: id20, Zone: long}),
		"node of a long network":      signed(wire.NodeKind, &wire.NodeRecord{Peer: id20, Network: long}),
		"node of many addresses":      signed(wire.NodeKind, &wire.NodeRecord{Peer: id20, Addrs: many(wire.MaxAddrs+1, id20)}),
		"node of half a lease":        signed(wire.NodeKind, &wire.NodeRecord{Peer: id20, Lease: id20[1:]}),
		"node of a long lease":        signed(wire.NodeKind, &wire.NodeRecord{Peer: id20, Lease: append(id20, 0)}),
		"batch without a server":      signed(wire.BatchKind, &wire.BatchRecord{Count: 2, Roots: id20}),
		"batch of a long app":         signed(wire.BatchKind, &wire.BatchRecord{Server: id20, Count: 2, Roots: id20, App: long}),
		"batch of a long network":     signed(wire.BatchKind, &wire.BatchRecord{Server: id20, Count: 2, Roots: id20, Network: long}),
		"batch of nothing":            signed(wire.BatchKind, &wire.BatchRecord{Server: id20, Roots: id20}),
		"batch without a root":        signed(wire.BatchKind, &wire.BatchRecord{Server: id20, Count: 2}),
		"batch with half a root":      signed(wire.BatchKind, &wire.BatchRecord{Server: id20, Count: 2, Roots: make([]byte, 30)}),
		"batch with many roots":       signed(wire.BatchKind, &wire.BatchRecord{Server: id20, Count: 2, Roots: make([]byte, 20*wire.MaxRoots+20)}),
		"batch of neither":            signed(wire.BatchKind, &wire.BatchRecord{Server: id20}),
		"one object by its root":      signed(wire.BatchKind, &wire.BatchRecord{Server: id20, Count: 1, Roots: id20}),
		"one object and a count":      signed(wire.BatchKind, &wire.BatchRecord{Server: id20, Guid: id20, Count: 1}),
		"one object and a root":       signed(wire.BatchKind, &wire.BatchRecord{Server: id20, Guid: id20, Roots: id20}),
		"one object of many":          signed(wire.BatchKind, &wire.BatchRecord{Server: id20, Guid: id20, Count: 2, Roots: id20}),
		"one object by half a guid":   signed(wire.BatchKind, &wire.BatchRecord{Server: id20, Guid: id20[:10]}),
		"one object without a server": signed(wire.BatchKind, &wire.BatchRecord{Guid: id20}),
		"batch that is no record":     {PayloadType: []byte(wire.BatchKind), Payload: []byte{0xff}},
		"origin without a key":        signed(wire.OriginKind, &wire.MessageRecord{}),
		"origin of a long app":        signed(wire.OriginKind, &wire.MessageRecord{Key: id20, App: long}),
		"node that is no record":      {PayloadType: []byte(wire.NodeKind), Payload: []byte{0xff}},
		"origin that is no record":    {PayloadType: []byte(wire.OriginKind), Payload: []byte{0xff}},
		"record of a foreign overlay": {PayloadType: []byte("/libp2p/peer-record")},
		"no record at all":            nil,
	}
	for name, r := range bad {
		for as, open := range openers {
			if _, err := open(r); err == nil {
				t.Errorf("%s opened as %s", name, as)
			}
		}
	}
}

// RFC 0002 gives the envelope's fields their numbers; ours must be readable as one.
func TestSignedRecordIsALibp2pEnvelope(t *testing.T) {
	r := &wire.SignedRecord{PublicKey: []byte("k"), PayloadType: []byte("t"), Payload: []byte("p"), Signature: []byte("s")}
	var envelope []byte
	for _, f := range []struct {
		number protowire.Number
		value  string
	}{{1, "k"}, {2, "t"}, {3, "p"}, {5, "s"}} {
		envelope = protowire.AppendString(protowire.AppendTag(envelope, f.number, protowire.BytesType), f.value)
	}
	if got := pack(r); string(got) != string(envelope) {
		t.Errorf("record %x, envelope %x", got, envelope)
	}
}

func TestNewerIsByGenerationThenVersion(t *testing.T) {
	order := []*wire.NodeRecord{{Generation: 1, Version: 1}, {Generation: 1, Version: 2}, {Generation: 2}, {Generation: 2, Version: 1}}
	for i, a := range order {
		for j, b := range order {
			if a.Newer(b) != (i > j) {
				t.Errorf("record %d newer than %d: %v", i, j, a.Newer(b))
			}
		}
	}
}

// What is held under a header goes on under one that says the same, later, and under no other.
func TestABatchKeepsItsNameWhenItsHeaderIsSignedAnew(t *testing.T) {
	old := &wire.BatchRecord{
		Network: "main", App: "files", Server: id20, Generation: 3, Counter: 5, LifeS: 60, Count: 2, Roots: make([]byte, 40),
	}
	for name, c := range map[string]struct {
		change func(*wire.BatchRecord)
		same   bool
	}{
		"another sequence": {func(r *wire.BatchRecord) { r.Generation++; r.Counter = 0 }, true},
		"another life":     {func(r *wire.BatchRecord) { r.LifeS = 900 }, true},
		"another app":      {func(r *wire.BatchRecord) { r.App = "mail" }, false},
		"more objects":     {func(r *wire.BatchRecord) { r.Count++ }, false},
		"fewer salts":      {func(r *wire.BatchRecord) { r.Roots = r.Roots[:20] }, false},
		"another root":     {func(r *wire.BatchRecord) { r.Roots[39] ^= 1 }, false},
		"taken back":       {func(r *wire.BatchRecord) { r.Withdrawn = true }, false},
	} {
		r := proto.Clone(old).(*wire.BatchRecord)
		if c.change(r); (r.Name() == old.Name()) != c.same {
			t.Errorf("%s: the same name: %v", name, !c.same)
		}
	}
	one := &wire.BatchRecord{App: "files", Server: id20, Guid: id20}
	gone := &wire.BatchRecord{App: "files", Server: id20, Count: 2, Roots: id20, Withdrawn: true}
	if one.Name() != (wire.Sum{}) || gone.Name() != (wire.Sum{}) || old.Name() == (wire.Sum{}) {
		t.Error("what is not renewed has a name, or what is has none")
	}
}

func TestAPointerIsABatchOfOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := anyBatch.Draw(t, "batch")
		got, err := signed(wire.BatchKind, rec).Pointer()
		if (err == nil) != (rec.Objects() == 1) {
			t.Fatalf("a batch of %d: %v", rec.Objects(), err)
		}
		if err == nil {
			equal(t, got, rec)
		}
	})
	if _, err := signed(wire.NodeKind, &wire.BatchRecord{Server: id20, Guid: id20}).Pointer(); err == nil {
		t.Error("opened as another kind")
	}
}

func TestAHeaderSaysOfHowManyObjectsItIs(t *testing.T) {
	one, many := &wire.BatchRecord{Server: id20, Guid: id20}, &wire.BatchRecord{Server: id20, Count: 2, Roots: id20}
	if one.Objects() != 1 || one.Salts() != 0 || many.Objects() != 2 {
		t.Errorf("%d and %d objects, %d salts", one.Objects(), many.Objects(), one.Salts())
	}
}

func TestTheRootsOfAHeaderGoBySalt(t *testing.T) {
	one, two := bytes.Repeat([]byte{1}, 20), bytes.Repeat([]byte{2}, 20)
	r := &wire.BatchRecord{Roots: slices.Concat(one, two)}
	if r.Salts() != 2 || r.Root(0) != [20]byte(one) || r.Root(1) != [20]byte(two) {
		t.Errorf("%d salts: %x, %x", r.Salts(), r.Root(0), r.Root(1))
	}
}

func TestANodesIDIsTheHashOfItsPeerID(t *testing.T) {
	if (&wire.NodeRecord{Peer: []byte("peer")}).ID() != idspace.Hash([]byte("peer")) {
		t.Error("another ID")
	}
}

func TestSignedListsEveryRecordThatAMachineWouldBelieve(t *testing.T) {
	a, b, c, d := signed("a", nil), signed("b", nil), signed("c", nil), signed("d", nil)
	routed := func(kind wire.BodyKind, body wire.Body, change func(*wire.Routed)) *wire.Routed {
		m := &wire.Routed{Key: id20, BodyKind: kind, Body: wire.Pack(body)}
		change(m)
		return m
	}
	request, reply := func(*wire.Routed) {}, func(m *wire.Routed) { m.Reply = true }
	answer := &wire.LocateReply{Replicas: []*wire.FoundReplica{{Pointer: a, Server: b}, {Pointer: c, Server: d}}}
	for name, test := range map[string]struct {
		m    wire.Message
		want []*wire.SignedRecord
	}{
		"hello":            {&wire.Hello{Record: a}, []*wire.SignedRecord{a}},
		"records":          {&wire.Records{Records: []*wire.SignedRecord{a, b}}, []*wire.SignedRecord{a, b}},
		"beacon":           {&wire.Beacon{}, nil},
		"join":             {routed(wire.BodyKind_BODY_JOIN, &wire.Join{Record: a}, request), []*wire.SignedRecord{a}},
		"join reply":       {routed(wire.BodyKind_BODY_JOIN, &wire.JoinReply{Records: []*wire.SignedRecord{a, b}}, reply), []*wire.SignedRecord{a, b}},
		"self-probe":       {routed(wire.BodyKind_BODY_SELF_PROBE, &wire.SelfProbe{Record: a}, request), []*wire.SignedRecord{a}},
		"self-probe reply": {routed(wire.BodyKind_BODY_SELF_PROBE, &wire.SelfProbeReply{Leaves: []*wire.SignedRecord{a}, Rows: []*wire.SignedRecord{b}}, reply), []*wire.SignedRecord{a, b}},
		"publish":          {routed(wire.BodyKind_BODY_PUBLISH, &wire.Publish{Pointer: a, Server: b, Roots: 1, Pulse: pulse}, request), []*wire.SignedRecord{a, b}},
		"publish reply":    {routed(wire.BodyKind_BODY_PUBLISH, &wire.PublishReply{}, reply), nil},
		"locate":           {routed(wire.BodyKind_BODY_LOCATE, &wire.Locate{Guid: id20}, request), nil},
		"answer":           {routed(wire.BodyKind_BODY_LOCATE, answer, reply), []*wire.SignedRecord{a, b, c, d}},
		"passing answer":   {routed(wire.BodyKind_BODY_LOCATE, answer, func(m *wire.Routed) { m.Reply, m.Path = true, id20 }), nil},
		"refusal":          {routed(wire.BodyKind_BODY_LOCATE, answer, func(m *wire.Routed) { m.Reply, m.Refusal = true, wire.Refusal_REFUSAL_BUSY }), nil},
		"deposit":          {&wire.Deposit{Server: a, Laid: []*wire.Laid{{Pointer: b}, {Pointer: c}}, Parts: []*wire.BatchPart{{Header: d}}}, []*wire.SignedRecord{a, b, c, d}},
		"bare deposit":     {&wire.Deposit{Server: a}, []*wire.SignedRecord{a}},
		"message":          {routed(wire.BodyKind_BODY_MESSAGE, &wire.AppMessage{}, request), nil},
	} {
		got, err := wire.Signed(test.m)
		if err != nil || !slices.EqualFunc(got, test.want, func(a, b *wire.SignedRecord) bool { return proto.Equal(a, b) }) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, test.want)
		}
	}
}

func TestSignedReportsABodyThatDoesNotParse(t *testing.T) {
	for _, m := range []*wire.Routed{
		{BodyKind: wire.BodyKind_BODY_JOIN}, {BodyKind: wire.BodyKind_BODY_JOIN, Reply: true},
		{BodyKind: wire.BodyKind_BODY_SELF_PROBE}, {BodyKind: wire.BodyKind_BODY_SELF_PROBE, Reply: true},
		{BodyKind: wire.BodyKind_BODY_PUBLISH}, {BodyKind: wire.BodyKind_BODY_LOCATE, Reply: true},
	} {
		m.Body = []byte{0xff}
		if _, err := wire.Signed(m); err == nil {
			t.Errorf("%v %v: no error", m.BodyKind, m.Reply)
		}
	}
}
