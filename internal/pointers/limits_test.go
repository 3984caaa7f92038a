package pointers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

func TestWhatIsRefusedNamesItsLimit(t *testing.T) {
	size := long("0", "s").size() + sizeOfServer("s")
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
	limits := pointers.Limits{Bytes: 10*size + sizeOfServer("s")}
	s := pointers.New(idspace.ID{}, limits)
	refused := 0
	for i := range 20 {
		d := long(fmt.Sprint(i), "s")
		d.from = fmt.Sprint(i)
		if r := s.Put(d.deposit(t, s), 0); r.Kind == pointers.Full {
			refused++
		}
		demandSound(t, s)
	}
	got := s.Stats()
	if got.Bytes > limits.Bytes || got.Bytes < limits.Bytes/2 || int(got.Refused) != refused || refused == 0 {
		t.Fatalf("%+v, %d refused", got, refused)
	}
	t.Logf("%d of %d bytes", got.Bytes, limits.Bytes)
}

// The records of servers count too: whoever makes them up makes them long.
func TestBytesOfServersAreBounded(t *testing.T) {
	const many = 1000
	each := long("x", "s0").size() + sizeOfServer("s0")
	s := pointers.New(named("me"), pointers.Limits{Bytes: 50 * each, PerObject: many})
	for i := range many {
		d := long("x", fmt.Sprint("s", i))
		d.from = fmt.Sprint(i % 7)
		s.Put(d.deposit(t, s), 0)
		demandSound(t, s)
	}
	if got := s.Stats(); got.Bytes > 50*each || got.Servers > 51 || got.Servers < 40 {
		t.Errorf("%+v, %d bytes allowed", got, 50*each)
	}
	// Nor does a longer record of a server that is held open the door.
	before := s.Stats().Bytes
	for i := range many {
		sv := s.Server(wire.ServerRefTo(named(fmt.Sprint("s", i))))
		if sv == nil {
			continue
		}
		longer := envtest.Node(fmt.Sprint("s", i), 2)
		longer.Signature = append(longer.Signature, make([]byte, 2000)...)
		node, err := longer.Node()
		if err != nil {
			t.Fatal(err)
		}
		s.Meet(sv.ID, longer, node)
		demandSound(t, s)
	}
	if got := s.Stats(); got.Bytes > 50*each || got.Bytes < before {
		t.Errorf("after longer records: %+v, %d bytes allowed", got, 50*each)
	}
}

// One neighbor that brings all it can fills half, two a third each: there is always room for others.
func TestNobodyBringsMoreThanIsLeftFree(t *testing.T) {
	const most = 240
	s := pointers.New(named("me"), pointers.Limits{PerNode: most})
	for _, flooder := range []string{"a", "b", "c"} {
		before, last := s.Len(), pointers.Result{}
		for i := range 2 * most {
			d := long(fmt.Sprint(i), fmt.Sprint(flooder, i))
			d.from = flooder
			last = s.Put(d.deposit(t, s), 0)
		}
		demandSound(t, s)
		t.Logf("%s has brought %d of %d", flooder, s.Len()-before, most)
		if last.Kind != pointers.Full || last.Limit != wire.Limit_LIMIT_PEER || s.Len()-before > most-s.Len()+1 {
			t.Errorf("%s has brought %d; %d are left; %v, %v", flooder, s.Len()-before, most-s.Len(), last.Kind, last.Limit)
		}
	}
	d := long("mine", "honest")
	d.from = "somebody else"
	demandPut(t, s, d, 0, pointers.Stored)
	// What is held comes along any branch, and is renewed there.
	d.from, d.sequence = "a", 5
	demandPut(t, s, d, 0, pointers.Renewed)
}

// Nor does one push the servers of an object out that others bring, however near its own say to be.
func TestNobodyPushesOutWhatOthersBring(t *testing.T) {
	s := pointers.New(named("me"), pointers.Limits{PerObject: 16})
	for i := range 8 {
		d := long("x", fmt.Sprint("honest", i))
		d.from, d.latency = fmt.Sprint("peer", i/2), time.Second
		demandPut(t, s, d, 0, pointers.Stored)
	}
	madeUp := make(map[idspace.ID]bool)
	for i := range 1000 {
		d := long("x", fmt.Sprint("made up", i))
		madeUp[named(d.server)] = true
		d.from, d.latency = "flooder", time.Duration(1000-i)
		s.Put(d.deposit(t, s), 0)
		if i%8 == 0 { // it names what others have brought, too
			d = long("x", fmt.Sprint("honest", i/8%8))
			d.from = "flooder"
			s.Put(d.deposit(t, s), 0)
		}
		demandSound(t, s)
	}
	honest := func() {
		t.Helper()
		for i := range 8 {
			if s.Find(keyOf("x", "a"), named(fmt.Sprint("honest", i))) == nil {
				t.Errorf("honest server %d was pushed out", i)
			}
		}
	}
	honest()
	late := long("x", "late") // who brings less takes the place of one who brings more
	late.from = "peer9"
	if r := demandPut(t, s, late, 0, pointers.Stored); r.Evicted == nil || !madeUp[r.Evicted.Server.ID] {
		t.Errorf("%v gave way", r.Evicted)
	}
	honest()
}

// A small record must not open the door to a large one.
func TestBytesAreBoundedWhenARecordIsReplaced(t *testing.T) {
	small, large := long("x", "s1"), long("x", "s1")
	large.bulk, large.sequence = 1000, 3
	limits := pointers.Limits{Bytes: small.size() + 500, PerObject: 1}
	s := pointers.New(named("s0"), limits)
	p := demandPut(t, s, small, 0, pointers.Stored).Pointer
	demandPut(t, s, large, 0, pointers.Full)
	if _, ok := s.Renew(large.deposit(t, s), 0); ok || p.Sequence() != (pointers.Sequence{Generation: 1}) {
		t.Errorf("renewed by a record of %d bytes where %d are allowed", large.size(), limits.Bytes)
	}
	small.latency = time.Second
	s = pointers.New(named("s0"), limits)
	demandPut(t, s, small, 0, pointers.Stored)
	large.server = "s2"
	demandPut(t, s, large, 0, pointers.Full)
}

func TestWhatANodePublishesItselfTakesNobodysPlace(t *testing.T) {
	s := pointers.New(named("s0"), pointers.Limits{Bytes: long("x", "s1").size() + sizeOfServer("s1"), PerNode: 1, PerServer: 1, PerObject: 1})
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
		if of := (peer + 1) * wire.MaxRoots; laid > min(of, most) || of <= most/2 && laid != of {
			t.Fatalf("%d places by %d peers, at most %d allowed", laid, peer+1, min(of, most))
		}
	}
	if laid < most-1 {
		t.Fatalf("%d places of %d", laid, most)
	}
	demandSound(t, s)
	demandPut(t, s, long("y", "s"), 0, pointers.Full)
	again := long("x", "s") // what lies there already is renewed nevertheless
	again.from, again.roots, again.sequence = "0", 1, 1
	demandPut(t, s, again, 0, pointers.Renewed)
	if len(s.At(0).Laid()) != laid {
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
