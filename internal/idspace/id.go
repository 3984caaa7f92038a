// Package idspace defines the letters of the overlay: identifiers, their digits
// and the distances between them (JSAC §III-A).
//
// An ID is 160 bits wide. A Space says how its bits are read as digits: the
// overlay uses Hex (40 digits of radix 16); tests also use radix 4 and 8-bit IDs,
// whose unused low bits are zero.
//
// Layer 0: imports nothing of the project; anybody may import it.
package idspace

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Size is the length of an ID in bytes.
const Size = 20

// ID is a node's or an object's identifier: 160 bits, most significant first.
type ID [Size]byte

// Hash is the ID of b: its SHA-256, cut to the first 160 bits.
func Hash(b []byte) ID {
	sum := sha256.Sum256(b)
	return ID(sum[:Size])
}

// FromBytes reads an ID from exactly Size bytes.
func FromBytes(b []byte) (ID, error) {
	if len(b) != Size {
		return ID{}, fmt.Errorf("identifier of %d bytes, want %d", len(b), Size)
	}
	return ID(b), nil
}

// Parse reads an ID from its 40 hex digits.
func Parse(s string) (ID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != Size {
		return ID{}, fmt.Errorf("identifier %q: want %d hex digits", s, 2*Size)
	}
	return ID(b), nil
}

// String prints all 40 hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Short prints the first 8 hex digits, enough to tell nodes apart in a trace.
func (id ID) Short() string { return hex.EncodeToString(id[:4]) }

// MarshalText makes an ID its hex digits in JSON and configuration.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = Parse(string(b))
	return err
}

// IsZero reports whether id is the all-zero ID, which stands for "no ID".
func (id ID) IsZero() bool { return id == ID{} }

// Compare orders IDs as 160-bit numbers.
func Compare(a, b ID) int { return bytes.Compare(a[:], b[:]) }

// Clockwise returns the ring distance from a up to b, (b − a) mod 2^160, as a
// number that Compare orders.
func Clockwise(a, b ID) ID {
	var d ID
	var borrow uint64
	for _, w := range [...]int{12, 4} {
		x, y := binary.BigEndian.Uint64(b[w:]), binary.BigEndian.Uint64(a[w:])
		diff := x - y - borrow
		if x < y || (x == y && borrow == 1) {
			borrow = 1
		} else {
			borrow = 0
		}
		binary.BigEndian.PutUint64(d[w:], diff)
	}
	x, y := binary.BigEndian.Uint32(b[:]), binary.BigEndian.Uint32(a[:])
	binary.BigEndian.PutUint32(d[:], x-y-uint32(borrow))
	return d
}

// Apart returns how far two nodes are from each other on the ring, whichever way is shorter.
func Apart(a, b ID) ID {
	up, down := Clockwise(a, b), Clockwise(b, a)
	if Compare(down, up) < 0 {
		return down
	}
	return up
}
