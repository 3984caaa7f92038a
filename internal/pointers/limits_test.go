package pointers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

func TestWhatIsRefusedNamesItsLimit(t *testing.T) {
	size := long("0", "s").size()
	for limit, limits := range map[wire.Limit]pointers.Limits{
		wire.Limit_LIMIT_SERVER: {PerServer: 1}, wire.Limit_LIMIT_NODE: {PerNode: 1}, wire.Limit_LIMIT_BYTES: {Bytes: size},
	} {
		s := pointers.New(idspace.ID{}, limits)
		demandPut(t, s, long("0", "s"), 0, pointers.Stored)
		if r := demandPut(t, s, long("1", "s"), 0, pointers.Full); r.Limit != limit {
			t.Errorf("%+v: refused because of %v", limits, r.Limit)
		}
	}
	s := pointers.New(idspace.ID{}, pointers.Limits{PerObject: 1})
	demandPut(t, s, long("0", "s"), 0, pointers.Stored)
	far := long("0", "far")
	far.latency = time.Second
	if r := demandPut(t, s, far, 0, pointers.Full); r.Limit != wire.Limit_LIMIT_OBJECT {
		t.Errorf("a second server of an object: refused because of %v", r.Limit)
	}
}

func TestBytesAreBounded(t *testing.T) {
	size := long("0", "s").size()
	s := pointers.New(idspace.ID{}, pointers.Limits{Bytes: 10*size + size/2})
	for i := range 20 {
		want := pointers.Stored
		if i >= 10 {
			want = pointers.Full
		}
		demandPut(t, s, long(fmt.Sprint(i), "s"), 0, want)
	}
	if got := s.Stats(); got.Bytes != 10*size || got.Refused != 10 {
		t.Fatalf("%+v", got)
	}
}

// A small record must not open the door to a large one.
func TestBytesAreBoundedWhenARecordIsReplaced(t *testing.T) {
	small, large := long("x", "s1"), long("x", "s1")
	large.bulk, large.sequence = 1000, 3
	limits := pointers.Limits{Bytes: small.size() + 500, PerObject: 1}
	s := pointers.New(named("s0"), limits)
	p := demandPut(t, s, small, 0, pointers.Stored).Pointer
	demandPut(t, s, large, 0, pointers.Full)
	if _, ok := s.Renew(large.deposit(t, s), 0); ok || p.Sequence != (pointers.Sequence{Generation: 1}) {
		t.Errorf("renewed by a record of %d bytes where %d are allowed", large.size(), limits.Bytes)
	}
	small.latency = time.Second
	s = pointers.New(named("s0"), limits)
	demandPut(t, s, small, 0, pointers.Stored)
	large.server = "s2"
	demandPut(t, s, large, 0, pointers.Full)
}

func TestWhatANodePublishesItselfTakesNobodysPlace(t *testing.T) {
	s := pointers.New(named("s0"), pointers.Limits{Bytes: long("x", "s1").size(), PerNode: 1, PerServer: 1, PerObject: 1})
	for i := range 20 {
		d := long(fmt.Sprint(i), "s0")
		d.until, d.bulk = 1<<62, 100*i
		demandPut(t, s, d, 0, pointers.Stored)
	}
	demandPut(t, s, long("x", "s1"), 0, pointers.Stored)
	demandPut(t, s, long("y", "s1"), 0, pointers.Full)
}

// Salts are not signed: whoever has a record can lay it under all of them.
func TestPlacesOnBranchesAreBounded(t *testing.T) {
	const most = 4 * 100
	s := pointers.New(idspace.ID{}, pointers.Limits{PerNode: 100})
	laid := 0
	for peer := range 100 {
		for roots := 1; roots <= wire.MaxRoots; roots++ {
			for salt := range roots {
				d := long("x", "s")
				d.from, d.salt, d.roots = fmt.Sprint(peer), salt, roots
				if r := s.Put(d.deposit(t, s), 0); r.Fresh {
					laid++
				}
			}
		}
		if of := (peer + 1) * wire.MaxRoots; laid != min(of, most) {
			t.Fatalf("%d places by %d peers, at most %d allowed", laid, peer+1, min(of, most))
		}
	}
	demandSound(t, s)
	demandPut(t, s, long("y", "s"), 0, pointers.Full)
	again := long("x", "s") // what lies there already is renewed nevertheless
	again.from, again.roots, again.sequence = "0", 1, 1
	demandPut(t, s, again, 0, pointers.Renewed)
	if len(s.At(0).Laid()) != most {
		t.Fatalf("%d places", len(s.At(0).Laid()))
	}
}

// A pointer that nobody would be told of must not push out one that serves.
func TestADeadServersPointerTakesNobodysPlace(t *testing.T) {
	s := pointers.New(named("s0"), pointers.Limits{PerObject: 1})
	far, near := long("x", "far"), long("x", "near")
	far.latency = time.Second
	demandPut(t, s, far, 0, pointers.Stored)
	demandPut(t, s, long("another", "near"), 0, pointers.Stored)
	s.Bury(named("near"), 5)
	demandPut(t, s, near, 6, pointers.Full)
	s.Revive(s.Server(wire.ServerRefTo(named("near"))), 7)
	if r := demandPut(t, s, near, 8, pointers.Stored); r.Evicted == nil || r.Evicted.Server.ID != named("far") {
		t.Fatalf("evicted %v", r.Evicted)
	}
}

// Of two servers whose identifiers begin alike the first is kept, and costs nobody his place.
func TestTwoIdentifiersOfOneBeginningDoNotMix(t *testing.T) {
	s := pointers.New(named("s0"), pointers.Limits{PerObject: 1})
	far := long("x", "far")
	far.latency = time.Second
	demandPut(t, s, far, 0, pointers.Stored)
	demandPut(t, s, long("y", "s1"), 0, pointers.Stored)
	d := long("x", "s1").deposit(t, s)
	twin := d.Server.ID
	twin[idspace.Size-1] ^= 1
	d.Record.Server = twin[:]
	d.Server = s.Meet(twin, d.Server.Record, &wire.NodeRecord{})
	if r := s.Put(d, 0); r.Kind != pointers.Full || s.Stats().Evicted != 0 || s.Find(far.key(), named("far")) == nil {
		t.Fatalf("%v, %+v", r.Kind, s.Stats())
	}
	demandSound(t, s)
}
