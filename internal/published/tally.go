package published

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/ipfs/go-datastore"
)

var tallyKey = datastore.NewKey("tally")

// tally says how many records there are and what they are, but for those in doubt: whose
// write is under way, or has failed and may have come to the disk or not. It is written
// before any record is. Without it records that have vanished would not be missed: a
// datastore may leave out what it cannot read any more, and not every one writes all of a
// batch or nothing.
type tally struct {
	count, mix uint64 // mix is the exclusive or of the hashes of all
	doubts     map[datastore.Key]bool
}

func (t *tally) clone() tally { return tally{t.count, t.mix, maps.Clone(t.doubts)} }

func hash(at datastore.Key, s State) uint64 { return xxhash.Sum64(append(at.Bytes(), byte(s))) }

// doubt takes the record at a place, which was so, out.
func (t *tally) doubt(at datastore.Key, was State) {
	if t.doubts[at] {
		return
	}
	if was != None {
		t.count--
		t.mix ^= hash(at, was)
	}
	t.doubts[at] = true
}

// settle takes it back in, as it is.
func (t *tally) settle(at datastore.Key, is State) {
	delete(t.doubts, at)
	if is != None {
		t.count++
		t.mix ^= hash(at, is)
	}
}

// encode is 8 bytes of count, 8 of mix, the keys in doubt as lines, and a CRC-32C.
func (t *tally) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, t.count)
	b = binary.BigEndian.AppendUint64(b, t.mix)
	for _, at := range slices.SortedFunc(maps.Keys(t.doubts), func(a, b datastore.Key) int { return strings.Compare(a.String(), b.String()) }) {
		b = append(append(b, at.Bytes()...), '\n')
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeTally(b []byte) (t tally, err error) {
	end := len(b) - 4
	if end < 16 {
		return t, fmt.Errorf("%d bytes, want at least 20", len(b))
	}
	if binary.BigEndian.Uint32(b[end:]) != crc32.Checksum(b[:end], castagnoli) {
		return t, errors.New("its checksum is wrong")
	}
	t = tally{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), map[datastore.Key]bool{}}
	for line := range strings.Lines(string(b[16:end])) {
		t.doubts[datastore.NewKey(strings.TrimSuffix(line, "\n"))] = true
	}
	return t, nil
}

// missing compares t, which was written, with what all records that were read come to.
func (t *tally) missing(all []Record) error {
	var found tally
	for _, r := range all {
		if at := place(r.Key); !t.doubts[at] {
			found.count++
			found.mix ^= hash(at, r.State)
		}
	}
	switch {
	case found.count < t.count:
		return fmt.Errorf("%d of %d records are missing", t.count-found.count, t.count)
	case found.count != t.count || found.mix != t.mix:
		return fmt.Errorf("the %d records are not those that were written", found.count)
	}
	return nil
}
