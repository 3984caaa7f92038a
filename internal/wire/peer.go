package wire

import "crypto/sha256"

// inlined is the longest public key that is its own hash in a peer ID (libp2p's peer ID
// specification): Ed25519 keys are 36 bytes, RSA keys some hundred.
const inlined = 42

// PeerOf returns the binary peer ID of a public key, a multihash of it.
func PeerOf(publicKey []byte) []byte {
	if len(publicKey) <= inlined {
		return append([]byte{0x00, byte(len(publicKey))}, publicKey...)
	}
	hash := sha256.Sum256(publicKey)
	return append([]byte{0x12, sha256.Size}, hash[:]...)
}
