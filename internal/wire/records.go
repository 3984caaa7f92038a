package wire

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"google.golang.org/protobuf/proto"
)

// RecordKind tells signed records apart; it is the envelope's payload type.
type RecordKind string

// The kinds of signed records that the overlay defines.
const (
	NodeKind   RecordKind = "/tapestry/node"
	BatchKind  RecordKind = "/tapestry/batch"
	OriginKind RecordKind = "/tapestry/origin"
)

// Domain is the envelope domain under which records of every kind are signed.
const Domain = "tapestry"

// Node reads the node record in r. The signature is the world's to check.
func (r *SignedRecord) Node() (*NodeRecord, error) {
	rec, err := openRecord(r, NodeKind, new(NodeRecord))
	if err != nil {
		return nil, err
	}
	if len(rec.Zone) > MaxZone {
		return nil, fmt.Errorf("node record with a zone of %d bytes", len(rec.Zone))
	}
	if len(rec.Peer) == 0 && len(r.PublicKey) == 0 {
		return nil, errors.New("node record without a public key")
	}
	if len(rec.Peer) == 0 {
		rec.Peer = PeerOf(r.PublicKey)
	}
	if len(rec.Lease) != 0 && len(rec.Lease) != tokenSize {
		return nil, fmt.Errorf("node record with a lease of %d bytes", len(rec.Lease))
	}
	return rec, checkLen("network", len(rec.Network), MaxNetwork)
}

// Pointer reads the record of a single object in r: the header of a batch of one. The signature is the
// world's to check.
func (r *SignedRecord) Pointer() (*BatchRecord, error) {
	rec, err := r.Batch()
	if err == nil && rec.Objects() != 1 {
		err = fmt.Errorf("batch of %d objects where a single one is due", rec.Objects())
	}
	return rec, err
}

// Origin reads the record by which the sender of a message signed it.
func (r *SignedRecord) Origin() (*MessageRecord, error) {
	rec, err := openRecord(r, OriginKind, new(MessageRecord))
	if err != nil {
		return nil, err
	}
	return rec, errors.Join(checkID("key", rec.Key), checkLen("app", len(rec.App), MaxApp))
}

func openRecord[R proto.Message](r *SignedRecord, kind RecordKind, into R) (R, error) {
	if RecordKind(r.GetPayloadType()) != kind {
		return into, fmt.Errorf("record of type %q, want %q", r.GetPayloadType(), kind)
	}
	if err := unmarshal(r.Payload, into); err != nil {
		return into, fmt.Errorf("%s: %w", kind, err)
	}
	return into, nil
}

// ID is the node's identifier: the hash of its peer ID.
func (r *NodeRecord) ID() idspace.ID { return idspace.Hash(r.Peer) }

// Stamp says which of a node's records is meant; zero: none.
type Stamp struct{ Generation, Version uint64 }

// Stamp is the stamp of r.
func (r *NodeRecord) Stamp() Stamp { return Stamp{r.Generation, r.Version} }

// Before reports whether a record of stamp t replaces one of s: by generation, then version
// (design §6).
func (s Stamp) Before(t Stamp) bool {
	return s.Generation < t.Generation || s.Generation == t.Generation && s.Version < t.Version
}

// Known is which of its reader's records the sender of a hello has.
func (m *Hello) Known() Stamp { return Stamp{m.KnownGeneration, m.KnownVersion} }

// Newer reports whether r replaces old.
func (r *NodeRecord) Newer(old *NodeRecord) bool { return old.Stamp().Before(r.Stamp()) }

// Signed lists the records in m whose signatures the world must check before a
// machine may see m. Errors are those of a body that does not parse.
func Signed(m Message) ([]*SignedRecord, error) {
	switch m := m.(type) {
	case *Hello:
		if m.Record != nil {
			return []*SignedRecord{m.Record}, nil
		}
	case *Records:
		return m.Records, nil
	case *WitnessReply:
		if len(m.Path) == 0 {
			return m.Named, nil
		}
	case *Deposit:
		return signedInDeposit(m), nil
	case *Multicast:
		return signedInMulticast(m), nil
	case *Routed:
		return signedInBody(m)
	}
	return nil, nil
}

func signedInDeposit(m *Deposit) []*SignedRecord {
	var records []*SignedRecord
	if m.Server != nil {
		records = append(records, m.Server)
	}
	for _, l := range m.Laid {
		records = append(records, l.Pointer)
	}
	for _, p := range m.Parts {
		records = append(records, p.Header)
	}
	return records
}

// signedInMulticast lists the record of the joining node. Who signed an announcement is
// checked when it is handed to the application, like other messages.
func signedInMulticast(m *Multicast) []*SignedRecord {
	if m.Insertion == nil {
		return nil
	}
	return []*SignedRecord{m.Insertion.Record}
}

func signedInBody(m *Routed) ([]*SignedRecord, error) {
	switch {
	case m.Refusal != Refusal_REFUSAL_NONE:
		return nil, nil
	case m.BodyKind == BodyKind_BODY_JOIN && !m.Reply:
		b, err := Unpack(m.Body, new(Join))
		return append(lenders(b.GetLent()), b.GetRecord()), err
	case m.BodyKind == BodyKind_BODY_JOIN && len(m.Path) == 0:
		b, err := Unpack(m.Body, new(JoinReply))
		return append(lenders(b.GetLent()), b.GetRecords()...), err
	case m.BodyKind == BodyKind_BODY_SELF_PROBE && !m.Reply:
		b, err := Unpack(m.Body, new(SelfProbe))
		return []*SignedRecord{b.GetRecord()}, err
	case m.BodyKind == BodyKind_BODY_SELF_PROBE && len(m.Path) == 0:
		b, err := Unpack(m.Body, new(SelfProbeReply))
		return slices.Concat(b.GetLeaves(), b.GetRows()), err
	case m.BodyKind == BodyKind_BODY_PUBLISH && !m.Reply:
		b, err := Unpack(m.Body, new(Publish))
		return []*SignedRecord{b.GetPointer(), b.GetServer()}, err
	case m.BodyKind == BodyKind_BODY_LOCATE && m.Reply && len(m.Path) == 0:
		return signedInAnswer(m)
	}
	return nil, nil
}

func lenders(loans []*Loan) (records []*SignedRecord) {
	for _, l := range loans {
		records = append(records, l.GetLender())
	}
	return records
}

// signedInAnswer lists the records of an answer that has reached its asker; the
// nodes that only pass it on need not check it.
func signedInAnswer(m *Routed) ([]*SignedRecord, error) {
	b, err := Unpack(m.Body, new(LocateReply))
	if err != nil {
		return nil, err
	}
	var records []*SignedRecord
	for _, r := range b.Replicas {
		records = append(records, r.Pointer, r.Server)
	}
	return records, nil
}
