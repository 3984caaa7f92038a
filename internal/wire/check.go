package wire

import (
	"errors"
	"fmt"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

func checkID(what string, b []byte) error {
	if len(b) != idspace.Size {
		return fmt.Errorf("%s of %d bytes, want %d", what, len(b), idspace.Size)
	}
	return nil
}

func checkIDs(what string, packed []byte, most int) error {
	if len(packed)%idspace.Size != 0 || len(packed) > most*idspace.Size {
		return fmt.Errorf("%s of %d bytes: want at most %d identifiers", what, len(packed), most)
	}
	return nil
}

func checkRefs(packed []byte) error {
	if len(packed)%refSize != 0 || len(packed) > MaxRefs*refSize {
		return fmt.Errorf("references of %d bytes: want at most %d of %d bytes", len(packed), MaxRefs, refSize)
	}
	return nil
}

func checkLen(what string, n, most int) error {
	if n > most {
		return fmt.Errorf("%s of %d bytes, at most %d allowed", what, n, most)
	}
	return nil
}

func checkRecord(r *SignedRecord) error {
	if r == nil {
		return errors.New("no signed record")
	}
	return checkLen("record", len(r.PublicKey)+len(r.PayloadType)+len(r.Payload)+len(r.Signature), MaxRecord)
}

func checkUse(u Use) error {
	if u < Use_USE_NONE || u > Use_USE_LEAF {
		return fmt.Errorf("use %d unknown", u)
	}
	return nil
}

func (m *Hello) check() error {
	return errors.Join(checkLen("network", len(m.Network), MaxNetwork), checkRecord(m.Record))
}

func (m *Beacon) check() error        { return checkUse(m.Use) }
func (*BeaconAck) check() error       { return nil }
func (*Unlink) check() error          { return nil }
func (m *Leave) check() error         { return checkRefs(m.Refs) }
func (m *LeafSet) check() error       { return checkRefs(m.Refs) }
func (m *RecordRequest) check() error { return checkRefs(m.Refs) }
func (*Ack) check() error             { return nil }

func (m *Row) check() error {
	if m.Level >= 8*idspace.Size {
		return fmt.Errorf("level %d", m.Level)
	}
	return checkRefs(m.Refs)
}

func (m *Records) check() error { return checkRecords(m.Records) }

func checkRecords(records []*SignedRecord) error {
	if len(records) > MaxRecords {
		return fmt.Errorf("%d records, at most %d allowed", len(records), MaxRecords)
	}
	for _, r := range records {
		if err := checkRecord(r); err != nil {
			return err
		}
	}
	return nil
}

func (m *Routed) check() error {
	if m.HopsLeft > MaxHops {
		return fmt.Errorf("%d hops left, at most %d allowed", m.HopsLeft, MaxHops)
	}
	if len(m.Notes) > 2*MaxHops {
		return fmt.Errorf("%d notes", len(m.Notes))
	}
	for _, n := range m.Notes {
		if err := checkID("noted node", n.GetNode()); err != nil {
			return err
		}
	}
	return errors.Join(
		checkID("key", m.Key),
		checkIDs("path", m.Path, MaxHops),
		checkIDs("trail", m.Trail, MaxHops+1),
		checkIDs("excluded", m.Excluded, MaxExclude),
	)
}
