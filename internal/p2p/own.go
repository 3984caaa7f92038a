package p2p

import (
	"bytes"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// version is the version of the protocol that this code speaks, features the
// optional parts of it (docs/protocol.md §3.1): none so far.
const (
	version  = 1
	features = 0
)

// own is this node's own record. Its version grows with every change (design §6).
type own struct {
	key crypto.PrivKey

	mu     sync.Mutex
	record *wire.NodeRecord
	signed *wire.SignedRecord
}

func newOwn(key crypto.PrivKey, record *wire.NodeRecord) *own { return &own{key: key, record: record} }

// update signs the record anew if the addresses are not those it has.
func (o *own) update(addrs []multiaddr.Multiaddr) (changed bool, err error) {
	raw := make([][]byte, 0, len(addrs))
	for _, a := range addrs[:min(len(addrs), wire.MaxAddrs)] {
		raw = append(raw, a.Bytes())
	}
	slices.SortFunc(raw, bytes.Compare)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.signed != nil && slices.EqualFunc(raw, o.record.Addrs, bytes.Equal) {
		return false, nil
	}
	o.record.Addrs = raw
	return true, o.sign()
}

// lease signs the record anew with the anchor of another lease.
func (o *own) lease(c *lease.Chain) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	anchor := c.Anchor()
	o.record.Lease = anchor[:]
	return o.sign()
}

// sign signs the record as it is now. The caller holds the lock.
func (o *own) sign() error {
	o.record.Version++
	said := proto.CloneOf(o.record)
	said.Peer = nil // it follows from the key
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(said)
	if err != nil {
		return err
	}
	o.signed, err = seal(wire.NodeKind, payload, o.key)
	return err
}

// current returns the record as it is now.
func (o *own) current() *wire.SignedRecord {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.signed
}

// hello is the first frame of a stream to a peer whose record known is here, and which has
// said that it has this node's record has.
func (o *own) hello(known, has wire.Stamp) *wire.Hello {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := &wire.Hello{
		Version: version, Features: features, Network: o.record.Network,
		KnownGeneration: known.Generation, KnownVersion: known.Version,
	}
	if has != o.record.Stamp() {
		h.Record = o.signed
	}
	return h
}
