package archtest_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/multiformats/go-multihash"
	"github.com/tapestry-dolr/tapestry/heartbeat"
	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/membership"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/internal/witness"
	"github.com/tapestry-dolr/tapestry/routing"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// protocol is docs/protocol.md: its lines by the heading, or the name alone on a
// line, that they stand under.
func protocol(t *testing.T) (text string, rows map[string][][]string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows = map[string][][]string{}
	var under []string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#") || strings.HasPrefix(line, "`") && strings.HasSuffix(line, "`"):
			under = nil
			for _, m := range quoted.FindAllStringSubmatch(line, -1) {
				under = append(under, m[1])
			}
		case strings.HasPrefix(line, "|"):
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i := range cells {
				cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
			}
			for _, name := range under {
				rows[name] = append(rows[name], cells)
			}
		}
	}
	return string(b), rows
}

var quoted = regexp.MustCompile("`(\\w+)`")

// TestProtocolTables compares the tables of fields and values with the schema.
func TestProtocolTables(t *testing.T) {
	text, rows := protocol(t)
	file := new(wire.Frame).ProtoReflect().Descriptor().ParentFile()
	for i := range file.Messages().Len() {
		m := file.Messages().Get(i)
		if m.Name() == "Frame" {
			continue
		}
		var want [][]string
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			want = append(want, []string{fmt.Sprint(f.Number()), string(f.Name()), typeName(f)})
		}
		compareRows(t, string(m.Name()), want, rows[string(m.Name())])
	}
	for i := range file.Enums().Len() {
		e := file.Enums().Get(i)
		var want [][]string
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			want = append(want, []string{fmt.Sprint(v.Number()), string(v.Name())})
		}
		compareRows(t, string(e.Name()), want, rows[string(e.Name())])
	}
	for _, k := range wire.Kinds() {
		name := string(wire.New(k).ProtoReflect().Descriptor().Name())
		if row := fmt.Sprintf("\n| %d | `%s` |", k, name); !strings.Contains(text, row) {
			t.Errorf("docs/protocol.md has no row %s", row)
		}
	}
}

func typeName(f protoreflect.FieldDescriptor) string {
	name := f.Kind().String()
	switch {
	case f.Message() != nil:
		name = string(f.Message().Name())
	case f.Enum() != nil:
		name = string(f.Enum().Name())
	}
	if f.IsList() {
		return "repeated " + name
	}
	return name
}

// compareRows demands that the numbered rows have want's cells and there are no others.
func compareRows(t *testing.T, name string, want, have [][]string) {
	t.Helper()
	var numbered [][]string
	for _, row := range have {
		if row[0] != "" && strings.Trim(row[0], "0123456789") == "" {
			numbered = append(numbered, row)
		}
	}
	if len(numbered) != len(want) {
		t.Errorf("%s: %d rows in docs/protocol.md, %d in the schema", name, len(numbered), len(want))
		return
	}
	for i, w := range want {
		if !hasRow(numbered[i:i+1], w...) {
			t.Errorf("%s: docs/protocol.md has %q, the schema %q", name, numbered[i], w)
		}
	}
}

func hasRow(rows [][]string, cells ...string) bool {
	for _, row := range rows {
		if len(row) >= len(cells) && fmt.Sprint(row[:len(cells)]) == fmt.Sprint(cells) {
			return true
		}
	}
	return false
}

func TestProtocolLimits(t *testing.T) {
	text, _ := protocol(t)
	for name, value := range map[string]int{
		"MaxFrame": wire.MaxFrame, "MaxPayload": wire.MaxPayload, "MaxHops": wire.MaxHops, "MaxRefs": wire.MaxRefs,
		"MaxRecords": wire.MaxRecords, "MaxRecord": wire.MaxRecord, "MaxAddrs": wire.MaxAddrs, "MaxApp": wire.MaxApp,
		"MaxNetwork": wire.MaxNetwork, "MaxZone": wire.MaxZone, "MaxError": wire.MaxError, "MaxExclude": wire.MaxExclude,
		"MaxRoots": wire.MaxRoots, "MaxDead": wire.MaxDead, "MaxFound": wire.MaxFound,
		"MaxWitnesses": wire.MaxWitnesses, "MaxNamed": wire.MaxNamed, "MaxItems": wire.MaxItems,
	} {
		if row := fmt.Sprintf("| `%s` | %d |", name, value); !strings.Contains(text, row) {
			t.Errorf("docs/protocol.md has no row %s", row)
		}
	}
}

