package p2ptest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"

	"github.com/libp2p/go-libp2p/core/crypto"
)

// Key returns the i-th Ed25519 key of a seed: always the same one.
func Key(seed uint64, i int) crypto.PrivKey {
	material := binary.BigEndian.AppendUint64([]byte("p2ptest"), seed)
	material = binary.BigEndian.AppendUint64(material, uint64(i))
	sum := sha256.Sum256(material)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(sum[:]))
	if err != nil {
		panic(err) // an Ed25519 key of its right size
	}
	return key
}
