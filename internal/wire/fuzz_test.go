package wire_test

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// seeds is how many drawn examples each fuzz target begins with.
const seeds = 4

// again demands that a message that was taken survives the wire a second time, and
// that whatever is asked of it can be answered.
func again(t *testing.T, m wire.Message) {
	packed, err := wire.AppendFrame(nil, m)
	if err != nil {
		t.Fatalf("taken, but not encoded again: %v", err)
	}
	frame, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(packed)), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := wire.Decode(frame)
	if err != nil {
		t.Fatalf("taken, but not a second time: %v", err)
	}
	equal(t, got, m)
	if line := wire.Describe(m); line == "" || line != wire.Describe(got) || strings.ContainsAny(line, "\r\n") {
		t.Fatalf("described as %q", line)
	}
	if records, err := wire.Signed(m); err == nil {
		open(t, records...)
	}
}

// open opens records as every kind; only panics are wrong.
func open(t *testing.T, records ...*wire.SignedRecord) {
	for _, r := range records {
		if r == nil {
			t.Fatal("a record to check that is none")
		}
		for _, as := range openers {
			_, _ = as(r)
		}
	}
}

// fuzzKind feeds the body of a frame of kind k.
func fuzzKind(f *testing.F, k wire.Kind) {
	for i := range seeds {
		f.Add(pack(messages[k].Example(i)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := wire.Decode(frameOf(k, body))
		if err != nil {
			return
		}
		if m.Kind() != k {
			t.Fatalf("a %v came out as %v", k, m.Kind())
		}
		// Longer than a frame may be: ReadFrame would not have let it pass.
		if len(body) < wire.MaxFrame-16 {
			again(t, m)
		}
	})
}

func FuzzHello(f *testing.F)         { fuzzKind(f, wire.KindHello) }
func FuzzBeacon(f *testing.F)        { fuzzKind(f, wire.KindBeacon) }
func FuzzBeaconAck(f *testing.F)     { fuzzKind(f, wire.KindBeaconAck) }
func FuzzUnlink(f *testing.F)        { fuzzKind(f, wire.KindUnlink) }
func FuzzLeave(f *testing.F)         { fuzzKind(f, wire.KindLeave) }
func FuzzLeafSet(f *testing.F)       { fuzzKind(f, wire.KindLeafSet) }
func FuzzRow(f *testing.F)           { fuzzKind(f, wire.KindRow) }
func FuzzRecordRequest(f *testing.F) { fuzzKind(f, wire.KindRecordRequest) }
func FuzzRecords(f *testing.F)       { fuzzKind(f, wire.KindRecords) }
func FuzzRouted(f *testing.F)        { fuzzKind(f, wire.KindRouted) }
func FuzzAck(f *testing.F)           { fuzzKind(f, wire.KindAck) }
func FuzzMulticast(f *testing.F)     { fuzzKind(f, wire.KindMulticast) }
func FuzzMulticastAck(f *testing.F)  { fuzzKind(f, wire.KindMulticastAck) }
func FuzzInserted(f *testing.F)      { fuzzKind(f, wire.KindInserted) }
func FuzzStrangers(f *testing.F)     { fuzzKind(f, wire.KindStrangers) }
func FuzzWitness(f *testing.F)       { fuzzKind(f, wire.KindWitness) }
func FuzzWitnessReply(f *testing.F)  { fuzzKind(f, wire.KindWitnessReply) }
func FuzzIndirectProbe(f *testing.F) { fuzzKind(f, wire.KindIndirectProbe) }
func FuzzIndirectAck(f *testing.F)   { fuzzKind(f, wire.KindIndirectAck) }

func FuzzRefresh(f *testing.F)      { fuzzKind(f, wire.KindRefresh) }
func FuzzRefreshReply(f *testing.F) { fuzzKind(f, wire.KindRefreshReply) }
func FuzzListing(f *testing.F)      { fuzzKind(f, wire.KindListing) }
func FuzzWanted(f *testing.F)       { fuzzKind(f, wire.KindWanted) }
func FuzzDeposit(f *testing.F)      { fuzzKind(f, wire.KindDeposit) }
func FuzzPlaced(f *testing.F)       { fuzzKind(f, wire.KindPlaced) }

// fuzzBody feeds a body of the named type, as Unpack and as Signed see it.
func fuzzBody(f *testing.F, name string) {
	for i := range seeds {
		f.Add(pack(bodies[name].Example(i)))
	}
	words := strings.Replace(strings.TrimSuffix(name, "Reply"), "SelfProbe", "Self_Probe", 1)
	kind := wire.BodyKind(wire.BodyKind_value["BODY_"+strings.ToUpper(words)])
	f.Fuzz(func(t *testing.T, packed []byte) {
		routed := &wire.Routed{Key: id20, BodyKind: kind, Body: packed, Reply: strings.HasSuffix(name, "Reply")}
		if records, err := wire.Signed(routed); err == nil {
			open(t, records...)
		}
		b, err := wire.Unpack(packed, empty(bodies[name].Example(0)))
		if err != nil {
			return
		}
		got, err := wire.Unpack(wire.Pack(b), empty(b))
		if err != nil {
			t.Fatalf("taken, but not a second time: %v", err)
		}
		equal(t, got, b)
	})
}

func FuzzJoin(f *testing.F)           { fuzzBody(f, "Join") }
func FuzzJoinReply(f *testing.F)      { fuzzBody(f, "JoinReply") }
func FuzzSelfProbe(f *testing.F)      { fuzzBody(f, "SelfProbe") }
func FuzzSelfProbeReply(f *testing.F) { fuzzBody(f, "SelfProbeReply") }
func FuzzPublish(f *testing.F)        { fuzzBody(f, "Publish") }
func FuzzBatchPart(f *testing.F)      { fuzzBody(f, "BatchPart") }
func FuzzPublishReply(f *testing.F)   { fuzzBody(f, "PublishReply") }
func FuzzLocate(f *testing.F)         { fuzzBody(f, "Locate") }
func FuzzLocateReply(f *testing.F)    { fuzzBody(f, "LocateReply") }
func FuzzAppMessage(f *testing.F)     { fuzzBody(f, "AppMessage") }
func FuzzAppReply(f *testing.F)       { fuzzBody(f, "AppReply") }

// fuzzRecord feeds the payload of a record of one kind.
func fuzzRecord(f *testing.F, kind wire.RecordKind, example func(seed int) proto.Message) {
	for i := range seeds {
		f.Add(pack(example(i)))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := openers[kind](&wire.SignedRecord{PayloadType: []byte(kind), Payload: payload})
		if err != nil {
			return
		}
		got, err := openers[kind](signed(kind, m))
		if err != nil {
			t.Fatalf("opened, but not a second time: %v", err)
		}
		equal(t, got, m)
	})
}

