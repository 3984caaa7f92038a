package wire_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

var (
	id20   = make([]byte, idspace.Size)
	record = &wire.SignedRecord{PayloadType: []byte(wire.NodeKind)}
	heavy  = &wire.SignedRecord{Payload: make([]byte, wire.MaxRecord+1)}
	pulse  = &wire.Pulse{Token: id20}
	laid   = &wire.Laid{Pointer: record, Roots: 1}

	oneBranch = branch("ann", wire.Copy_COPY_PATH, 1)
)

func many[T any](n int, one T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = one
	}
	return out
}

func TestMessagesBeyondALimitAreRefusedWhole(t *testing.T) {
	for name, m := range map[string]wire.Message{
		"hello of a long network":    &wire.Hello{Network: strings.Repeat("n", wire.MaxNetwork+1), Record: record},
		"hello with a heavy record":  &wire.Hello{Record: heavy},
		"beacon of unknown use":      &wire.Beacon{Use: 9},
		"beacon of negative use":     &wire.Beacon{Use: -1},
		"leave with half a ref":      &wire.Leave{Refs: make([]byte, 15)},
		"leaf set of too many refs":  &wire.LeafSet{Refs: make([]byte, 10*(wire.MaxRefs+1))},
		"ack with half a dead ref":   &wire.BeaconAck{DeadRefs: make([]byte, 9)},
		"leaf set of too many dead":  &wire.LeafSet{DeadRefs: make([]byte, 10*(wire.MaxDead+1))},
		"row of too many dead":       &wire.Row{DeadRefs: make([]byte, 10*(wire.MaxDead+1))},
		"row of a level beyond IDs":  &wire.Row{Level: 160},
		"row with half a ref":        &wire.Row{Refs: make([]byte, 1)},
		"request with half a ref":    &wire.RecordRequest{Refs: make([]byte, 9)},
		"too many records":           &wire.Records{Records: many(wire.MaxRecords+1, record)},
		"a heavy record among them":  &wire.Records{Records: []*wire.SignedRecord{record, heavy}},
		"refresh of half a branch":   &wire.Refresh{Branches: oneBranch[1:]},
		"refresh of too many":        &wire.Refresh{Branches: bytes.Repeat(oneBranch, wire.MaxBranches+1)},
		"refresh of no known copy":   &wire.Refresh{Branches: branch("ann", 5, 1)},
		"refresh of half a server":   &wire.Refresh{Dead: make([]byte, 9)},
		"refresh of too many dead":   &wire.Refresh{Dead: make([]byte, 8*(wire.MaxBranches+1))},
		"reply with half a name":     &wire.RefreshReply{Differ: make([]byte, 10)},
		"reply with a cut name":      &wire.RefreshReply{Stale: make([]byte, 8)},
		"reply of too many":          &wire.RefreshReply{Differ: make([]byte, 9*(wire.MaxBranches+1))},
		"reply of too many stale":    &wire.RefreshReply{Stale: make([]byte, 9*(wire.MaxBranches+1))},
		"reply of no known copy":     &wire.RefreshReply{Differ: branchName("ann", 5)},
		"reply of no stale copy":     &wire.RefreshReply{Stale: branchName("ann", 200)},
		"listing of half a server":   &wire.Listing{Server: id20[1:], Pulse: pulse},
		"listing of no known copy":   &wire.Listing{Server: id20, Copy: 5, Pulse: pulse},
		"listing without a pulse":    &wire.Listing{Server: id20},
		"listing of half a token":    &wire.Listing{Server: id20, Pulse: &wire.Pulse{Token: id20[1:]}},
		"listing of half a print":    &wire.Listing{Server: id20, Pulse: pulse, Prints: make([]byte, 12)},
		"listing of too many prints": &wire.Listing{Server: id20, Pulse: pulse, Prints: make([]byte, 8*(wire.MaxPrints+1))},
		"wanted of no server":        &wire.Wanted{},
		"wanted of no known copy":    &wire.Wanted{Server: id20, Copy: -1},
		"wanted of half a print":     &wire.Wanted{Server: id20, Prints: make([]byte, 7)},
		"wanted of too many prints":  &wire.Wanted{Server: id20, Prints: make([]byte, 8*(wire.MaxPrints+1))},
		"deposit of no server":       &wire.Deposit{Pulse: pulse},
		"deposit of a heavy server":  &wire.Deposit{Server: heavy, Pulse: pulse},
		"deposit of a short ref":     &wire.Deposit{Ref: make([]byte, 7), Pulse: pulse},
		"deposit of two servers":     &wire.Deposit{Server: record, Ref: make([]byte, 8), Pulse: pulse},
		"deposit without a pulse":    &wire.Deposit{Server: record},
		"deposit of no known copy":   &wire.Deposit{Server: record, Pulse: pulse, Copy: 5},
		"deposit of too many":        &wire.Deposit{Server: record, Pulse: pulse, Laid: many(wire.MaxLaid+1, laid)},
		"deposit of no pointer":      &wire.Deposit{Server: record, Pulse: pulse, Laid: []*wire.Laid{laid, {Roots: 1}}},
		"deposit of a heavy pointer": &wire.Deposit{Server: record, Pulse: pulse, Laid: []*wire.Laid{{Pointer: heavy, Roots: 1}}},
		"deposit to no root":         &wire.Deposit{Server: record, Pulse: pulse, Laid: []*wire.Laid{{Pointer: record}}},
		"deposit to many roots":      &wire.Deposit{Server: record, Pulse: pulse, Laid: []*wire.Laid{{Pointer: record, Roots: wire.MaxRoots + 1}}},
		"deposit of a salt beyond":   &wire.Deposit{Server: record, Pulse: pulse, Laid: []*wire.Laid{{Pointer: record, Salt: 3, Roots: 3}}},
		"deposit of a long proof":    &wire.Deposit{Server: record, Pulse: pulse, Laid: []*wire.Laid{{Pointer: record, Roots: 1, Proof: make([]byte, 4<<10)}}},
		"deposit proven nowhere":     &wire.Deposit{Server: record, Pulse: pulse, Laid: []*wire.Laid{{Pointer: record, Roots: 1, Under: wire.MaxRoots}}},
		"deposit of too many parts":  &wire.Deposit{Server: record, Pulse: pulse, Parts: many(wire.MaxParts+1, &wire.BatchPart{Header: record})},
		"deposit of a bare part":     &wire.Deposit{Server: record, Pulse: pulse, Parts: []*wire.BatchPart{{}}},
		"deposit of many lists":      &wire.Deposit{Server: record, Pulse: pulse, Parts: []*wire.BatchPart{{Header: record, Lists: make([][]byte, wire.MaxRoots+1)}}},
		"placed with half a print":   &wire.Placed{Missing: make([]byte, 12)},
		"placed with half a refusal": &wire.Placed{Refused: make([]byte, 12)},
		"placed refused too many":    &wire.Placed{Refused: make([]byte, 8*(wire.MaxPrints+1))},
		"placed missing too many":    &wire.Placed{Missing: make([]byte, 8*(wire.MaxPrints+1))},
		"routed without a key":       &wire.Routed{},
		"routed with a short key":    &wire.Routed{Key: id20[1:]},
		"routed with a broken path":  &wire.Routed{Key: id20, Path: id20[1:]},
		"routed with a long path":    &wire.Routed{Key: id20, Path: make([]byte, idspace.Size*(wire.MaxHops+1))},
		"routed with a long trail":   &wire.Routed{Key: id20, Trail: make([]byte, idspace.Size*(wire.MaxHops+2))},
		"routed excluding many":      &wire.Routed{Key: id20, Excluded: make([]byte, idspace.Size*(wire.MaxExclude+1))},
		"routed for many hops":       &wire.Routed{Key: id20, HopsLeft: wire.MaxHops + 1},
		"routed with a nameless hop": &wire.Routed{Key: id20, Notes: []*wire.HopNote{{}}},
		"routed with many notes":     &wire.Routed{Key: id20, Notes: many(2*wire.MaxHops+1, &wire.HopNote{Node: id20})},
	} {
		if _, err := wire.Decode(frameOf(m.Kind(), pack(m))); err == nil {
			t.Errorf("%s was taken", name)
		} else if !strings.HasPrefix(err.Error(), m.Kind().String()+": ") {
			t.Errorf("%s: the error does not name the kind: %v", name, err)
		}
	}
}

