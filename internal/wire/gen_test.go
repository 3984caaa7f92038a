package wire_test

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

// Generators of valid messages: whatever they draw must survive the wire.

func bytesUpTo(n int) *rapid.Generator[[]byte] { return rapid.SliceOfN(rapid.Byte(), 0, n) }

func bytesOf(n int) *rapid.Generator[[]byte] { return rapid.SliceOfN(rapid.Byte(), n, n) }

func text(most int) *rapid.Generator[string] { return rapid.StringN(-1, -1, most) }

var anyID = bytesOf(idspace.Size)

// packed draws up to most items of size bytes each, in one field.
func packed(size, most int) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		n := rapid.IntRange(0, most).Draw(t, "items")
		return bytesOf(n*size).Draw(t, "packed")
	})
}

var anyRefs = rapid.Custom(func(t *rapid.T) (refs []byte) {
	for range rapid.IntRange(0, 20).Draw(t, "refs") {
		refs = wire.AppendRef(refs, anyRef.Draw(t, "ref"))
	}
	return refs
})

// anyCoords draws coordinates of so many nodes, or none.
func anyCoords(t *rapid.T, nodes int) []byte {
	if rapid.Bool().Draw(t, "no coordinates") {
		return nil
	}
	return bytesOf(nodes*wire.CoordSize).Draw(t, "coordinates")
}

var anyRef = rapid.Custom(func(t *rapid.T) wire.Ref {
	return wire.RefTo(idspace.ID(anyID.Draw(t, "id")), rapid.Uint64().Draw(t, "generation"))
})

func enum[E ~int32](names map[int32]string) *rapid.Generator[E] {
	return rapid.Map(rapid.IntRange(0, len(names)-1), func(i int) E { return E(i) })
}

var anyRecord = rapid.Custom(func(t *rapid.T) *wire.SignedRecord {
	r := &wire.SignedRecord{
		PublicKey: bytesUpTo(40).Draw(t, "key"),
		Signature: bytesUpTo(64).Draw(t, "signature"),
	}
	switch rapid.IntRange(0, 3).Draw(t, "type") {
	case 0:
		r.PayloadType, r.Payload = []byte(wire.NodeKind), pack(anyNode.Draw(t, "node"))
	case 1:
		r.PayloadType, r.Payload = []byte(wire.OriginKind), pack(anyOrigin.Draw(t, "origin"))
	case 2:
		r.PayloadType, r.Payload = []byte(wire.BatchKind), pack(anyBatch.Draw(t, "batch"))
	default:
		r.PayloadType, r.Payload = bytesUpTo(20).Draw(t, "of another type"), bytesUpTo(100).Draw(t, "payload")
	}
	return r
})

var anyNode = rapid.Custom(func(t *rapid.T) *wire.NodeRecord {
	return &wire.NodeRecord{
		Network:    text(wire.MaxNetwork).Draw(t, "network"),
		Peer:       rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "peer"),
		Addrs:      rapid.SliceOfN(bytesUpTo(30), 0, 6).Draw(t, "addrs"),
		Generation: rapid.Uint64().Draw(t, "generation"),
		Version:    rapid.Uint64().Draw(t, "version"),
		Zone:       text(wire.MaxZone).Draw(t, "zone"),
		Lease:      rapid.OneOf(rapid.Just([]byte(nil)), anyToken).Draw(t, "lease"),
	}
})

// anyBatch draws a header of one object, or of several.
var anyBatch = rapid.Custom(func(t *rapid.T) *wire.BatchRecord {
	r := &wire.BatchRecord{
		Network:    text(wire.MaxNetwork).Draw(t, "network"),
		App:        text(wire.MaxApp).Draw(t, "app"),
		Server:     anyID.Draw(t, "server"),
		Generation: rapid.Uint64().Draw(t, "generation"),
		Counter:    rapid.Uint64().Draw(t, "counter"),
		Withdrawn:  rapid.Bool().Draw(t, "withdrawn"),
		LifeS:      rapid.Uint32().Draw(t, "life"),
	}
	if rapid.Bool().Draw(t, "of one object") {
		r.Guid = anyID.Draw(t, "guid")
		return r
	}
	r.Count = rapid.Uint32Min(2).Draw(t, "count")
	r.Roots = bytesOf(20*rapid.IntRange(1, wire.MaxRoots).Draw(t, "salts")).Draw(t, "roots")
	return r
})

