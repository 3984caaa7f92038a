package kademlia

import (
	"bytes"
	"math/bits"
	"math/rand/v2"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

const idBits = 8 * idspace.Size

// distance is the exclusive or [10, section 2.1].
func distance(a, b idspace.ID) (d idspace.ID) {
	for i := range a {
		d[i] = a[i] ^ b[i]
	}
	return d
}

// nearer compares a and b by their distance to key.
func nearer(key, a, b idspace.ID) int {
	x, y := distance(a, key), distance(b, key)
	return bytes.Compare(x[:], y[:])
}

// commonPrefix counts the bits that a and b begin with in common.
func commonPrefix(a, b idspace.ID) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return idBits
}

// inBucket draws an ID that has exactly prefix bits in common with self.
func inBucket(rng *rand.Rand, self idspace.ID, prefix int) (id idspace.ID) {
	for i := range id {
		id[i] = byte(rng.Uint32())
	}
	for bit := 0; bit <= prefix; bit++ {
		mask := byte(0x80 >> (bit % 8))
		want := self[bit/8] & mask
		if bit == prefix {
			want ^= mask
		}
		id[bit/8] = id[bit/8]&^mask | want
	}
	return id
}

// Root is the node nearest to key.
func Root(live []model.Peer, key idspace.ID) model.Addr {
	best := live[0]
	for _, p := range live[1:] {
		if nearer(key, p.ID, best.ID) < 0 {
			best = p
		}
	}
	return best.At
}
