package p2p

import (
	"encoding/binary"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/multiformats/go-multiaddr"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Machine is the double that a test puts in the place of a node.
type Machine = machine

// NewWith is New with a double.
func NewWith(h host.Host, cfg Config, m Machine) (*Node, error) {
	return build(h, cfg, func(*Node) (machine, error) { return m, nil })
}

// Act runs f as a step of the machines.
func (n *Node) Act(f func(w env.World)) {
	n.loop.look(func(l *loop) { l.step(func() { f(l) }) })
}

// Learn puts a record in the address book without any check.
func (n *Node) Learn(r *wire.SignedRecord) {
	rec, err := r.Node()
	if err != nil {
		panic(err)
	}
	n.book.learn(rec)
}

// Seal signs a record.
func Seal(kind wire.RecordKind, payload []byte, key crypto.PrivKey) *wire.SignedRecord {
	r, err := seal(kind, payload, key)
	if err != nil {
		panic(err)
	}
	return r
}

// IDOf is the node ID of a host.
func IDOf(h host.Host) idspace.ID { return idOf(h.ID()) }

// MailboxLen is how many frames wait for the loop.
func (n *Node) MailboxLen() int { return len(n.mail.frames) }

// Forward is what the machines ask about a message that passes.
func (n *Node) Forward(u *env.Upcall) bool { return n.apps.forward(u) }

// Group is the label of a node's network.
func (n *Node) Group(id idspace.ID, record *wire.SignedRecord) string { return n.group(id, record) }

// GroupOf is the label of one address.
func GroupOf(addr string) string { return groupOf(multiaddr.StringCast(addr)) }

// Generation is how a generation is written down.
func Generation(g uint64) []byte { return binary.BigEndian.AppendUint64(nil, g) }
