package wire

import (
	"encoding/binary"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Ref is a short reference to a node: enough to recognise one that is known, and
// to see where in the tables an unknown one would go (design §6). Eight bytes of
// ID leave 2^-64 for a mix-up, which the full record then corrects.
type Ref struct {
	Prefix     [refPrefix]byte // first bytes of the ID
	Generation uint16          // low bits of the node's generation, compared for equality only
}

const (
	refPrefix = 8
	refSize   = refPrefix + 2
)

// RefTo returns the short reference to a node.
func RefTo(id idspace.ID, generation uint64) Ref {
	return Ref{Prefix: [refPrefix]byte(id[:refPrefix]), Generation: uint16(generation)}
}

// Matches reports whether id begins with r's prefix.
func (r Ref) Matches(id idspace.ID) bool { return r.Prefix == [refPrefix]byte(id[:refPrefix]) }

// Guess returns the ID that r abbreviates with zeros for the unknown part: good
// for placing it, not for naming it.
func (r Ref) Guess() (id idspace.ID) {
	copy(id[:], r.Prefix[:])
	return id
}

// AppendRef appends r's ten bytes to dst.
func AppendRef(dst []byte, r Ref) []byte {
	dst = append(dst, r.Prefix[:]...)
	return binary.BigEndian.AppendUint16(dst, r.Generation)
}

// Refs unpacks the short references of a checked message.
func Refs(packed []byte) []Ref {
	refs := make([]Ref, 0, len(packed)/refSize)
	for ; len(packed) >= refSize; packed = packed[refSize:] {
		refs = append(refs, Ref{
			Prefix:     [refPrefix]byte(packed[:refPrefix]),
			Generation: binary.BigEndian.Uint16(packed[refPrefix:]),
		})
	}
	return refs
}

// Digest is a number for a set of packed short references, whatever their order: the
// sum of their FNV-1a hashes, never 0 (docs/protocol.md §5.5).
func Digest(packed []byte) uint32 {
	sum := uint32(0)
	for ; len(packed) >= refSize; packed = packed[refSize:] {
		h := uint32(2166136261)
		for _, b := range packed[:refSize] {
			h = (h ^ uint32(b)) * 16777619
		}
		sum += h
	}
	return max(sum, 1)
}

// Whole reports whether m names everybody that its digest is of, rather than leaving
// out what the receiver has.
func (m *LeafSet) Whole() bool { return m.Digest == 0 || m.Digest == Digest(m.Refs) }

// Whole is described at LeafSet.
func (m *Row) Whole() bool { return m.Digest == 0 || m.Digest == Digest(m.Refs) }

// ID reads a checked 20-byte field.
func ID(b []byte) idspace.ID { return idspace.ID(b) }

// IDs unpacks the IDs of a path.
func IDs(packed []byte) []idspace.ID {
	ids := make([]idspace.ID, 0, len(packed)/idspace.Size)
	for ; len(packed) >= idspace.Size; packed = packed[idspace.Size:] {
		ids = append(ids, idspace.ID(packed[:idspace.Size]))
	}
	return ids
}
