package wire_test

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew; commit the change only if you know what caused it")

const described = "testdata/describe.txt"

func named(name string) idspace.ID { return idspace.Hash([]byte(name)) }

func refsTo(names ...string) (refs []byte) {
	for i, name := range names {
		refs = wire.AppendRef(refs, wire.RefTo(named(name), uint64(i)))
	}
	return refs
}

func ids(names ...string) (packed []byte) {
	for _, name := range names {
		id := named(name)
		packed = append(packed, id[:]...)
	}
	return packed
}

func nodeRecord(name string) *wire.SignedRecord {
	return signed(wire.NodeKind, &wire.NodeRecord{Network: "main", Peer: []byte(name), Generation: 7, Version: 2})
}

func branch(server string, copy wire.Copy, count uint32) []byte {
	return wire.AppendBranch(nil, wire.Branch{Server: wire.ServerRefTo(named(server)), Copy: copy, Count: count})
}

func branchName(server string, copy wire.Copy) []byte {
	return wire.AppendBranchName(nil, wire.BranchName{Server: wire.ServerRefTo(named(server)), Copy: copy})
}

func refsToServers(names ...string) (refs []byte) {
	for _, name := range names {
		ref := wire.ServerRefTo(named(name))
		refs = append(refs, ref[:]...)
	}
	return refs
}

func story() []wire.Message {
	return []wire.Message{
		&wire.Hello{Version: 1, Network: "main", Record: nodeRecord("ann")},
		&wire.Hello{Version: 1, Network: "main", Record: signed(wire.BatchKind, nil)},
		&wire.Beacon{Seq: 99, Use: wire.Use_USE_LEAF, LifeS: 30},
		&wire.Beacon{Seq: 99},
		&wire.BeaconAck{Seq: 99},
		&wire.BeaconAck{Seq: 99, Refused: true},
		&wire.BeaconAck{Seq: 99, DeadRefs: refsTo("dan", "eve")},
		&wire.Unlink{},
		&wire.Leave{Refs: refsTo("bob")},
		&wire.LeafSet{Refs: refsTo("ann", "bob"), WantReply: true},
		&wire.LeafSet{},
		&wire.LeafSet{Digest: 7, WantReply: true},
		&wire.Row{Level: 2, Refs: refsTo("cid")},
		&wire.Row{WantReply: true},
		&wire.Row{Refs: refsTo("cid"), Digest: wire.Digest(refsTo("cid")), DeadRefs: refsTo("dan")},
		&wire.RecordRequest{Refs: refsTo("dan", "eve")},
		&wire.Records{Records: []*wire.SignedRecord{nodeRecord("ann"), nodeRecord("bob")}},
		&wire.Routed{Call: 1, Tx: 2, Key: ids("key"), BodyKind: wire.BodyKind_BODY_JOIN, Excluded: ids("ann")},
		&wire.Routed{Call: 1, Key: ids("key"), BodyKind: wire.BodyKind_BODY_MESSAGE, Exact: true, Path: ids("ann", "bob")},
		&wire.Routed{Key: ids("key"), BodyKind: wire.BodyKind_BODY_LOCATE, Reply: true, Path: ids("ann")},
		&wire.Routed{Key: ids("key"), BodyKind: wire.BodyKind_BODY_PUBLISH, Reply: true, Refusal: wire.Refusal_REFUSAL_NOT_JOINED},
		&wire.Routed{BodyKind: 99},
		&wire.Ack{Tx: 2},
		&wire.Multicast{Call: 1, Prefix: ids("key"), Digits: 2, Level: 3, Insertion: &wire.Insertion{Record: nodeRecord("ann")}},
		&wire.Multicast{Prefix: ids("key"), Pinned: true, Announcement: &wire.Announcement{App: "news", From: ids("ann")}},
		&wire.MulticastAck{Call: 1},
		&wire.MulticastAck{Call: 1, Done: true, Alone: true},
		&wire.MulticastAck{Call: 1, Done: true, Reached: 5, Handled: 4, Failed: 1},
		&wire.Inserted{Generation: 7, Reached: 5},
		&wire.Strangers{LeftMs: 9500},
		&wire.Witness{Hole: make([]byte, 20), Digits: 2, HopsLeft: 3},
		&wire.WitnessReply{},
		&wire.IndirectProbe{Target: make([]byte, 20)},
		&wire.IndirectAck{Finding: wire.Finding_FINDING_DEAD},
		&wire.Refresh{Seq: 5, Branches: slices.Concat(branch("ann", wire.Copy_COPY_PATH, 12), branch("bob", wire.Copy_COPY_HEIR, 0))},
		&wire.Refresh{Dead: refsToServers("dan", "eve")},
		&wire.Refresh{Branches: bytes.Repeat(branch("ann", wire.Copy_COPY_BACKUP, 3), 300), Dead: bytes.Repeat(refsToServers("dan"), 9)},
		&wire.RefreshReply{Seq: 5},
		&wire.RefreshReply{Differ: branchName("ann", wire.Copy_COPY_NEAR), Stale: bytes.Repeat(branchName("bob", wire.Copy_COPY_PATH), 10)},
		&wire.Listing{Server: ids("ann"), High: math.MaxUint64, Prints: make([]byte, 8*12)},
		&wire.Listing{Server: ids("ann"), Low: 1 << 60, High: 1 << 62, Copy: wire.Copy_COPY_HEIR},
		&wire.Wanted{Server: ids("ann"), Prints: make([]byte, 8*2)},
		&wire.Deposit{Server: nodeRecord("ann"), Laid: []*wire.Laid{{}, {}}},
		&wire.Deposit{Server: nodeRecord("ann"), Parts: []*wire.BatchPart{{}, {}, {}}, Ask: 7},
		&wire.Deposit{Ref: refsToServers("ann"), Laid: []*wire.Laid{{}}},
		&wire.Placed{Ask: 7, Missing: make([]byte, 8*3), Refused: make([]byte, 8)},
		&wire.Deposit{Server: signed(wire.BatchKind, nil), Copy: wire.Copy_COPY_NEWER},
		&wire.Routed{Call: 1, Key: ids("ann"), BodyKind: wire.BodyKind_BODY_SELF_PROBE, Path: ids("ann", "bob")},
	}
}

func TestEveryMessageIsDescribedInOneStableLine(t *testing.T) {
	var lines strings.Builder
	seen := map[wire.Kind]bool{}
	for _, m := range story() {
		fmt.Fprintln(&lines, wire.Describe(m))
		seen[m.Kind()] = true
	}
	if len(seen) != len(wire.Kinds()) {
		t.Errorf("the story tells of %d kinds, there are %d", len(seen), len(wire.Kinds()))
	}
	if *rewrite {
		if err := os.WriteFile(described, []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(described)
	if err != nil {
		t.Fatal(err)
	}
	if lines.String() != string(want) {
		t.Errorf("%s says\n%s\nnow it is\n%s", described, want, lines.String())
	}
}

func TestNamesOfWordsAreShort(t *testing.T) {
	for got, want := range map[string]string{
		wire.BodyKind_BODY_MESSAGE.Name():      "message",
		wire.Refusal_REFUSAL_NO_HANDLER.Name(): "no-handler",
		wire.Rule_RULE_ROOT.Name():             "root",
		wire.Rule(77).Name():                   "77",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