func TestMessagesAtALimitPass(t *testing.T) {
	for name, m := range map[string]wire.Message{
		"hello":   &wire.Hello{Network: strings.Repeat("n", wire.MaxNetwork), Record: &wire.SignedRecord{Payload: make([]byte, wire.MaxRecord)}},
		"row":     &wire.Row{Level: 159, Refs: make([]byte, 10*wire.MaxRefs), DeadRefs: make([]byte, 10*wire.MaxDead)},
		"records": &wire.Records{Records: many(wire.MaxRecords, record)},
		"refresh": &wire.Refresh{
			Branches: bytes.Repeat(branch("ann", wire.Copy_COPY_NEWER, math.MaxUint32), wire.MaxBranches), Dead: make([]byte, 8*wire.MaxBranches),
		},
		"refresh reply": &wire.RefreshReply{Differ: make([]byte, 9*wire.MaxBranches), Stale: make([]byte, 9*wire.MaxBranches)},
		"listing":       &wire.Listing{Server: id20, Copy: wire.Copy_COPY_NEWER, Pulse: pulse, Prints: make([]byte, 8*wire.MaxPrints)},
		"wanted":        &wire.Wanted{Server: id20, Prints: make([]byte, 8*wire.MaxPrints)},
		"placed":        &wire.Placed{Missing: make([]byte, 8*wire.MaxPrints), Refused: make([]byte, 8*wire.MaxPrints)},
		"deposit": &wire.Deposit{
			Server: &wire.SignedRecord{Payload: make([]byte, wire.MaxRecord)}, Pulse: pulse,
			Laid: many(wire.MaxLaid, &wire.Laid{Pointer: record, Salt: wire.MaxRoots - 1, Roots: wire.MaxRoots}),
		},
		"routed": &wire.Routed{
			Key: id20, Path: make([]byte, idspace.Size*wire.MaxHops), Trail: make([]byte, idspace.Size*(wire.MaxHops+1)),
			Excluded: make([]byte, idspace.Size*wire.MaxExclude), HopsLeft: wire.MaxHops,
			Notes: many(2*wire.MaxHops, &wire.HopNote{Node: id20}),
		},
	} {
		if _, err := wire.Decode(frameOf(m.Kind(), pack(m))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := wire.AppendFrame(nil, m); err != nil {
			t.Errorf("%s does not fit a frame: %v", name, err)
		}
	}
}

func TestEveryBodySurvivesTheWire(t *testing.T) {
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				b := body.Draw(t, "body")
				got, err := wire.Unpack(wire.Pack(b), empty(b))
				if err != nil {
					t.Fatal(err)
				}
				equal(t, got, b)
			})
		})
	}
}

