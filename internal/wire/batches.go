package wire

import (
	"bytes"
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
		checkLen("network", len(rec.Network), MaxNetwork), rec.checkRoots())
}

func (r *BatchRecord) checkRoots() error {
	switch {
	case r.Count == 0:
		return errors.New("batch of nothing")
	case len(r.Roots) == 0 || len(r.Roots)%rootSize != 0 || len(r.Roots) > MaxRoots*rootSize:
		return fmt.Errorf("roots of %d bytes: want 1 to %d of %d bytes", len(r.Roots), MaxRoots, rootSize)
	}
	return nil
}

// Salts is how many roots the objects of the batch have.
func (r *BatchRecord) Salts() int { return len(r.Roots) / rootSize }

// Root is the root hash of the trie of a salt below Salts.
func (r *BatchRecord) Root(salt int) [rootSize]byte {
	return [rootSize]byte(r.Roots[salt*rootSize:])
}

// SameRoots reports whether r and o are of the same objects.
func (r *BatchRecord) SameRoots(o *BatchRecord) bool {
	return r.Count == o.Count && bytes.Equal(r.Roots, o.Roots)
}

// Renews reports whether r takes the place of the header o, for all that is held under o: it says
// the same, later. Neither of them may take objects back.
func (r *BatchRecord) Renews(o *BatchRecord) bool {
	return r.Network == o.Network && r.App == o.App && bytes.Equal(r.Server, o.Server) && r.SameRoots(o) &&
		!r.Withdrawn && !o.Withdrawn && r.above(o)
}

func (r *BatchRecord) above(o *BatchRecord) bool {
	return r.Generation > o.Generation || r.Generation == o.Generation && r.Counter > o.Counter
}

// A part is unpacked like a body. What its lists prove is another room's to find out.
var _ Body = (*BatchPart)(nil)

func (m *BatchPart) check() error {
	for _, list := range m.Lists {
		if err := checkLen("list", len(list), maxList); err != nil {
			return err
		}
	}
	return checkRecord(m.Header)
}

// maxList is what a list of MaxItems takes that are hashes, nearly all.
const maxList = 2 + MaxItems/8 + (MaxItems - 1) + MaxItems*idspace.Size
