package pointers_test

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// put is a deposit in the words of these tests.
type put struct {
	guid, app, server string
	sequence          uint64
	withdrawn         bool
	left, latency     time.Duration
	from              string
	copy              wire.Copy
	salt, roots       int // of one root if there is none
	until             mono.Time
	bulk              int // bytes more of its record
	under             int // one more than the salt under which it is proven to be of a batch; zero: it is alone
}

// batched are the objects of each batch.
var batched = []string{"x", "y", "b1", "b2", "b3", "b4", "b5", "b6", "b7"}

const batchRoots = 3

// lie is one place where a pointer lies.
type lie struct {
	peer        string
	copy        wire.Copy
	out         bool
	salt, roots int
}

func named(name string) idspace.ID { return idspace.Hash([]byte(name)) }

func keyOf(guid, app string) pointers.Key { return pointers.Key{GUID: named(guid), App: app} }

func (p put) key() pointers.Key { return keyOf(p.guid, p.app) }

// lie is where it comes to lie.
func (p put) lie() lie { return lie{p.from, p.copy, false, p.salt, max(p.roots, 1)} }

func (p put) record() (*wire.BatchRecord, *wire.SignedRecord) {
	guid, server := named(p.guid), named(p.server)
	rec := &wire.BatchRecord{
		Guid: guid[:], App: p.app, Server: server[:], Generation: 1 + p.sequence/4, Counter: p.sequence % 4,
		Withdrawn: p.withdrawn, LifeS: 7200,
	}
	if p.under > 0 {
		p.batch().Commit(rec)
	}
	signed := envtest.Pointer(p.server, rec)
	signed.Signature = append(signed.Signature, make([]byte, p.bulk)...)
	return rec, signed
}

var builtBatch *batch.Part

func (p put) batch() *batch.Part {
	if builtBatch == nil {
		var guids []idspace.ID
		for _, name := range batched {
			guids = append(guids, named(name))
		}
		var err error
		if builtBatch, err = batch.Build(idspace.Hex, guids, batchRoots); err != nil {
			panic(err)
		}
	}
	return builtBatch
}

// renewable reports whether p is of a batch that may be renewed.
func (p put) renewable() bool { return p.under > 0 && !p.withdrawn }

// size is what p counts for; one of a batch for its share of all that came with it.
func (p put) size() int {
	_, r := p.record()
	if p.under > 0 {
		run := p.batch().Runs()[p.under-1]
		return (run.Bytes()+8*run.Len()+sizeOf(r))/len(batched) + 1
	}
	return sizeOf(r)
}

func sizeOf(r *wire.SignedRecord) int {
	return len(r.Payload) + len(r.PublicKey) + len(r.Signature) + len(r.PayloadType)
}

// fatal is what helpers need of a test, of a benchmark and of rapid.
type fatal interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func meet(t fatal, s *pointers.Store, server string, version uint64) *pointers.Server {
	t.Helper()
	signed := envtest.Node(server, version)
	node, err := signed.Node()
	if err != nil {
		t.Fatal(err)
	}
	return s.Meet(named(server), signed, node)
}

func (p put) deposit(t fatal, s *pointers.Store) pointers.Deposit {
	t.Helper()
	rec, signed := p.record()
	d := pointers.Deposit{
		Signed: signed, Record: rec, Server: meet(t, s, p.server, 1), Copy: p.copy, Salt: p.salt, Roots: max(p.roots, 1),
		From: named(p.from), Latency: p.latency, Left: p.left, Until: p.until,
	}
	if p.under > 0 {
		d.Lot = pointers.NewLot(signed, rec, p.batch().Runs()[p.under-1])
		for item, guid := range d.Lot.Objects() {
			if guid == named(p.guid) {
				d.Item = item
			}
		}
	}
	return d
}

// lay puts p in as the tree does.
func (p put) lay(t fatal, s *pointers.Store, now mono.Time) pointers.Result {
	d := p.deposit(t, s)
	result := s.Put(d, now)
	if d.Lot != nil {
		d.Lot.Tidy()
	}
	return result
}

// putBatch puts in all objects of the batch n of a server, under its only salt.
func putBatch(t fatal, s *pointers.Store, n, objects int) (lot *pointers.Lot, rec *wire.BatchRecord, held []*pointers.Pointer) {
	t.Helper()
	guids := make([]idspace.ID, objects)
	for i := range guids {
		guids[i] = named(fmt.Sprint("object ", n*objects+i))
	}
	part, err := batch.Build(idspace.Hex, guids, 1)
	if err != nil {
		t.Fatal(err)
	}
	server := named("s1")
	rec = &wire.BatchRecord{App: "a", Server: server[:], Generation: 1, Counter: uint64(n + 1), LifeS: 7200}
	part.Commit(rec)
	signed := envtest.Pointer("s1", rec)
	lot = pointers.NewLot(signed, rec, part.Runs()[0])
	sv := meet(t, s, "s1", 1)
	for item := range lot.Objects() {
		held = append(held, s.Put(pointers.Deposit{
			Signed: signed, Record: rec, Lot: lot, Item: item, Server: sv, Copy: wire.Copy_COPY_PATH, Roots: 1,
			From: named("peer"), Left: time.Hour, Until: mono.Time(time.Hour),
		}, 1).Pointer)
	}
	return lot, rec, held
}

// long is a deposit that lasts longer than any test.
func long(guid, server string) put {
	return put{guid: guid, app: "a", server: server, from: "peer", left: time.Hour, until: mono.Time(time.Hour)}
}

// demandPut puts a deposit in, and demands what comes of it.
func demandPut(t fatal, s *pointers.Store, d put, now mono.Time, want pointers.ResultKind) pointers.Result {
	t.Helper()
	got := s.Put(d.deposit(t, s), now)
	if got.Kind != want {
		t.Fatalf("put %+v: %v, want %v", d, got.Kind, want)
	}
	demandSound(t, s)
	return got
}

func demandSound(t fatal, s *pointers.Store) {
	t.Helper()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
}
