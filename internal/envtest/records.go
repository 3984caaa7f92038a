package envtest

import (
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// Network is the name of the overlay in the stories.
const Network = "test"

// Seal puts a record into an envelope signed with the key of the named node.
func Seal(kind wire.RecordKind, by string, record proto.Message) *wire.SignedRecord {
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(record)
	if err != nil {
		panic(err)
	}
	return &wire.SignedRecord{PublicKey: []byte(by), PayloadType: []byte(kind), Payload: payload, Signature: make([]byte, 64)}
}

// Node is the signed node record of the named node, of the given version.
func Node(name string, version uint64) *wire.SignedRecord {
	return Seal(wire.NodeKind, name, &wire.NodeRecord{Network: Network, Peer: []byte(name), Generation: 1, Version: version})
}

// Pointer is a signed pointer to the server named by.
func Pointer(by string, p *wire.PointerRecord) *wire.SignedRecord {
	if p.Network == "" {
		p.Network = Network
	}
	return Seal(wire.PointerKind, by, p)
}
