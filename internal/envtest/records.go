package envtest

import (
	"sync"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
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
	anchor := Lease(name).Anchor()
	return Seal(wire.NodeKind, name, &wire.NodeRecord{
		Network: Network, Peer: []byte(name), Generation: 1, Version: version, Lease: anchor[:],
	})
}

var leases sync.Map // of *lease.Chain, by name

// Lease is the lease of the named node.
func Lease(name string) *lease.Chain {
	c, known := leases.Load(name)
	if !known {
		seed := [4]uint64{uint64(len(name))}
		for i, b := range []byte(name) {
			seed[i%4] = 31*seed[i%4] + uint64(b)
		}
		c, _ = leases.LoadOrStore(name, lease.New(seed))
	}
	return c.(*lease.Chain)
}

// Pulse is token index of the named node's lease, just made.
func Pulse(name string, index uint32) *wire.Pulse {
	token := Lease(name).Token(index)
	return &wire.Pulse{Index: index, Token: token[:]}
}

// Many makes the header of a batch of two objects of that of one. Nothing proves them.
func Many(one *wire.BatchRecord) *wire.BatchRecord {
	many := proto.Clone(one).(*wire.BatchRecord)
	many.Guid, many.Count, many.Roots = nil, 2, make([]byte, 4*20)
	return many
}

// Batch makes the header of a batch of that object and others of that of one, and the list that proves the object under a salt.
func Batch(one *wire.BatchRecord, salt, roots int) (header *wire.BatchRecord, proof []byte) {
	guids := []idspace.ID{idspace.ID(one.Guid)}
	for i := range 6 {
		guids = append(guids, idspace.Hash([]byte{byte(i)}))
	}
	part, err := batch.Build(idspace.Hex, guids, roots)
	if err != nil {
		panic(err)
	}
	header = proto.Clone(one).(*wire.BatchRecord)
	part.Commit(header)
	return header, part.Cut(func(l batch.Leaf) bool { return l.Salt == salt && l.GUID == guids[0] }).Lists()[salt]
}

// Pointer is the signed record of an object of the server named by.
func Pointer(by string, p *wire.BatchRecord) *wire.SignedRecord {
	if p.Network == "" {
		p.Network = Network
	}
	return Seal(wire.BatchKind, by, p)
}
