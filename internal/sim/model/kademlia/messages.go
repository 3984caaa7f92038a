package kademlia

import (
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

type (
	find struct {
		rpc       uint64
		from      model.Peer // known from the connection, so not counted
		target    idspace.ID
		providers bool
	}
	found struct {
		rpc     uint64
		closer  []model.Peer
		servers []model.Addr
	}
	addProvider struct {
		from model.Peer
		key  idspace.ID
	}
)

// Sizes of the protocol buffers of libp2p's DHT: a peer is an ID of 38 bytes and an
// address or two; a question a key of 34 bytes. Measured with go-libp2p-kad-dht, a
// lookup of 29 questions comes to 37 kB, 1.28 kB each.
const (
	peerSize     = 60
	questionSize = 42
)

func (m find) Kind() string {
	if m.providers {
		return "get-providers"
	}
	return "find-node"
}

func (found) Kind() string       { return "closer-peers" }
func (addProvider) Kind() string { return "add-provider" }
func (find) Size() int           { return questionSize }
func (m found) Size() int        { return questionSize + peerSize*(len(m.closer)+len(m.servers)) }
func (addProvider) Size() int    { return questionSize + peerSize }
