// Package lease shows that a server still lives without signing anything anew: a hash
// chain of which it reveals one element each period (design §8).
//
// A server's node record, signed, names the last element, the anchor. Token i is the
// element whose i-th hash is the anchor: whoever holds token i can check later ones and
// cannot make them. A holder judges a token by its own clock: it is as fresh as the most
// advanced one that it has seen of this lease makes it, so that nobody can collect the
// tokens of a dead server and hand them out slowly.
//
// Invariants: a Seen never goes back.
//
// Layer 1: imports mono; pointers and tree judge with it, and tree reveals.
package lease

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/mono"
)

const (
	// Period is how often a server reveals a token.
	Period = 30 * time.Second
	// Life is how long a pointer counts after the token that speaks for it was made: long
	// enough for the next three to be late, or lost, on the way.
	Life = 105 * time.Second
	// Length is how many tokens a chain has: 34 hours of them.
	Length = 4096
	// Size is that of a token in bytes.
	Size = 20
	// Few is how many hashes a token may cost that comes without a signed record (design §8).
	Few = 64
)

// every is how far apart the elements are that a Chain keeps: the others cost as many hashes.
const every = 64

// Token is an element of a chain.
type Token [Size]byte

func (t Token) hash() (next Token) {
	sum := sha256.Sum256(t[:])
	return Token(sum[:Size])
}

// Chain is the secret side of a lease. It is not changed once made.
type Chain struct {
	kept [Length/every + 1]Token // kept[k] is token k·every
}

// New makes the chain of a secret seed.
func New(seed [4]uint64) *Chain {
	var secret [32]byte
	for i, s := range seed {
		binary.BigEndian.PutUint64(secret[8*i:], s)
	}
	sum := sha256.Sum256(secret[:])
	t, c := Token(sum[:Size]), new(Chain)
	for i := Length; ; i-- {
		if i%every == 0 {
			c.kept[i/every] = t
		}
		if i == 0 {
			return c
		}
		t = t.hash()
	}
}

// Anchor is what the node record names.
func (c *Chain) Anchor() Token { return c.kept[0] }

// Token is the one that is revealed when the chain is i periods old; after the last one,
// the last.
func (c *Chain) Token(i uint32) Token {
	i = min(i, Length)
	k := (i + every - 1) / every
	t := c.kept[k]
	for range k*every - i {
		t = t.hash()
	}
	return t
}

// Seen is what a holder knows of a server's lease. The zero Seen knows nothing.
type Seen struct {
	anchor Token
	token  Token
	index  uint32
	start  mono.Time // when token 0 was made, by the earliest that any has come
	known  bool
}

// Take checks token i of the lease with that anchor, and says when it was made, as far as
// that is known here. It makes no more hashes than most. Of another lease than before it
// forgets the former one: the caller has seen that the record is newer.
func (s *Seen) Take(anchor Token, i uint32, t Token, now mono.Time, most uint32) (made mono.Time, ok bool) {
	from := *s
	if !s.known || s.anchor != anchor {
		from = Seen{anchor: anchor, token: anchor, start: now, known: true}
	}
	switch {
	case i > Length || max(i, from.index)-min(i, from.index) > most:
		return 0, false
	case i >= from.index:
		ok = follows(t, i-from.index, from.token)
	default:
		ok = follows(from.token, from.index-i, t)
	}
	if !ok {
		return 0, false
	}
	if i >= from.index {
		from.index, from.token = i, t
	}
	from.start = min(from.start, now-mono.Time(i)*mono.Time(Period))
	*s = from
	return s.made(i), true
}

// follows reports whether t comes so many steps after the token known.
func follows(t Token, steps uint32, known Token) bool {
	for range steps {
		t = t.hash()
	}
	return t == known
}

func (s *Seen) made(i uint32) mono.Time { return s.start + mono.Time(i)*mono.Time(Period) }

// Newest is the most advanced token seen; not ok if none was.
func (s *Seen) Newest() (i uint32, t Token, ok bool) { return s.index, s.token, s.known }

// Of reports whether this lease has that anchor.
func (s *Seen) Of(anchor Token) bool { return s.known && s.anchor == anchor }
