package wire_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func pack(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// frameOf is a frame of kind k around bytes that need not be a message.
func frameOf(k wire.Kind, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, protowire.Number(k), protowire.BytesType), body)
}

func equal(t interface{ Fatalf(string, ...any) }, got, want proto.Message) {
	if !proto.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestEveryKindHasAMessageAndAName(t *testing.T) {
	fields := (&wire.Frame{}).ProtoReflect().Descriptor().Fields()
	if len(wire.Kinds()) != fields.Len() {
		t.Fatalf("%d kinds, %d fields in Frame", len(wire.Kinds()), fields.Len())
	}
	for _, k := range wire.Kinds() {
		field, m := fields.ByNumber(protowire.Number(k)), wire.New(k)
		if field == nil || m == nil || m.Kind() != k {
			t.Fatalf("kind %d: message %v, field %v", k, m, field)
		}
		if want := strings.ReplaceAll(string(field.Name()), "_", "-"); k.String() != want {
			t.Errorf("kind %d is called %q, its field %q", k, k, want)
		}
		if field.Message().FullName() != m.ProtoReflect().Descriptor().FullName() {
			t.Errorf("kind %v makes a %v", k, m.ProtoReflect().Descriptor().FullName())
		}
	}
	if wire.New(0) != nil || wire.New(200) != nil || wire.Kind(200).String() != "unknown" || wire.Kind(0).String() != "unknown" {
		t.Error("a kind that does not exist has a message or a name")
	}
}

func TestOnlyExchangesAreMaintenance(t *testing.T) {
	for _, k := range wire.Kinds() {
		want := k == wire.KindLeafSet || k == wire.KindRow || k == wire.KindRecordRequest
		if k.Maintenance() != want {
			t.Errorf("%v: Maintenance is %v", k, !want)
		}
	}
}

func TestEveryMessageSurvivesTheWire(t *testing.T) {
	for _, k := range wire.Kinds() {
		t.Run(k.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := messages[k].Draw(t, "message")
				got, rest := throughFrame(t, m)
				equal(t, got, m)
				if len(rest) > 0 {
					t.Fatalf("%d bytes left", len(rest))
				}
			})
		})
	}
}

// throughFrame writes m, reads it back, and spoils the bytes that it was read from.
func throughFrame(t *rapid.T, m wire.Message) (got wire.Message, rest []byte) {
	packed, err := wire.AppendFrame([]byte("before"), m)
	if err != nil || !bytes.HasPrefix(packed, []byte("before")) {
		t.Fatalf("frame %q, %v", packed, err)
	}
	r := bufio.NewReader(bytes.NewReader(packed[len("before"):]))
	frame, err := wire.ReadFrame(r, make([]byte, 0, 64))
	if err != nil {
		t.Fatal(err)
	}
	if got, err = wire.Decode(frame); err != nil {
		t.Fatal(err)
	}
	clear(frame)
	rest, _ = io.ReadAll(r)
	return got, rest
}

func TestAFrameIsTheSchemaFrame(t *testing.T) {
	packed, err := wire.AppendFrame(nil, &wire.Row{Level: 3, WantReply: true})
	if err != nil {
		t.Fatal(err)
	}
	schema := pack(&wire.Frame{Body: &wire.Frame_Row{Row: &wire.Row{Level: 3, WantReply: true}}})
	if want := append([]byte{byte(len(schema))}, schema...); !bytes.Equal(packed, want) {
		t.Errorf("frame %x, want %x", packed, want)
	}
}

func TestManyFramesOfOneStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var sent []wire.Message
		for range rapid.IntRange(0, 5).Draw(t, "frames") {
			m := messages[rapid.SampledFrom(wire.Kinds()).Draw(t, "kind")].Draw(t, "message")
			packed, err := wire.AppendFrame(stream, m)
			if err != nil {
				t.Fatal(err)
			}
			stream, sent = packed, append(sent, m)
		}
		r, buf := bufio.NewReader(bytes.NewReader(stream)), []byte(nil)
		for _, m := range sent {
			frame, err := wire.ReadFrame(r, buf)
			if err != nil {
				t.Fatal(err)
			}
			got, err := wire.Decode(frame)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, m)
			buf = frame
		}
		if _, err := wire.ReadFrame(r, buf); err != io.EOF {
			t.Fatalf("at the end: %v", err)
		}
	})
}

func TestATruncatedFrameIsAnErrorNeverAMessage(t *testing.T) {
	packed, err := wire.AppendFrame(nil, messages[wire.KindRouted].Example(7))
	if err != nil {
		t.Fatal(err)
	}
	for n := range packed {
		if _, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(packed[:n])), nil); err == nil || (err == io.EOF) != (n == 0) {
			t.Errorf("stream cut at %d of %d: %v", n, len(packed), err)
		}
	}
	_, prefix := binary.Uvarint(packed)
	frame := packed[prefix:]
	for n := range frame {
		if m, err := wire.Decode(frame[:n]); err == nil {
			t.Errorf("frame cut at %d of %d gave %v", n, len(frame), m)
		}
	}
}

