package wire

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// Body is what a Routed envelope carries in its body field.
type Body interface {
	proto.Message
	check() error
}

var _ = [...]Body{
	(*Join)(nil), (*JoinReply)(nil), (*Publish)(nil), (*PublishReply)(nil), (*SelfProbe)(nil), (*SelfProbeReply)(nil),
	(*Locate)(nil), (*LocateReply)(nil), (*AppMessage)(nil), (*AppReply)(nil),
}

// Pack encodes a body. It cannot fail: a body is built by this program, whose face
// has seen to it that strings are UTF-8.
func Pack(b Body) []byte {
	packed, err := proto.Marshal(b)
	if err != nil {
		panic(fmt.Sprintf("wire: packing %T: %v", b, err))
	}
	return packed
}

// Unpack decodes and checks a body that a peer sent.
func Unpack[B Body](packed []byte, into B) (B, error) {
	if err := unmarshal(packed, into); err != nil {
		return into, fmt.Errorf("%T: %w", into, err)
	}
	return into, into.check()
}

func (*PublishReply) check() error { return nil }

func (m *SelfProbe) check() error { return checkRecord(m.Record) }
func (m *SelfProbeReply) check() error {
	return errors.Join(checkRecords(m.Leaves), checkRecords(m.Rows))
}

func (m *Join) check() error { return errors.Join(checkRecord(m.Record), checkLoans(m.Lent)) }

func (m *JoinReply) check() error { return errors.Join(checkRecords(m.Records), checkLoans(m.Lent)) }

func checkLoans(loans []*Loan) error {
	for _, l := range loans {
		if err := errors.Join(checkRecord(l.GetLender()), checkRefs(l.GetRefs())); err != nil {
			return err
		}
	}
	return nil
}

func (m *Publish) check() error {
	return errors.Join(checkSalt(m.Salt, m.Roots), checkRecord(m.Pointer), checkRecord(m.Server), checkPulse(m.Pulse))
}

func (m *Locate) check() error {
	return errors.Join(
		checkID("guid", m.Guid), checkLen("app", len(m.App), MaxApp), checkLen("zone", len(m.Zone), MaxZone), checkCoord(m.Coord),
	)
}

func (m *LocateReply) check() error {
	for _, r := range m.Replicas {
		if err := errors.Join(checkRecord(r.GetPointer()), checkRecord(r.GetServer()), checkCoord(r.GetCoord()), checkDoors(r.GetDoors()), checkProof(r.GetProof(), r.GetUnder())); err != nil {
			return err
		}
	}
	return nil
}

func (m *AppMessage) check() error {
	if m.Origin != nil {
		if err := checkRecord(m.Origin); err != nil {
			return err
		}
	}
	if len(m.Guid) > 0 {
		if err := checkID("guid", m.Guid); err != nil {
			return err
		}
	}
	return errors.Join(
		checkLen("app", len(m.App), MaxApp), checkLen("payload", len(m.Payload), MaxPayload), checkIDs("way", m.Via, MaxHops),
	)
}

func (m *AppReply) check() error {
	return errors.Join(checkLen("reply", len(m.Payload), MaxPayload), checkLen("error", len(m.Error), MaxError))
}
