package published

import (
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/ipfs/go-datastore"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// State is what was last asked for an object.
type State byte

// The states of what is recorded.
const (
	None      State = 0
	Published State = 'p'
	Withdrawn State = 'w' // its roots may not know yet
)

// Record is what is recorded of one object.
type Record struct {
	pointers.Key
	State State
}

const objects = "/objects/"

var (
	appText    = base32.StdEncoding.WithPadding(base32.NoPadding)
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// place is the datastore key of an object, below the ledger's own.
func place(k pointers.Key) datastore.Key {
	return datastore.RawKey(objects + k.GUID.String() + "/" + appText.EncodeToString([]byte(k.App)))
}

// encode is the value at a place.
func encode(at datastore.Key, s State) []byte {
	return binary.BigEndian.AppendUint32([]byte{byte(s)}, checksum(at, s))
}

func checksum(at datastore.Key, s State) uint32 {
	return crc32.Checksum(append(at.Bytes(), byte(s)), castagnoli)
}

// decode reads the record at a place.
func decode(at datastore.Key, value []byte) (r Record, err error) {
	if r.State, err = decodeState(at, value); err != nil {
		return r, err
	}
	guid, app, _ := strings.Cut(strings.TrimPrefix(at.String(), objects), "/")
	name, err := appText.DecodeString(app)
	if err != nil {
		return r, fmt.Errorf("its application: %w", err)
	}
	if r.GUID, err = idspace.Parse(guid); err != nil {
		return r, fmt.Errorf("its GUID: %w", err)
	}
	r.App = string(name)
	return r, nil
}

func decodeState(at datastore.Key, value []byte) (State, error) {
	if len(value) != 5 {
		return None, fmt.Errorf("%d bytes, want 5", len(value))
	}
	s := State(value[0])
	switch {
	case binary.BigEndian.Uint32(value[1:]) != checksum(at, s):
		return None, errors.New("its checksum is wrong")
	case s != Published && s != Withdrawn:
		return None, fmt.Errorf("state %q, want 'p' or 'w'", s)
	}
	return s, nil
}
