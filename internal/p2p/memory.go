package p2p

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/namespace"
	"google.golang.org/protobuf/proto"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// maxRemembered is how many neighbors a node remembers over a restart.
const maxRemembered = 32

// The keys of what is remembered, below the network's and the node's own.
var (
	generationKey = datastore.NewKey("generation") // eight bytes, big-endian: the last one used
	neighborsKey  = datastore.NewKey("neighbors")  // a Records message
)

// ErrDatastore: Config.Store could not be read or written.
var ErrDatastore = errors.New("datastore")

// memory is what a node knows of its earlier lives. Without a datastore it knows those
// in the same process.
type memory struct {
	store datastore.Datastore // nil if there is none
	key   string              // names the node among all of the process
}

func newMemory(store datastore.Datastore, network string, self idspace.ID) *memory {
	m := &memory{key: network + "/" + self.String()}
	if store != nil {
		m.store = namespace.Wrap(store, datastore.NewKey("/tapestry/"+m.key))
	}
	return m
}

// lives holds the last generation of every node of this process: a node that is started
// again within the second must not look like its former self (design §6).
var lives = struct {
	sync.Mutex
	last map[string]uint64
}{last: map[string]uint64{}}

// reborn returns a generation above all former ones, at least the Unix second, and
// remembers it before anybody can see it.
func (m *memory) reborn(ctx context.Context, now time.Time) (uint64, error) {
	lives.Lock()
	defer lives.Unlock()
	last, err := m.lastGeneration(ctx)
	if err != nil {
		return 0, fmt.Errorf("%w: generation: %w", ErrDatastore, err)
	}
	next := max(uint64(now.Unix()), last+1, lives.last[m.key]+1)
	if err := m.put(ctx, generationKey, binary.BigEndian.AppendUint64(nil, next)); err != nil {
		return 0, fmt.Errorf("%w: generation: %w", ErrDatastore, err)
	}
	lives.last[m.key] = next
	return next, nil
}

func (m *memory) lastGeneration(ctx context.Context) (uint64, error) {
	b, err := m.get(ctx, generationKey)
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%d bytes, want 8", len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// neighbors returns the remembered records, to be verified like any others.
func (m *memory) neighbors(ctx context.Context) ([]*wire.SignedRecord, error) {
	b, err := m.get(ctx, neighborsKey)
	if err != nil {
		return nil, err
	}
	all := new(wire.Records)
	if err := proto.Unmarshal(b, all); err != nil {
		return nil, fmt.Errorf("remembered neighbors: %w", err)
	}
	return all.Records[:min(len(all.Records), maxRemembered)], nil
}

// remember replaces the remembered records. Of a node that has lost everybody, the
// neighbors of before are worth more.
func (m *memory) remember(ctx context.Context, records []*wire.SignedRecord) error {
	if m.store == nil || len(records) == 0 {
		return nil
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&wire.Records{Records: records})
	if err != nil {
		return err
	}
	return m.put(ctx, neighborsKey, b)
}

// get returns nil for what is not there.
func (m *memory) get(ctx context.Context, k datastore.Key) ([]byte, error) {
	if m.store == nil {
		return nil, nil
	}
	b, err := m.store.Get(ctx, k)
	if errors.Is(err, datastore.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

func (m *memory) put(ctx context.Context, k datastore.Key, b []byte) error {
	if m.store == nil {
		return nil
	}
	return errors.Join(m.store.Put(ctx, k, b), m.store.Sync(ctx, k))
}