// TestProtocolConstants compares §10 with the defaults of the rooms.
func TestProtocolConstants(t *testing.T) {
	text, _ := protocol(t)
	l, h := links.Config{}.WithDefaults(), heartbeat.Config{}.WithDefaults()
	m, r := membership.Config{}.WithDefaults(), routing.Config{}.WithDefaults()
	w := witness.Config{}.WithDefaults()
	for name, values := range map[string][]any{
		"links, at most": {l.Cap},
		"beacons: fastest, slowest, share of the dead":                         {h.Fastest, h.Slowest, h.Stale},
		"probes until death, least spacing":                                    {h.DeathProbes, h.ProbeSpacing},
		"gate: probes, spacing":                                                {h.GateProbes, h.GateSpacing},
		"exchange of leaf set, of rows, times longer when calm":                {m.LeafPeriod, m.RowPeriod, m.Stretch},
		"more often by, in the first":                                          {m.Eager, m.EagerFor},
		"measuring a candidate nobody has room for, every":                     {m.Sample},
		"join: per seed, rounds":                                               {m.JoinTimeout, m.JoinRounds},
		"timeout: without sample, slack, least, most":                          {l.FirstTimeout, l.Slack, l.MinTimeout, l.MaxTimeout},
		"timeout by coordinates, least, most":                                  {l.GuessMin, l.GuessMax},
		"measured with each exchange of rows, counts for":                      {m.Improve, m.Resample},
		"wait for a way, looking again every":                                  {r.Park},
		"request's life without a deadline":                                    {r.Life},
		"remembered calls":                                                     {r.Calls},
		"witness: how long it may take, how many are asked, asked again after": {w.Patience, w.Witnesses, w.Again},
		"a hole is known to be empty, at most":                                 {w.Empty, w.Longest},
		"the gate may take with those named":                                   {w.Judging},
	} {
		want := strings.ReplaceAll(strings.Trim(fmt.Sprint(values), "[]"), " ", ", ")
		if row := fmt.Sprintf("\n| %s | %s |", name, want); !strings.Contains(text, row) {
			t.Errorf("docs/protocol.md has no row %s", row)
		}
	}
}

// TestProtocolVectors computes every test vector of docs/protocol.md anew.
func TestProtocolVectors(t *testing.T) {
	text, _ := protocol(t)
	_, block, _ := strings.Cut(text, "```vectors\n")
	block, _, _ = strings.Cut(block, "```")
	if want := vectors(t); block != want {
		t.Errorf("docs/protocol.md says\n%s\nand should say\n%s", block, want)
	}
}