var anyOrigin = rapid.Custom(func(t *rapid.T) *wire.MessageRecord {
	return &wire.MessageRecord{
		Network:     text(wire.MaxNetwork).Draw(t, "network"),
		Call:        rapid.Uint64().Draw(t, "call"),
		Key:         anyID.Draw(t, "key"),
		App:         text(wire.MaxApp).Draw(t, "app"),
		PayloadHash: bytesUpTo(32).Draw(t, "hash"),
	}
})

var anyNote = rapid.Custom(func(t *rapid.T) *wire.HopNote {
	return &wire.HopNote{
		Node:     anyID.Draw(t, "node"),
		Rule:     enum[wire.Rule](wire.Rule_name).Draw(t, "rule"),
		Level:    rapid.Uint32Max(39).Draw(t, "level"),
		Digit:    rapid.Uint32Max(15).Draw(t, "digit"),
		Pointers: rapid.Uint32().Draw(t, "pointers"),
		RttUs:    rapid.Uint64().Draw(t, "rtt"),
		HeldUs:   rapid.Uint64().Draw(t, "held"),
	}
})

var anyRouted = rapid.Custom(func(t *rapid.T) wire.Message {
	return &wire.Routed{
		Call:       rapid.Uint64().Draw(t, "call"),
		Tx:         rapid.Uint64().Draw(t, "tx"),
		Key:        anyID.Draw(t, "key"),
		BodyKind:   enum[wire.BodyKind](wire.BodyKind_name).Draw(t, "kind"),
		Body:       bytesUpTo(60).Draw(t, "body"),
		Path:       packed(idspace.Size, 4).Draw(t, "path"),
		HopsLeft:   rapid.Uint32Max(wire.MaxHops).Draw(t, "hops left"),
		DeadlineMs: rapid.Uint32().Draw(t, "deadline"),
		Exact:      rapid.Bool().Draw(t, "exact"),
		Excluded:   packed(idspace.Size, wire.MaxExclude).Draw(t, "excluded"),
		Follow:     rapid.Bool().Draw(t, "follow"),
		Explain:    rapid.Bool().Draw(t, "explain"),
		Notes:      rapid.SliceOfN(anyNote, 0, 3).Draw(t, "notes"),
		Reply:      rapid.Bool().Draw(t, "reply"),
		Trail:      packed(idspace.Size, 4).Draw(t, "trail"),
		Refusal:    enum[wire.Refusal](wire.Refusal_name).Draw(t, "refusal"),
		Limit:      enum[wire.Limit](wire.Limit_name).Draw(t, "limit"),
		SpentUs:    rapid.Uint64().Draw(t, "spent"),
	}
})

