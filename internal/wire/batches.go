package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// rootSize is that of a root hash of a trie.
const rootSize = 20

// Batch reads the header of a batch in r. The signature is the world's to check.
func (r *SignedRecord) Batch() (*BatchRecord, error) {
	rec, err := openRecord(r, BatchKind, new(BatchRecord))
	if err != nil {
		return nil, err
	}
	return rec, errors.Join(checkID("server", rec.Server), checkLen("app", len(rec.App), MaxApp),
		checkLen("network", len(rec.Network), MaxNetwork), rec.checkObjects())
}

// checkObjects sees to it that there is one way to write of which objects a header is.
func (r *BatchRecord) checkObjects() error {
	switch {
	case len(r.Guid) > 0 && (r.Count != 0 || len(r.Roots) > 0):
		return errors.New("batch of one object with a count or roots")
	case len(r.Guid) > 0:
		return checkID("guid", r.Guid)
	case r.Count < 2:
		return fmt.Errorf("batch of %d objects without a guid", r.Count)
	case len(r.Roots) == 0 || len(r.Roots)%rootSize != 0 || len(r.Roots) > MaxRoots*rootSize:
		return fmt.Errorf("roots of %d bytes: want 1 to %d of %d bytes", len(r.Roots), MaxRoots, rootSize)
	}
	return nil
}

// Objects is how many objects the batch has.
func (r *BatchRecord) Objects() uint32 {
	if len(r.Guid) > 0 {
		return 1
	}
	return r.Count
}

// Salts is how many roots the objects of the batch have; zero for one object, whose header does not
// say it.
func (r *BatchRecord) Salts() int { return len(r.Roots) / rootSize }

// Root is the root hash of the trie of a salt below Salts.
func (r *BatchRecord) Root(salt int) [rootSize]byte {
	return [rootSize]byte(r.Roots[salt*rootSize:])
}

// Name is the same for all headers of a server that say that it serves the objects of a batch, whenever it has signed them; it is
// zero for one object, and for objects that are taken back: these are not renewed (docs/protocol.md §4.7).
func (r *BatchRecord) Name() Sum {
	if r.Objects() == 1 || r.Withdrawn {
		return Sum{}
	}
	packed := append([]byte{byte(len(r.App))}, r.App...)
	packed = binary.BigEndian.AppendUint32(packed, r.Count)
	return SumOf(append(packed, r.Roots...))
}

// A part is unpacked like a body. What its lists prove is another room's to find out.
var _ Body = (*BatchPart)(nil)

func (m *BatchPart) check() error {
	if m == nil || len(m.Lists) > MaxRoots {
		return fmt.Errorf("part of %d lists", len(m.GetLists()))
	}
	for _, list := range m.Lists {
		if err := checkLen("list", len(list), maxList); err != nil {
			return err
		}
	}
	return checkRecord(m.Header)
}

// maxList is what a list of MaxItems takes that are hashes, nearly all.
const maxList = 2 + MaxItems/8 + (MaxItems - 1) + MaxItems*idspace.Size

// checkProof looks at what proves one object of a batch.
func checkProof(list []byte, under uint32) error {
	if under >= MaxRoots {
		return fmt.Errorf("proof under salt %d", under)
	}
	return checkLen("proof", len(list), maxProof)
}

// maxProof is what a list of one object takes below as many hashes as a trie can be deep.
const (
	deepest  = 8 * idspace.Size
	maxProof = 2 + (deepest+1+7)/8 + deepest + (deepest+1)*idspace.Size
)