// vectors prints the block of test vectors, long values wrapped.
func vectors(t *testing.T) string {
	var b strings.Builder
	section := func(title string) { fmt.Fprintf(&b, "\n# %s\n", title) }
	say := func(name string, value any) {
		s, ok := value.(string)
		if raw, isBytes := value.([]byte); isBytes {
			s = hex.EncodeToString(raw)
		} else if !ok {
			s = fmt.Sprint(value)
		}
		fmt.Fprintf(&b, "%-28s", name)
		for ; len(s) > 80; s = s[80:] {
			fmt.Fprintf(&b, "%s +\n%-28s", s[:80], "")
		}
		fmt.Fprintln(&b, s)
	}

	section("§2.1 identifiers")
	key, id := exampleKey(t)
	pid, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	mh, err := multihash.Sum([]byte("hello world"), multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	guid := idspace.Hash([]byte("hello world"))
	raw, err := key.Raw()
	if err != nil {
		t.Fatal(err)
	}
	say("Ed25519 seed", raw[:32])
	say("peer ID, as text", pid.String())
	say("peer ID", []byte(pid))
	say("node", id)
	say("H(\"hello world\")", guid)
	say("multihash of it, sha2-256", []byte(mh))
	say("H(multihash)", idspace.Hash(mh))

	section("§2.3 surrogate distance, §2.5 the example widened to 40 digits by zeros")
	k := wide(t, "42a0")
	for _, v := range []string{"4377", "4f00", "b2c9", "1234"} {
		say("δ("+v+"…, 42a0…)", delta(wide(t, v), k))
	}
	say("δ(node, H(\"hello world\"))", delta(id, guid))

	section("§2.6 short reference, §2.7 salted keys")
	say("node, generation 1795219200", wire.AppendRef(nil, wire.RefTo(id, 1795219200)))
	for i := range 4 {
		say(fmt.Sprintf("salt %d of 4 of that GUID", i), idspace.Hex.Salted(guid, i, 4))
	}

	section("§3.1 frames")
	frames(t, say, id, guid)

	section("§4 a node record: network main, no address, generation 1795219200, version 1, zone eu/1")
	signed := exampleRecord(t, key)
	whole, err := proto.Marshal(signed)
	if err != nil {
		t.Fatal(err)
	}
	say("payload", signed.Payload)
	say("what is signed", signedBytes(signed))
	say("signature", signed.Signature)
	say("SignedRecord", whole)

	section("§4.7 a batch of that server: application files, objects H(\"a\") to H(\"e\"), two roots, counter 7, one hour")
	batches(t, say, key, id)

	section("§4.7 the same with H(\"a\") alone: a batch of one")
	one, err := batch.Build(idspace.Hex, []idspace.ID{idspace.Hash([]byte("a"))}, 2)
	if err != nil {
		t.Fatal(err)
	}
	header(t, say, key, id, one)
	return strings.TrimPrefix(b.String(), "\n")
}

func batches(t *testing.T, say func(string, any), key crypto.PrivKey, server idspace.ID) {
	var guids []idspace.ID
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		guids = append(guids, idspace.Hash([]byte(name)))
	}
	whole, err := batch.Build(idspace.Hex, guids, 2)
	if err != nil {
		t.Fatal(err)
	}
	rec := header(t, say, key, server, whole)
	for salt, list := range whole.Lists() {
		root := rec.Root(salt)
		say(fmt.Sprintf("root of salt %d", salt), root[:])
		say(fmt.Sprintf("list of salt %d", salt), list)
	}
	cut := whole.Cut(func(l batch.Leaf) bool { return l.Salt == 0 && (l.GUID == guids[0] || l.GUID == guids[2]) })
	say("list of salt 0, a and c", cut.Lists()[0])
}

// header says the payload and signature of a batch's header.
func header(t *testing.T, say func(string, any), key crypto.PrivKey, server idspace.ID, whole *batch.Part) *wire.BatchRecord {
	rec := &wire.BatchRecord{
		Network: "main", App: "files", Server: server[:], Generation: 1795219200, Counter: 7, LifeS: 3600,
	}
	whole.Commit(rec)
	payload, err := proto.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	signed := &wire.SignedRecord{PayloadType: []byte(wire.BatchKind), Payload: payload}
	if signed.Signature, err = key.Sign(signedBytes(signed)); err != nil {
		t.Fatal(err)
	}
	say("payload", payload)
	say("signature", signed.Signature)
	return rec
}