// messages draws a valid message of every kind.
var messages = map[wire.Kind]*rapid.Generator[wire.Message]{
	wire.KindHello: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Hello{
			Version: rapid.Uint32().Draw(t, "version"), Features: rapid.Uint64().Draw(t, "features"),
			Network: text(wire.MaxNetwork).Draw(t, "network"), Record: anyRecord.Draw(t, "record"),
		}
	}),
	wire.KindBeacon: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Beacon{
			Seq: rapid.Uint64().Draw(t, "seq"), Use: enum[wire.Use](wire.Use_name).Draw(t, "use"),
			LifeS: rapid.Uint32().Draw(t, "life"), Coord: anyCoords(t, 1),
		}
	}),
	wire.KindBeaconAck: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.BeaconAck{
			Seq: rapid.Uint64().Draw(t, "seq"), Refused: rapid.Bool().Draw(t, "refused"), Coord: anyCoords(t, 1),
			DeadRefs: packed(10, wire.MaxDead).Draw(t, "dead"),
		}
	}),
	wire.KindUnlink: rapid.Just(wire.Message(&wire.Unlink{})),
	wire.KindLeave: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Leave{Refs: anyRefs.Draw(t, "refs")}
	}),
	wire.KindLeafSet: rapid.Custom(func(t *rapid.T) wire.Message {
		m := &wire.LeafSet{
			Refs: anyRefs.Draw(t, "refs"), WantReply: rapid.Bool().Draw(t, "want reply"),
			Digest: rapid.Uint32().Draw(t, "digest"), Have: rapid.Uint32().Draw(t, "have"),
			DeadRefs: packed(10, wire.MaxDead).Draw(t, "dead"),
			Up:       rapid.Uint32Max(20).Draw(t, "up"), Down: rapid.Uint32Max(20).Draw(t, "down"),
		}
		m.Coords = anyCoords(t, len(wire.Refs(m.Refs)))
		return m
	}),
	wire.KindRow: rapid.Custom(func(t *rapid.T) wire.Message {
		m := &wire.Row{
			Level: rapid.Uint32Max(39).Draw(t, "level"), Refs: anyRefs.Draw(t, "refs"),
			WantReply: rapid.Bool().Draw(t, "want reply"),
			Digest:    rapid.Uint32().Draw(t, "digest"), Have: rapid.Uint32().Draw(t, "have"),
			DeadRefs: packed(10, wire.MaxDead).Draw(t, "dead"),
		}
		m.Coords = anyCoords(t, len(wire.Refs(m.Refs)))
		return m
	}),
	wire.KindRecordRequest: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.RecordRequest{Refs: anyRefs.Draw(t, "refs")}
	}),
	wire.KindRecords: rapid.Custom(func(t *rapid.T) wire.Message {
		m := &wire.Records{Records: rapid.SliceOfN(anyRecord, 0, 4).Draw(t, "records")}
		m.Coords = anyCoords(t, len(m.Records))
		return m
	}),
	wire.KindRouted: anyRouted,
	wire.KindMulticast: rapid.Custom(func(t *rapid.T) wire.Message {
		m := &wire.Multicast{
			Call: rapid.Uint64().Draw(t, "call"), Prefix: anyID.Draw(t, "prefix"),
			Digits: rapid.Uint32Max(40).Draw(t, "digits"), Level: rapid.Uint32Max(40).Draw(t, "level"),
			DeadlineMs: rapid.Uint32().Draw(t, "deadline"), Pinned: rapid.Bool().Draw(t, "pinned"),
		}
		if rapid.Bool().Draw(t, "of an insertion") {
			m.Insertion = &wire.Insertion{Record: anyRecord.Draw(t, "record"), Holes: bytesUpTo(80).Draw(t, "holes")}
			return m
		}
		m.Announcement = &wire.Announcement{
			App: text(wire.MaxApp).Draw(t, "app"), From: anyID.Draw(t, "from"), Payload: bytesUpTo(200).Draw(t, "payload"),
		}
		if rapid.Bool().Draw(t, "signed") {
			m.Announcement.Origin = anyRecord.Draw(t, "origin")
		}
		return m
	}),
	wire.KindMulticastAck: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.MulticastAck{
			Call: rapid.Uint64().Draw(t, "call"), Done: rapid.Bool().Draw(t, "done"), Alone: rapid.Bool().Draw(t, "alone"),
			Reached: rapid.Uint32().Draw(t, "reached"), Handled: rapid.Uint32().Draw(t, "handled"),
			Failed: rapid.Uint32().Draw(t, "failed"),
		}
	}),
	wire.KindInserted: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Inserted{
			Generation: rapid.Uint64().Draw(t, "generation"), Reached: rapid.Uint32().Draw(t, "reached"),
			Failed: rapid.Uint32().Draw(t, "failed"),
		}
	}),
	wire.KindStrangers: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Strangers{LeftMs: rapid.Uint32().Draw(t, "left")}
	}),
	wire.KindWitness: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Witness{
			Call: rapid.Uint64().Draw(t, "call"), Hole: anyID.Draw(t, "hole"), Digits: rapid.Uint32Max(40).Draw(t, "digits"),
			HopsLeft: rapid.Uint32Max(wire.MaxWitnesses).Draw(t, "hops left"), Path: packed(idspace.Size, wire.MaxWitnesses).Draw(t, "path"),
		}
	}),
	wire.KindWitnessReply: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.WitnessReply{
			Call: rapid.Uint64().Draw(t, "call"), Path: packed(idspace.Size, wire.MaxWitnesses).Draw(t, "path"),
			Named: rapid.SliceOfN(anyRecord, 0, wire.MaxNamed).Draw(t, "named"),
		}
	}),
	wire.KindIndirectProbe: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.IndirectProbe{Seq: rapid.Uint64().Draw(t, "seq"), Target: anyID.Draw(t, "target")}
	}),
	wire.KindIndirectAck: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.IndirectAck{
			Seq: rapid.Uint64().Draw(t, "seq"), Finding: enum[wire.Finding](wire.Finding_name).Draw(t, "finding"),
		}
	}),
	wire.KindRefresh: rapid.Custom(func(t *rapid.T) wire.Message {
		m := &wire.Refresh{Seq: rapid.Uint64().Draw(t, "seq"), Dead: packed(8, 20).Draw(t, "dead")}
		for _, b := range rapid.SliceOfN(anyBranch, 0, 20).Draw(t, "branches") {
			m.Branches = wire.AppendBranch(m.Branches, b)
		}
		return m
	}),
	wire.KindRefreshReply: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.RefreshReply{
			Seq: rapid.Uint64().Draw(t, "seq"), Differ: anyBranchNames.Draw(t, "differ"), Stale: anyBranchNames.Draw(t, "stale"),
		}
	}),
	wire.KindListing: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Listing{
			Server: anyID.Draw(t, "server"), Copy: enum[wire.Copy](wire.Copy_name).Draw(t, "copy"),
			Low: rapid.Uint64().Draw(t, "low"), High: rapid.Uint64().Draw(t, "high"),
			Prints: packed(8, 20).Draw(t, "prints"), Pulse: anyPulse.Draw(t, "pulse"),
		}
	}),
	wire.KindWanted: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Wanted{
			Server: anyID.Draw(t, "server"), Copy: enum[wire.Copy](wire.Copy_name).Draw(t, "copy"), Prints: packed(8, 20).Draw(t, "prints"),
		}
	}),
	wire.KindDeposit: rapid.Custom(func(t *rapid.T) wire.Message {
		m := &wire.Deposit{
			Copy:  enum[wire.Copy](wire.Copy_name).Draw(t, "copy"),
			Pulse: anyPulse.Draw(t, "pulse"), Laid: rapid.SliceOfN(anyLaid, 0, 4).Draw(t, "laid"),
			Parts: rapid.SliceOfN(anyPart, 0, 3).Draw(t, "parts"),
			Ask:   rapid.Uint64().Draw(t, "ask"), PatienceMs: rapid.Uint32().Draw(t, "patience"),
		}
		if rapid.Bool().Draw(t, "known") {
			m.Ref = bytesOf(8).Draw(t, "ref")
		} else {
			m.Server = anyRecord.Draw(t, "server")
		}
		return m
	}),
	wire.KindPlaced: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Placed{
			Ask: rapid.Uint64().Draw(t, "ask"), Missing: packed(8, 20).Draw(t, "missing"), Refused: packed(8, 20).Draw(t, "refused"),
		}
	}),
	wire.KindAck: rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Ack{Tx: rapid.Uint64().Draw(t, "tx"), Busy: rapid.Bool().Draw(t, "busy")}
	}),
}