func TestAnUnknownKindIsToldApart(t *testing.T) {
	if _, err := wire.Decode(frameOf(77, []byte("later"))); !errors.Is(err, wire.ErrUnknownKind) {
		t.Errorf("kind 77: %v", err)
	}
	for name, frame := range map[string][]byte{
		"empty":         {},
		"kind zero":     protowire.AppendBytes([]byte{2}, nil),
		"not a message": protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 5),
		"two messages":  append(frameOf(wire.KindUnlink, nil), frameOf(wire.KindUnlink, nil)...),
		"trailing byte": append(frameOf(wire.KindUnlink, nil), 0),
		"malformed":     frameOf(wire.KindBeacon, []byte{0xff}),
		"of two kinds":  append(frameOf(77, nil), frameOf(wire.KindUnlink, nil)...),
	} {
		if m, err := wire.Decode(frame); err == nil || errors.Is(err, wire.ErrUnknownKind) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

func TestFieldsOfALaterVersionAreCarriedOn(t *testing.T) {
	body := protowire.AppendString(protowire.AppendTag(pack(&wire.Ack{Tx: 5}), 99, protowire.BytesType), "later")
	m, err := wire.Decode(frameOf(wire.KindAck, body))
	if err != nil {
		t.Fatal(err)
	}
	if ack := m.(*wire.Ack); ack.Tx != 5 || !bytes.Equal(pack(ack), body) {
		t.Errorf("got %v", ack)
	}
}

func TestAnOversizedFrameIsRefusedUnread(t *testing.T) {
	announced := binary.AppendUvarint(nil, wire.MaxFrame+1)
	if _, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(announced)), nil); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("announced %d bytes: %v", wire.MaxFrame+1, err)
	}
	endless := bytes.Repeat([]byte{0xff}, 20)
	if _, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(endless)), nil); err == nil {
		t.Error("a length without end was read")
	}
	m := &wire.Routed{Key: make([]byte, idspace.Size), Body: make([]byte, wire.MaxFrame)}
	if out, err := wire.AppendFrame([]byte("before"), m); !errors.Is(err, wire.ErrTooLarge) || string(out) != "before" {
		t.Errorf("appended %d bytes, %v", len(out), err)
	}
}

func TestAFrameOfTheLargestSizePasses(t *testing.T) {
	m := &wire.Routed{Key: make([]byte, idspace.Size)}
	for m.Body = make([]byte, wire.MaxFrame-64); ; m.Body = append(m.Body, 0) {
		if 4+proto.Size(m) == wire.MaxFrame {
			break
		}
	}
	packed, err := wire.AppendFrame(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(packed)), nil)
	if err != nil || len(frame) != wire.MaxFrame {
		t.Fatalf("%d bytes, %v", len(frame), err)
	}
	if _, err := wire.Decode(frame); err != nil {
		t.Error(err)
	}
}

func TestAStringThatIsNotUTF8LeavesTheBatchAsItWas(t *testing.T) {
	m := &wire.Hello{Network: "\xff", Record: &wire.SignedRecord{}}
	if out, err := wire.AppendFrame([]byte("before"), m); err == nil || string(out) != "before" {
		t.Errorf("appended %q, %v", out, err)
	}
}

func TestReadFrameReusesItsBuffer(t *testing.T) {
	packed, err := wire.AppendFrame(nil, &wire.Ack{Tx: 1})
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 64)
	frame, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(packed)), buf)
	if err != nil || &frame[0] != &buf[:1][0] {
		t.Errorf("%v; another buffer", err)
	}
}

// Each of these would take far more memory than it has bytes, if it were believed.
func TestDecodeAllocatesNoMoreThanASmallMultipleOfItsInput(t *testing.T) {
	empties := func(field protowire.Number) []byte {
		one := protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), nil)
		return bytes.Repeat(one, wire.MaxFrame/len(one)-16)
	}
	decode := func(k wire.Kind) func([]byte) {
		return func(b []byte) { _, _ = wire.Decode(frameOf(k, b)) }
	}
	for name, c := range map[string]struct {
		body []byte
		read func([]byte)
	}{
		"records":          {empties(1), decode(wire.KindRecords)},
		"notes":            {empties(12), decode(wire.KindRouted)},
		"laid pointers":    {empties(4), decode(wire.KindDeposit)},
		"branches":         {pack(&wire.Refresh{Branches: make([]byte, wire.MaxFrame-64)}), decode(wire.KindRefresh)},
		"merged record":    {empties(4), decode(wire.KindHello)},
		"unknown fields":   {empties(99), decode(wire.KindAck)},
		"join reply":       {empties(1), func(b []byte) { _, _ = wire.Unpack(b, new(wire.JoinReply)) }},
		"locate reply":     {empties(1), func(b []byte) { _, _ = wire.Unpack(b, new(wire.LocateReply)) }},
		"lists":            {empties(2), func(b []byte) { _, _ = wire.Unpack(b, new(wire.BatchPart)) }},
		"node's addresses": {empties(3), func(b []byte) { _, _ = (&wire.SignedRecord{PayloadType: []byte(wire.NodeKind), Payload: b}).Node() }},
		"references":       {pack(&wire.Row{Refs: make([]byte, wire.MaxFrame-64)}), decode(wire.KindRow)},
		"announced only":   {binary.AppendUvarint(nil, wire.MaxFrame), func(b []byte) { _, _ = wire.ReadFrame(bufio.NewReader(bytes.NewReader(b)), nil) }},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.read(c.body)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 6*wire.MaxFrame {
			t.Errorf("%s: %d bytes for a frame of %d", name, used, len(c.body))
		}
	}
}
