package tapestry

import (
	"crypto/sha256"
	"io"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// ID is a node's or an object's identifier: 160 bits, written as 40 hex digits.
type ID = idspace.ID

// GUID is an object's ID.
type GUID = ID

// AppID selects the process on a node that a message or an object is for: two
// applications on one overlay never see each other's objects. At most 128 bytes.
type AppID string

// ParseID reads an ID from its 40 hex digits.
func ParseID(s string) (ID, error) { return idspace.Parse(s) }

// GUIDFromBytes is the GUID of an object that is named by b: its name, or its
// content. It is the SHA-256 of b, cut to 160 bits.
func GUIDFromBytes(b []byte) GUID { return idspace.Hash(b) }

// GUIDFromReader is GUIDFromBytes of everything that r holds, however much it is.
func GUIDFromReader(r io.Reader) (GUID, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return GUID{}, err
	}
	return GUID(h.Sum(nil)[:idspace.Size]), nil
}

// GUIDFromMultihash is the GUID of the content that m names.
func GUIDFromMultihash(m multihash.Multihash) GUID { return idspace.Hash(m) }

// NodeIDFromPeer is the ID of the node that runs on the libp2p host p: the hash of
// its peer ID, so that nobody chooses a place in the overlay freely (design §3).
func NodeIDFromPeer(p peer.ID) ID { return idspace.Hash([]byte(p)) }