var anyToken = bytesOf(20)

var anyPulse = rapid.Custom(func(t *rapid.T) *wire.Pulse {
	return &wire.Pulse{
		Index: rapid.Uint32().Draw(t, "index"), Token: anyToken.Draw(t, "token"), AgeMs: rapid.Uint32().Draw(t, "age"),
		Coord: anyCoords(t, 1), Doors: packed(8, wire.MaxDoors).Draw(t, "doors"),
	}
})

var anyLaid = rapid.Custom(func(t *rapid.T) *wire.Laid {
	roots := rapid.Uint32Range(1, wire.MaxRoots).Draw(t, "roots")
	return &wire.Laid{
		Pointer: anyRecord.Draw(t, "pointer"), Salt: rapid.Uint32Max(roots-1).Draw(t, "salt"), Roots: roots,
		LeftS: rapid.Uint32().Draw(t, "left"), LatencyUs: rapid.Uint64().Draw(t, "latency"),
		Proof: bytesUpTo(100).Draw(t, "proof"), Under: rapid.Uint32Max(wire.MaxRoots-1).Draw(t, "under"),
	}
})

var anyPart = rapid.Custom(func(t *rapid.T) *wire.BatchPart {
	return &wire.BatchPart{
		Header: anyRecord.Draw(t, "header"), Lists: rapid.SliceOfN(bytesUpTo(100), 0, wire.MaxRoots).Draw(t, "lists"),
		LeftS: rapid.Uint32().Draw(t, "left"), LatencyUs: rapid.Uint64().Draw(t, "latency"),
	}
})

