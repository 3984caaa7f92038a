package idspace

import (
	"fmt"
	"math/bits"
)

// Digit is one symbol of an ID, below the Radix of its Space.
type Digit uint8

// Space says how an ID is read as a string of digits. The zero Space is not
// usable; Hex is the overlay's.
type Space struct {
	digitBits int // bits per digit: 1, 2, 4 or 8, so that no digit straddles a byte
	digits    int // how many digits an ID has
}

// Hex is the overlay's space: 40 digits of radix 16.
var Hex = Space{digitBits: 4, digits: 2 * Size}

// NewSpace returns the space of IDs of idBits bits in digits of digitBits bits.
func NewSpace(idBits, digitBits int) (Space, error) {
	switch {
	case digitBits != 1 && digitBits != 2 && digitBits != 4 && digitBits != 8:
		return Space{}, fmt.Errorf("digits of %d bits: want 1, 2, 4 or 8", digitBits)
	case idBits < 8 || idBits > 8*Size || idBits%8 != 0:
		return Space{}, fmt.Errorf("identifiers of %d bits: want a multiple of 8 up to %d", idBits, 8*Size)
	}
	return Space{digitBits: digitBits, digits: idBits / digitBits}, nil
}

// Radix returns how many values a digit has.
func (s Space) Radix() int { return 1 << s.digitBits }

// Digits returns how many digits an ID has.
func (s Space) Digits() int { return s.digits }

// Digit returns digit l of id; l counts from 0 at the most significant end.
func (s Space) Digit(id ID, l int) Digit {
	pos := l * s.digitBits
	return Digit(id[pos>>3]>>(8-s.digitBits-pos&7)) & Digit(s.Radix()-1)
}

// WithDigit returns id with digit l replaced by d.
func (s Space) WithDigit(id ID, l int, d Digit) ID {
	pos := l * s.digitBits
	shift := 8 - s.digitBits - pos&7
	id[pos>>3] = id[pos>>3]&^(byte(s.Radix()-1)<<shift) | byte(d)<<shift
	return id
}

// Truncate returns id with every bit beyond the space's width cleared.
func (s Space) Truncate(id ID) ID {
	clear(id[s.digits*s.digitBits/8:])
	return id
}

// Arc returns the first and the last ID that begin with the first n digits of id.
func (s Space) Arc(id ID, n int) (lo, hi ID) {
	lo, hi = id, id
	bits := n * s.digitBits
	for i, rest := bits/8, byte(0xff)>>(bits%8); i < Size; i, rest = i+1, 0xff {
		lo[i] &^= rest
		hi[i] |= rest
	}
	return lo, hi
}

// CommonPrefix returns how many leading digits a and b share.
func (s Space) CommonPrefix(a, b ID) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return min(s.digits, (8*i+bits.LeadingZeros8(x))/s.digitBits)
		}
	}
	return s.digits
}

// Closer reports whether a comes before b in surrogate distance to key: whether
// δ(a,key) < δ(b,key), where digit l of δ(v,key) is (v[l] − key[l]) mod radix
// (docs/adr/0001-root-rule.md).
func (s Space) Closer(a, b, key ID) bool {
	l := s.CommonPrefix(a, b)
	if l == s.digits {
		return false
	}
	k, mask := s.Digit(key, l), Digit(s.Radix()-1)
	return (s.Digit(a, l)-k)&mask < (s.Digit(b, l)-k)&mask
}

// Salted returns the key under which salt i of roots publishes object g:
// H(g ‖ i) with its first digit forced to g[0] + ⌊i·radix/roots⌋, so that raced
// paths start in different directions (design §8).
func (s Space) Salted(g ID, i, roots int) ID {
	var b [Size + 1]byte
	b[copy(b[:], g[:])] = byte(i)
	key := s.Truncate(Hash(b[:]))
	first := (int(s.Digit(g, 0)) + i*s.Radix()/roots) % s.Radix()
	return s.WithDigit(key, 0, Digit(first))
}
