// Package wire holds the words that nodes exchange, their frames and their
// limits. docs/protocol.md is the specification; wire.proto the schema.
//
// A frame on a link:
//
//	uvarint length | Frame, a protobuf message with exactly one field
//
// The number of that field is the Kind; its bytes are the message. Kinds that a
// node does not know are skipped and counted, so that later versions may add some.
//
//	Hello          first frame of a link: version, features, network, own record
//	Beacon(Ack)    liveness, RTT, and "I point at you" with what for
//	Unlink         "I no longer point at you"; from the pointed-at: "no longer"
//	Leave          announced departure
//	LeafSet, Row   periodic exchange of short references
//	RecordRequest, Records   full records on demand
//	Routed, Ack    an envelope on its way to a key, or back; per-hop acknowledgement
//
// What comes out of Decode has been checked: identifiers have their size, lists
// their bounds, so that machines may use it as it is. Signatures are not checked
// here but by the world (Signed lists what to check).
//
// Invariants: Decode(AppendFrame(m)) equals m; Decode never panics and never
// allocates more than a small multiple of its input.
//
// Layer 1: imports idspace alone; env and every machine import it.
package wire

//go:generate go run ./gen
