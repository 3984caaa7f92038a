package p2p

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"google.golang.org/protobuf/proto"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// sealed is a record as libp2p's envelopes want it.
type sealed struct {
	kind    wire.RecordKind
	payload []byte
}

var _ record.Record = (*sealed)(nil)

func (*sealed) Domain() string                   { return wire.Domain }
func (r *sealed) Codec() []byte                  { return []byte(r.kind) }
func (r *sealed) MarshalRecord() ([]byte, error) { return r.payload, nil }

func (r *sealed) UnmarshalRecord(b []byte) error {
	r.payload = b
	return nil
}

// seal signs a record.
func seal(kind wire.RecordKind, payload []byte, key crypto.PrivKey) (*wire.SignedRecord, error) {
	envelope, err := record.Seal(&sealed{kind, payload}, key)
	if err != nil {
		return nil, err
	}
	raw, err := envelope.Marshal()
	if err != nil {
		return nil, err
	}
	// Field for field the same message (wire.proto).
	r := new(wire.SignedRecord)
	return r, proto.Unmarshal(raw, r)
}

// signer checks the signature of a record, and nothing else, and returns whose it is.
func signer(raw []byte) (peer.ID, error) {
	envelope, err := record.ConsumeTypedEnvelope(raw, new(sealed))
	if err != nil {
		return "", err
	}
	return peer.IDFromPublicKey(envelope.PublicKey)
}

// verifier checks signed records, many at once but no more than there are
// processors, and remembers which were good.
type verifier struct {
	network string
	slots   chan struct{}
	// good holds the hashes of checked records; the value is whose record it is, if
	// it is a node's.
	good *lru.Cache[[sha256.Size]byte, idspace.ID]
	book *book
}

func newVerifier(network string, size int, b *book) (*verifier, error) {
	good, err := lru.New[[sha256.Size]byte, idspace.ID](size)
	if err != nil {
		return nil, err
	}
	return &verifier{network: network, slots: make(chan struct{}, runtime.GOMAXPROCS(0)), good: good, book: b}, nil
}

// message checks every record of m that must be checked before a machine sees m.
// Node records that are good go into the book.
func (v *verifier) message(ctx context.Context, m wire.Message, by *source) error {
	records, err := wire.Signed(m)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := v.record(ctx, r, by); err != nil {
			return err
		}
	}
	return nil
}

// record checks one record of a node or a batch, which a peer has sent; nil: one that this node has
// asked for by itself.
func (v *verifier) record(ctx context.Context, r *wire.SignedRecord, by *source) error {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return err
	}
	hash := sha256.Sum256(raw)
	// A good record of a node that the book has forgotten is taken up again.
	if id, ok := v.good.Get(hash); ok && (id.IsZero() || v.book.knows(id)) {
		return nil
	}
	if by != nil {
		if err := by.mayCheck(ctx); err != nil {
			return err
		}
	}
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	whose, err := signer(raw)
	if err != nil {
		return err
	}
	id, err := v.subject(r, whose)
	if err != nil {
		return err
	}
	v.good.Add(hash, id)
	return nil
}

// subject checks what r says against who signed it: a record speaks for its signer
// alone, and for this network. It returns whose node record r is.
func (v *verifier) subject(r *wire.SignedRecord, by peer.ID) (idspace.ID, error) {
	switch wire.RecordKind(r.PayloadType) {
	case wire.NodeKind:
		rec, err := r.Node()
		switch {
		case err != nil:
			return idspace.ID{}, err
		case rec.Network != v.network:
			return idspace.ID{}, errForeign
		case peer.ID(rec.Peer) != by:
			return idspace.ID{}, errors.New("node record signed by another node")
		}
		v.book.learn(rec)
		return rec.ID(), nil
	case wire.BatchKind:
		rec, err := r.Batch()
		switch {
		case err != nil:
			return idspace.ID{}, err
		case rec.Network != v.network:
			return idspace.ID{}, errForeign
		case wire.ID(rec.Server) != idOf(by):
			return idspace.ID{}, errors.New("batch signed by another node")
		}
		return idspace.ID{}, nil
	}
	return idspace.ID{}, fmt.Errorf("record of type %q has no place here", r.PayloadType)
}

// errForeign is what a record of another network is refused with.
var errForeign = errors.New("record of another network")
