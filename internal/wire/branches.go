package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Sum is a sum of hashes, modulo 2^128: a digest of a set that can be kept while it changes.
type Sum struct{ Hi, Lo uint64 }

// SumOf is the hash of what is packed.
func SumOf(packed []byte) Sum {
	hash := sha256.Sum256(packed)
	return Sum{Hi: binary.BigEndian.Uint64(hash[:]), Lo: binary.BigEndian.Uint64(hash[8:])}
}

// Plus adds a hash.
func (s Sum) Plus(o Sum) Sum {
	lo, carry := bits.Add64(s.Lo, o.Lo, 0)
	hi, _ := bits.Add64(s.Hi, o.Hi, carry)
	return Sum{hi, lo}
}

// Minus takes a hash out.
func (s Sum) Minus(o Sum) Sum {
	lo, borrow := bits.Sub64(s.Lo, o.Lo, 0)
	hi, _ := bits.Sub64(s.Hi, o.Hi, borrow)
	return Sum{hi, lo}
}

// ServerRef is the beginning of the identifier of a server, or of one of its doors: who holds its pointers, or has
// a link with it, knows the rest.
type ServerRef [refPrefix]byte

// ServerRefTo abbreviates an identifier.
func ServerRefTo(id idspace.ID) ServerRef { return ServerRef(id[:refPrefix]) }

// tokenSize is that of a token, and of the anchor of a lease (internal/lease).
const tokenSize = 20

// Branch is what the sender of a Refresh says of one branch: the pointers of a server that
// it has laid at the receiver as copies of one kind (docs/protocol.md §7.6).
type Branch struct {
	Server ServerRef
	Copy   Copy
	Index  uint32 // of Token
	Token  [tokenSize]byte
	Age    time.Duration // of the token, in tenths of a second, 6553.5 s at most
	Coord  Coord         // where the server was when it was made
	Count  uint32
	Sum    Sum
}

const (
	branchSize = refPrefix + 1 + 4 + tokenSize + 2 + CoordSize + 4 + 16
	nameSize   = refPrefix + 1
	printSize  = 8
	ageUnit    = 100 * time.Millisecond
)

// AppendBranch appends b's 67 bytes to dst.
func AppendBranch(dst []byte, b Branch) []byte {
	dst = AppendBranchName(dst, BranchName{b.Server, b.Copy})
	dst = binary.BigEndian.AppendUint32(dst, b.Index)
	dst = append(dst, b.Token[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(min(max(b.Age/ageUnit, 0), math.MaxUint16)))
	dst = append(dst, b.Coord[:]...)
	dst = binary.BigEndian.AppendUint32(dst, b.Count)
	dst = binary.BigEndian.AppendUint64(dst, b.Sum.Hi)
	return binary.BigEndian.AppendUint64(dst, b.Sum.Lo)
}

// Branches unpacks the branches of a checked message.
func Branches(packed []byte) []Branch {
	branches := make([]Branch, 0, len(packed)/branchSize)
	for ; len(packed) >= branchSize; packed = packed[branchSize:] {
		rest := packed[nameSize:]
		branches = append(branches, Branch{
			Server: ServerRef(packed[:refPrefix]), Copy: Copy(packed[refPrefix]),
			Index: binary.BigEndian.Uint32(rest), Token: [tokenSize]byte(rest[4 : 4+tokenSize]),
			Age:   time.Duration(binary.BigEndian.Uint16(rest[4+tokenSize:])) * ageUnit,
			Coord: Coord(rest[6+tokenSize : 6+tokenSize+CoordSize]),
			Count: binary.BigEndian.Uint32(rest[6+tokenSize+CoordSize:]),
			Sum: Sum{
				binary.BigEndian.Uint64(rest[10+tokenSize+CoordSize:]), binary.BigEndian.Uint64(rest[18+tokenSize+CoordSize:]),
			},
		})
	}
	return branches
}

// BranchName names a branch between two nodes.
type BranchName struct {
	Server ServerRef
	Copy   Copy
}

// AppendBranchName appends n's nine bytes to dst.
func AppendBranchName(dst []byte, n BranchName) []byte {
	return append(append(dst, n.Server[:]...), byte(n.Copy))
}

// BranchNames unpacks the names of a checked message.
func BranchNames(packed []byte) []BranchName {
	names := make([]BranchName, 0, len(packed)/nameSize)
	for ; len(packed) >= nameSize; packed = packed[nameSize:] {
		names = append(names, BranchName{ServerRef(packed[:refPrefix]), Copy(packed[refPrefix])})
	}
	return names
}

// AppendPrint appends the eight bytes of a print to dst.
func AppendPrint(dst []byte, print uint64) []byte { return binary.BigEndian.AppendUint64(dst, print) }

// Prints unpacks the prints of a checked message.
func Prints(packed []byte) []uint64 {
	prints := make([]uint64, 0, len(packed)/printSize)
	for ; len(packed) >= printSize; packed = packed[printSize:] {
		prints = append(prints, binary.BigEndian.Uint64(packed))
	}
	return prints
}

// ServerRefs unpacks the servers of a checked message.
func ServerRefs(packed []byte) []ServerRef {
	refs := make([]ServerRef, 0, len(packed)/refPrefix)
	for ; len(packed) >= refPrefix; packed = packed[refPrefix:] {
		refs = append(refs, ServerRef(packed[:refPrefix]))
	}
	return refs
}

// checkPacked checks a field of items of one size.
func checkPacked(what string, packed []byte, size, most int) error {
	if len(packed)%size != 0 || len(packed) > most*size {
		return fmt.Errorf("%s of %d bytes: want at most %d of %d bytes", what, len(packed), most, size)
	}
	return nil
}

// checkBranches checks a field of items that begin with the name of a branch.
func checkBranches(packed []byte, size int) error {
	if err := checkPacked("branches", packed, size, MaxBranches); err != nil {
		return err
	}
	for ; len(packed) > 0; packed = packed[size:] {
		if err := checkCopy(Copy(packed[refPrefix])); err != nil {
			return err
		}
	}
	return nil
}

func checkPulse(s *Pulse) error {
	if len(s.GetToken()) != tokenSize {
		return fmt.Errorf("token of %d bytes, want %d", len(s.GetToken()), tokenSize)
	}
	return errors.Join(checkCoord(s.Coord), checkDoors(s.Doors))
}

func checkDoors(packed []byte) error { return checkPacked("doors", packed, refPrefix, MaxDoors) }

func checkCopy(c Copy) error {
	if c < Copy_COPY_PATH || c > Copy_COPY_NEWER {
		return fmt.Errorf("copy %d unknown", c)
	}
	return nil
}

func checkSalt(salt, roots uint32) error {
	if roots == 0 || roots > MaxRoots || salt >= roots {
		return fmt.Errorf("salt %d of %d", salt, roots)
	}
	return nil
}