var anyServerRef = rapid.Map(anyID, func(id []byte) wire.ServerRef { return wire.ServerRefTo(idspace.ID(id)) })

var anySum = rapid.Custom(func(t *rapid.T) wire.Sum {
	return wire.Sum{Hi: rapid.Uint64().Draw(t, "high"), Lo: rapid.Uint64().Draw(t, "low")}
})

// anyBranch draws a branch whose token has an age that the wire can say.
var anyBranch = rapid.Custom(func(t *rapid.T) wire.Branch {
	return wire.Branch{
		Server: anyServerRef.Draw(t, "server"), Copy: enum[wire.Copy](wire.Copy_name).Draw(t, "copy"),
		Index: rapid.Uint32().Draw(t, "index"), Token: [20]byte(anyToken.Draw(t, "token")),
		Age:   time.Duration(rapid.Uint16().Draw(t, "age")) * 100 * time.Millisecond,
		Coord: wire.CoordIn(anyCoords(t, 1)),
		Count: rapid.Uint32().Draw(t, "count"), Sum: anySum.Draw(t, "sum"),
	}
})

var anyBranchName = rapid.Custom(func(t *rapid.T) wire.BranchName {
	return wire.BranchName{Server: anyServerRef.Draw(t, "server"), Copy: enum[wire.Copy](wire.Copy_name).Draw(t, "copy")}
})

var anyBranchNames = rapid.Custom(func(t *rapid.T) (names []byte) {
	for _, n := range rapid.SliceOfN(anyBranchName, 0, 20).Draw(t, "names") {
		names = wire.AppendBranchName(names, n)
	}
	return names
})

var anyLoans = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *wire.Loan {
	return &wire.Loan{Lender: anyRecord.Draw(t, "lender"), Refs: anyRefs.Draw(t, "refs")}
}), 0, 3)