func FuzzRecordNode(f *testing.F) {
	fuzzRecord(f, wire.NodeKind, func(seed int) proto.Message { return anyNode.Example(seed) })
}

func FuzzRecordBatch(f *testing.F) {
	fuzzRecord(f, wire.BatchKind, func(seed int) proto.Message { return anyBatch.Example(seed) })
}

func FuzzRecordOrigin(f *testing.F) {
	fuzzRecord(f, wire.OriginKind, func(seed int) proto.Message { return anyOrigin.Example(seed) })
}

func FuzzDecode(f *testing.F) {
	for _, k := range wire.Kinds() {
		f.Add(frameOf(k, pack(messages[k].Example(int(k)))))
	}
	f.Add(frameOf(77, []byte("later")))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if m, err := wire.Decode(frame); err == nil && len(frame) < wire.MaxFrame-16 {
			again(t, m)
		}
	})
}

func FuzzReadFrame(f *testing.F) {
	var stream []byte
	for _, k := range wire.Kinds() {
		packed, err := wire.AppendFrame(nil, messages[k].Example(int(k)))
		if err != nil {
			f.Fatal(err)
		}
		stream = append(stream, packed...)
		f.Add(packed)
	}
	f.Add(stream)
	f.Fuzz(func(t *testing.T, stream []byte) {
		r, read, buf := bufio.NewReader(bytes.NewReader(stream)), 0, []byte(nil)
		for {
			frame, err := wire.ReadFrame(r, buf)
			if err != nil {
				return
			}
			if read += 1 + len(frame); read > len(stream) || len(frame) > wire.MaxFrame {
				t.Fatalf("%d bytes read of %d", read, len(stream))
			}
			if m, err := wire.Decode(frame); err == nil {
				again(t, m)
			}
			buf = frame
		}
	})
}
