package wire

import (
	"errors"
	"fmt"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
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

func checkDead(packed []byte) error {
	if len(packed)%refSize != 0 || len(packed) > MaxDead*refSize {
		return fmt.Errorf("dead references of %d bytes: want at most %d of %d bytes", len(packed), MaxDead, refSize)
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

// checkCounts bounds the repeated messages in packed before anything is allocated
// for them: an empty one takes two bytes on the wire and a hundred in memory.
func checkCounts(packed []byte, into proto.Message) error {
	switch into.(type) {
	case *Records:
		return checkCount("records", packed, 1, MaxRecords)
	case *SelfProbeReply:
		return errors.Join(checkCount("leaves", packed, 1, MaxRecords), checkCount("rows", packed, 2, MaxRecords))
	case *Join:
		return checkCount("loans", packed, 2, MaxHops)
	case *WitnessReply:
		return checkCount("named nodes", packed, 3, MaxNamed)
	case *JoinReply:
		return errors.Join(checkCount("records", packed, 1, MaxRecords), checkCount("loans", packed, 2, MaxHops))
	case *LocateReply:
		return checkCount("replicas", packed, 1, MaxFound)
	case *Routed:
		return checkCount("notes", packed, 12, 2*MaxHops)
	case *Deposit:
		return errors.Join(checkCount("pointers", packed, 4, MaxLaid), checkCount("parts", packed, 5, MaxParts))
	case *BatchPart:
		return checkCount("lists", packed, 2, MaxRoots)
	case *NodeRecord:
		return checkCount("addresses", packed, 3, MaxAddrs)
	}
	return nil
}

func checkCount(what string, packed []byte, field protowire.Number, most int) error {
	count := 0
	for len(packed) > 0 {
		number, _, n := protowire.ConsumeField(packed)
		if n < 0 {
			return nil // proto.Unmarshal says what is wrong
		}
		if number == field {
			count++
		}
		packed = packed[n:]
	}
	if count > most {
		return fmt.Errorf("%d %s, at most %d allowed", count, what, most)
	}
	return nil
}

func checkUse(u Use) error {
	if u < Use_USE_NONE || u > Use_USE_LEAF {
		return fmt.Errorf("use %d unknown", u)
	}
	return nil
}

func (m *Hello) check() error {
	if err := checkLen("network", len(m.Network), MaxNetwork); err != nil || m.Record == nil {
		return err
	}
	return checkRecord(m.Record)
}

func (m *Beacon) check() error    { return errors.Join(checkUse(m.Use), checkCoord(m.Coord)) }
func (m *BeaconAck) check() error { return errors.Join(checkCoord(m.Coord), checkDead(m.DeadRefs)) }
func (*Unlink) check() error      { return nil }
func (m *Leave) check() error     { return checkRefs(m.Refs) }
func (m *LeafSet) check() error {
	if m.Up > MaxRefs+1 || m.Down > MaxRefs+1 {
		return fmt.Errorf("span of %d and %d nodes", m.Up, m.Down)
	}
	return errors.Join(checkRefs(m.Refs), checkCoords(m.Coords, len(m.Refs)/refSize), checkDead(m.DeadRefs))
}
func (m *RecordRequest) check() error { return checkRefs(m.Refs) }
func (*Ack) check() error             { return nil }

func (m *Row) check() error {
	if m.Level >= 8*idspace.Size {
		return fmt.Errorf("level %d", m.Level)
	}
	return errors.Join(checkRefs(m.Refs), checkCoords(m.Coords, len(m.Refs)/refSize), checkDead(m.DeadRefs))
}

func (m *Multicast) check() error {
	err := checkID("prefix", m.Prefix)
	switch {
	case m.Digits > 8*idspace.Size || m.Level > 8*idspace.Size:
		return fmt.Errorf("prefix of %d digits, level %d", m.Digits, m.Level)
	case m.Insertion != nil && m.Announcement != nil:
		return errors.New("multicast of both an insertion and an announcement")
	case m.Insertion != nil:
		return errors.Join(err, checkInsertion(m.Insertion))
	case m.Announcement != nil:
		return errors.Join(err, checkAnnouncement(m.Announcement))
	}
	return err
}

func checkInsertion(m *Insertion) error {
	return errors.Join(checkRecord(m.Record), checkLen("holes", len(m.Holes), maxHoles))
}

// maxHoles is two bytes for each level.
const maxHoles = 2 * 8 * idspace.Size

func checkAnnouncement(m *Announcement) error {
	if m.Origin != nil {
		if err := checkRecord(m.Origin); err != nil {
			return err
		}
	}
	return errors.Join(checkID("from", m.From), checkLen("app", len(m.App), MaxApp), checkLen("payload", len(m.Payload), MaxPayload))
}

func (*MulticastAck) check() error { return nil }
func (*Inserted) check() error     { return nil }
func (*Strangers) check() error    { return nil }

func (m *Witness) check() error {
	if m.Digits > 8*idspace.Size || m.HopsLeft > MaxWitnesses {
		return fmt.Errorf("hole of %d digits, %d hops left", m.Digits, m.HopsLeft)
	}
	return errors.Join(checkID("hole", m.Hole), checkIDs("path", m.Path, MaxWitnesses))
}

func (m *IndirectProbe) check() error { return checkID("target", m.Target) }

func (m *IndirectAck) check() error {
	if Finding_name[int32(m.Finding)] == "" {
		return fmt.Errorf("finding %d", m.Finding)
	}
	return nil
}

func (m *Refresh) check() error {
	return errors.Join(checkBranches(m.Branches, branchSize), checkPacked("dead servers", m.Dead, refPrefix, MaxBranches),
		checkPacked("servers asked for", m.Asked, refPrefix, MaxBranches))
}

func (m *RefreshReply) check() error {
	return errors.Join(checkBranches(m.Differ, nameSize), checkBranches(m.Stale, nameSize))
}

func (m *Listing) check() error {
	return errors.Join(checkID("server", m.Server), checkCopy(m.Copy), checkPulse(m.Pulse), checkPacked("prints", m.Prints, printSize, MaxPrints))
}

func (m *Wanted) check() error {
	return errors.Join(checkID("server", m.Server), checkCopy(m.Copy), checkPacked("prints", m.Prints, printSize, MaxPrints))
}

func (m *Placed) check() error {
	return errors.Join(checkPacked("missing", m.Missing, printSize, MaxPrints), checkPacked("refused", m.Refused, printSize, MaxPrints))
}

func (m *Deposit) check() error {
	for _, l := range m.Laid {
		if err := errors.Join(checkRecord(l.GetPointer()), checkSalt(l.GetSalt(), l.GetRoots()), checkProof(l.GetProof(), l.GetUnder())); err != nil {
			return err
		}
	}
	for _, p := range m.Parts {
		if err := p.check(); err != nil {
			return err
		}
	}
	return errors.Join(m.checkServer(), checkCopy(m.Copy), checkPulse(m.Pulse))
}

// checkServer sees to it that a deposit says once of whom it is.
func (m *Deposit) checkServer() error {
	switch {
	case m.Server == nil && len(m.Ref) != refPrefix:
		return fmt.Errorf("deposit without a record, and with a reference of %d bytes", len(m.Ref))
	case m.Server == nil:
		return nil
	case len(m.Ref) > 0:
		return errors.New("deposit with a record and a reference")
	}
	return checkRecord(m.Server)
}

func (m *WitnessReply) check() error {
	return errors.Join(checkIDs("path", m.Path, MaxWitnesses), checkRecords(m.Named))
}

func (m *Records) check() error {
	return errors.Join(checkRecords(m.Records), checkCoords(m.Coords, len(m.Records)))
}

func checkRecords(records []*SignedRecord) error {
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
