package content

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/tapestry-dolr/tapestry"
)

// Sink takes the bytes of a file. Reset forgets what was written: it was wrong or
// not whole, and another server is asked.
type Sink interface {
	io.Writer
	Reset() error
}

// Nowhere is a Sink for whoever only wants to know that the bytes are right.
type Nowhere struct{}

// Write drops b.
func (Nowhere) Write(b []byte) (int, error) { return len(b), nil }

// Reset does nothing.
func (Nowhere) Reset() error { return nil }

// FileSink writes to an open file.
type FileSink struct{ *os.File }

// Reset empties the file.
func (f FileSink) Reset() error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return f.Truncate(0)
}

// errSink marks an error of the caller's own sink: no other server can mend it.
var errSink = errors.New("writing the file")

// body passes bytes on to a sink and hashes them.
type body struct {
	to   Sink
	hash hash.Hash
	size int64
}

func newBody(to Sink) *body { return &body{to: to, hash: sha256.New()} }

// Write never gives the hash more than the sink took.
func (b *body) Write(p []byte) (int, error) {
	n, err := b.to.Write(p)
	b.hash.Write(p[:n])
	b.size += int64(n)
	if err != nil {
		err = fmt.Errorf("%w: %w", errSink, err)
	}
	return n, err
}

// guid is the GUID of a file of the bytes that passed.
func (b *body) guid() tapestry.GUID {
	var g tapestry.GUID
	copy(g[:], b.hash.Sum(nil))
	return g
}