// bodies draws a valid body of every type; the key is the name of its fuzz target.
var bodies = map[string]*rapid.Generator[wire.Body]{
	"Join": rapid.Custom(func(t *rapid.T) wire.Body {
		return &wire.Join{Record: anyRecord.Draw(t, "record"), Lent: anyLoans.Draw(t, "lent")}
	}),
	"JoinReply": rapid.Custom(func(t *rapid.T) wire.Body {
		return &wire.JoinReply{Records: rapid.SliceOfN(anyRecord, 0, 4).Draw(t, "records"), Lent: anyLoans.Draw(t, "lent")}
	}),
	"Publish": rapid.Custom(func(t *rapid.T) wire.Body {
		roots := rapid.Uint32Range(1, wire.MaxRoots).Draw(t, "roots")
		return &wire.Publish{
			Pointer: anyRecord.Draw(t, "pointer"), Server: anyRecord.Draw(t, "server"), Roots: roots,
			Salt: rapid.Uint32Max(roots-1).Draw(t, "salt"), LeftS: rapid.Uint32().Draw(t, "left"),
			Pulse: anyPulse.Draw(t, "pulse"),
		}
	}),
	"BatchPart": rapid.Custom(func(t *rapid.T) wire.Body {
		return &wire.BatchPart{Header: anyRecord.Draw(t, "header"), Lists: rapid.SliceOfN(bytesUpTo(200), 0, wire.MaxRoots).Draw(t, "lists")}
	}),
	"SelfProbe": rapid.Custom(func(t *rapid.T) wire.Body {
		return &wire.SelfProbe{Record: anyRecord.Draw(t, "record")}
	}),
	"SelfProbeReply": rapid.Custom(func(t *rapid.T) wire.Body {
		return &wire.SelfProbeReply{
			Leaves: rapid.SliceOfN(anyRecord, 0, 4).Draw(t, "leaves"), Rows: rapid.SliceOfN(anyRecord, 0, 4).Draw(t, "rows"),
		}
	}),
	"PublishReply": rapid.Custom(func(t *rapid.T) wire.Body {
		return &wire.PublishReply{HeldGeneration: rapid.Uint64().Draw(t, "generation"), HeldCounter: rapid.Uint64().Draw(t, "counter")}
	}),
	"Locate": rapid.Custom(func(t *rapid.T) wire.Body {
		return &wire.Locate{
			Guid: anyID.Draw(t, "guid"), App: text(wire.MaxApp).Draw(t, "app"),
			Salt: rapid.Uint32().Draw(t, "salt"), Limit: rapid.Uint32().Draw(t, "limit"),
			Here: rapid.Bool().Draw(t, "here"), Coord: anyCoords(t, 1), Zone: text(wire.MaxZone).Draw(t, "zone"),
			Local: rapid.Bool().Draw(t, "local"), Fresh: rapid.Bool().Draw(t, "fresh"),
			Cached: rapid.Bool().Draw(t, "cached"),
		}
	}),
	"LocateReply": rapid.Custom(func(t *rapid.T) wire.Body {
		return &wire.LocateReply{Replicas: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *wire.FoundReplica {
			return &wire.FoundReplica{
				Pointer: anyRecord.Draw(t, "pointer"), Server: anyRecord.Draw(t, "server"), RttUs: rapid.Uint64().Draw(t, "rtt"),
				Coord: anyCoords(t, 1), Doors: packed(8, wire.MaxDoors).Draw(t, "doors"),
				Proof: bytesUpTo(100).Draw(t, "proof"), Under: rapid.Uint32Max(wire.MaxRoots-1).Draw(t, "under"),
			}
		}), 0, 3).Draw(t, "replicas")}
	}),
	"AppMessage": rapid.Custom(func(t *rapid.T) wire.Body {
		m := &wire.AppMessage{App: text(wire.MaxApp).Draw(t, "app"), Payload: bytesUpTo(200).Draw(t, "payload")}
		if rapid.Bool().Draw(t, "to an object") {
			m.Guid, m.Via = anyID.Draw(t, "guid"), packed(idspace.Size, wire.MaxHops).Draw(t, "via")
			m.Race, m.Here = rapid.Uint64().Draw(t, "race"), rapid.Bool().Draw(t, "here")
		}
		if rapid.Bool().Draw(t, "signed") {
			m.Origin = anyRecord.Draw(t, "origin")
		}
		return m
	}),
	"AppReply": rapid.Custom(func(t *rapid.T) wire.Body {
		return &wire.AppReply{Payload: bytesUpTo(200).Draw(t, "payload"), Error: text(wire.MaxError).Draw(t, "error")}
	}),
}
