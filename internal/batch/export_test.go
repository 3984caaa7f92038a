package batch

import (
	"fmt"
	"strings"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Own are keys that a test chooses: those of a salted hash lie too evenly for a deep trie.
func own(_ int, guid idspace.ID) idspace.ID { return guid }

// BuildOwn is Build with the objects' own identifiers for keys.
func BuildOwn(guids []idspace.ID, roots int) (*Part, error) { return build(own, guids, roots) }

// OpenOwn is Open for what BuildOwn built.
func OpenOwn(header *wire.BatchRecord, lists [][]byte) (*Part, error) {
	return open(own, header, lists)
}

// Trie prints a list with the keys and hashes that do not travel.
func (p *Part) Trie(salt int) string {
	var b strings.Builder
	for i, it := range p.lists[salt] {
		if i > 0 {
			fmt.Fprintf(&b, "joint %3d   node %x\n", it.joint, it.node)
		}
		if it.leaf {
			fmt.Fprintf(&b, "guid %v   key %v   hash %x\n", it.guid, it.key, it.hash)
		} else {
			fmt.Fprintf(&b, "hash %x\n", it.hash)
		}
	}
	return b.String()
}

// All is everything that a run keeps.
func (r *Run) All() any {
	return struct {
		data  []byte
		tops  []top
		items int32
		kinds uint8
		salt  uint8
	}{r.data, r.tops, r.items, r.kinds, r.salt}
}