func frames(t *testing.T, say func(string, any), id, guid idspace.ID) {
	place := wire.Point{Vec: [wire.CoordDims]float64{0.1, -0.025, 0, 0.0001}, Height: 0.002, Error: 0.25}.Pack()
	for _, f := range []struct {
		name    string
		message wire.Message
	}{
		{"Beacon, sole, 32 s", &wire.Beacon{Seq: 0x0102030405060708, Use: wire.Use_USE_SOLE, LifeS: 32}},
		{"BeaconAck, refused", &wire.BeaconAck{Seq: 0x0102030405060708, Refused: true}},
		{"BeaconAck, at §5.8's place", &wire.BeaconAck{Seq: 0x0102030405060708, Coord: place[:]}},
		{"Unlink", &wire.Unlink{}},
		{"Ack", &wire.Ack{Tx: 7}},
		{"Row 0 of one node, ask", &wire.Row{Refs: wire.AppendRef(nil, wire.RefTo(id, 1795219200)), WantReply: true}},
		{"Routed Locate, second hop", &wire.Routed{
			Call: 0x1122334455667788, Tx: 9, Key: idBytes(idspace.Hex.Salted(guid, 1, 4)),
			BodyKind: wire.BodyKind_BODY_LOCATE, Body: wire.Pack(&wire.Locate{Guid: guid[:], App: "files", Salt: 1, Limit: 4}),
			Path: id[:], HopsLeft: 31, DeadlineMs: 9990, SpentUs: 12000,
		}},
	} {
		frame, err := wire.AppendFrame(nil, f.message)
		if err != nil {
			t.Fatal(err)
		}
		say(f.name, frame)
	}
}

func idBytes(id idspace.ID) []byte { return id[:] }

// exampleKey is the key whose seed is the bytes 0 to 31, and its node's identifier.
func exampleKey(t *testing.T) (crypto.PrivKey, idspace.ID) {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, (&wire.NodeRecord{Peer: []byte(pid)}).ID()
}

func wide(t *testing.T, digits string) idspace.ID {
	t.Helper()
	id, err := idspace.Parse(digits + strings.Repeat("0", 40-len(digits)))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// delta is the surrogate distance, digit by digit as §2.3 defines it.
func delta(v, k idspace.ID) string {
	var b strings.Builder
	for l := range idspace.Hex.Digits() {
		fmt.Fprintf(&b, "%x", (idspace.Hex.Digit(v, l)-idspace.Hex.Digit(k, l))&15)
	}
	return b.String()
}

// nodeRecord makes a payload a record as libp2p's envelopes know them.
type nodeRecord struct{ payload []byte }

func (nodeRecord) Domain() string                    { return wire.Domain }
func (nodeRecord) Codec() []byte                     { return []byte(wire.NodeKind) }
func (r nodeRecord) MarshalRecord() ([]byte, error)  { return r.payload, nil }
func (r *nodeRecord) UnmarshalRecord(b []byte) error { r.payload = b; return nil }

// exampleRecord is sealed by libp2p itself, so that the vector proves that our
// records are its envelopes.
func exampleRecord(t *testing.T, key crypto.PrivKey) *wire.SignedRecord {
	t.Helper()
	payload, err := proto.Marshal(&wire.NodeRecord{Network: "main", Generation: 1795219200, Version: 1, Zone: "eu/1"})
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := record.Seal(&nodeRecord{payload}, key)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := envelope.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	signed := new(wire.SignedRecord)
	if err := proto.Unmarshal(sealed, signed); err != nil {
		t.Fatal(err)
	}
	again, err := proto.Marshal(signed)
	if err != nil || !bytes.Equal(again, sealed) {
		t.Fatalf("a SignedRecord is not a libp2p envelope: %v", err)
	}
	if ok, err := key.GetPublic().Verify(signedBytes(signed), signed.Signature); err != nil || !ok {
		t.Fatalf("§4.1 does not give the bytes that libp2p signs: %v", err)
	}
	return signed
}

// signedBytes is what §4.1 says is signed.
func signedBytes(r *wire.SignedRecord) (b []byte) {
	for _, part := range [][]byte{[]byte(wire.Domain), r.PayloadType, r.Payload} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}