// empty is a new body of the same type.
func empty(b wire.Body) wire.Body { return b.ProtoReflect().New().Interface().(wire.Body) }

func TestBodiesBeyondALimitAreRefusedWhole(t *testing.T) {
	long := strings.Repeat("a", wire.MaxApp+1)
	found := &wire.FoundReplica{Pointer: record, Server: record}
	for name, b := range map[string]wire.Body{
		"join without a record":          &wire.Join{},
		"join reply of many records":     &wire.JoinReply{Records: many(wire.MaxRecords+1, record)},
		"join reply with a heavy record": &wire.JoinReply{Records: []*wire.SignedRecord{heavy}},
		"publish to no root":             &wire.Publish{Pointer: record, Server: record, Pulse: pulse},
		"publish to many roots":          &wire.Publish{Pointer: record, Server: record, Roots: wire.MaxRoots + 1, Pulse: pulse},
		"publish of a salt beyond":       &wire.Publish{Pointer: record, Server: record, Roots: 2, Salt: 2, Pulse: pulse},
		"publish without a pointer":      &wire.Publish{Server: record, Roots: 1, Pulse: pulse},
		"part without a header":          &wire.BatchPart{},
		"part with a heavy header":       &wire.BatchPart{Header: heavy},
		"part of many lists":             &wire.BatchPart{Header: record, Lists: make([][]byte, wire.MaxRoots+1)},
		"part with a long list":          &wire.BatchPart{Header: record, Lists: [][]byte{make([]byte, wire.MaxFrame)}},
		"publish without a server":       &wire.Publish{Pointer: record, Roots: 1, Pulse: pulse},
		"publish without a pulse":        &wire.Publish{Pointer: record, Server: record, Roots: 1},
		"publish of half a token":        &wire.Publish{Pointer: record, Server: record, Roots: 1, Pulse: &wire.Pulse{Token: id20[:19]}},
		"publish with half a door":       &wire.Publish{Pointer: record, Server: record, Roots: 1, Pulse: &wire.Pulse{Token: id20, Doors: id20[:12]}},
		"publish with too many doors":    &wire.Publish{Pointer: record, Server: record, Roots: 1, Pulse: &wire.Pulse{Token: id20, Doors: make([]byte, 8*(wire.MaxDoors+1))}},
		"publish from half a place":      &wire.Publish{Pointer: record, Server: record, Roots: 1, Pulse: &wire.Pulse{Token: id20, Coord: []byte{1}}},
		"locate from half a place":       &wire.Locate{Guid: id20, Coord: []byte{1}},
		"answer with half a place":       &wire.LocateReply{Replicas: []*wire.FoundReplica{{Pointer: record, Server: record, Coord: []byte{1}}}},
		"locate in a long zone":          &wire.Locate{Guid: id20, Zone: strings.Repeat("z", wire.MaxZone+1)},
		"locate without a guid":          &wire.Locate{},
		"locate of a long app":           &wire.Locate{Guid: id20, App: long},
		"answer with many replicas":      &wire.LocateReply{Replicas: many(wire.MaxFound+1, found)},
		"answer with half a door":        &wire.LocateReply{Replicas: []*wire.FoundReplica{{Pointer: record, Server: record, Doors: id20[:12]}}},
		"answer with a long proof":       &wire.LocateReply{Replicas: []*wire.FoundReplica{{Pointer: record, Server: record, Proof: make([]byte, 4<<10)}}},
		"answer without a server":        &wire.LocateReply{Replicas: []*wire.FoundReplica{{Pointer: record}}},
		"message to half a guid":         &wire.AppMessage{Guid: id20[1:]},
		"message by half a node":         &wire.AppMessage{Guid: id20, Via: id20[1:]},
		"message by a long way":          &wire.AppMessage{Guid: id20, Via: make([]byte, (wire.MaxHops+1)*idspace.Size)},
		"message of a long app":          &wire.AppMessage{App: long},
		"message with a large payload":   &wire.AppMessage{Payload: make([]byte, wire.MaxPayload+1)},
		"message with a heavy origin":    &wire.AppMessage{Origin: heavy},
		"reply with a large payload":     &wire.AppReply{Payload: make([]byte, wire.MaxPayload+1)},
		"reply with a long error":        &wire.AppReply{Error: strings.Repeat("e", wire.MaxError+1)},
	} {
		if _, err := wire.Unpack(wire.Pack(b), empty(b)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := wire.Unpack([]byte{0xff}, new(wire.Join)); err == nil {
		t.Error("bytes that are no body were taken")
	}
}

func TestLargestPayloadFitsAFrame(t *testing.T) {
	m := &wire.Routed{
		Key: id20, Path: make([]byte, idspace.Size*wire.MaxHops), Notes: many(2*wire.MaxHops, &wire.HopNote{Node: id20}),
		Body: wire.Pack(&wire.AppMessage{
			App: strings.Repeat("a", wire.MaxApp), Guid: id20, Payload: make([]byte, wire.MaxPayload), Origin: record,
		}),
	}
	if _, err := wire.AppendFrame(nil, m); err != nil {
		t.Error(err)
	}
}

func TestPackingWhatThisProgramMustNotBuildPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a body with a string that is not UTF-8 was packed")
		}
	}()
	wire.Pack(&wire.AppReply{Error: "\xff"})
}

func TestEveryBodyHasAGenerator(t *testing.T) {
	for name, body := range bodies {
		if got := string(body.Example(1).ProtoReflect().Descriptor().Name()); got != name {
			t.Errorf("%s draws a %s", name, got)
		}
	}
	if len(bodies) != 11 || len(messages) != len(wire.Kinds()) {
		t.Errorf("%d bodies, %d messages", len(bodies), len(messages))
	}
	for k, m := range messages {
		if m.Example(1).Kind() != k {
			t.Errorf("%v draws a %v", k, m.Example(1).Kind())
		}
	}
}
