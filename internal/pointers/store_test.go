package pointers_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

var (
	someServers = rapid.SampledFrom([]string{"s0", "s1", "s2", "s3", "s4", "s5"})
	somePeers   = rapid.SampledFrom([]string{"p1", "p2", "p3"})
	someCopies  = rapid.SampledFrom([]wire.Copy{wire.Copy_COPY_PATH, wire.Copy_COPY_PATH, wire.Copy_COPY_HEIR, wire.Copy_COPY_NEAR})
)

func seconds(t *rapid.T, label string, most int) time.Duration {
	return time.Duration(rapid.IntRange(0, most).Draw(t, label)) * time.Second
}

// pair is a store and the slow store, to which the same is done.
type pair struct {
	fast *pointers.Store
	slow *slow
	now  mono.Time
	seen sight
}

func newPair(limits pointers.Limits) *pair {
	return &pair{fast: pointers.New(named("s0"), limits), slow: newSlow("s0", limits), now: 1}
}

func (b *pair) anyPut(t *rapid.T) put {
	return put{
		guid: rapid.SampledFrom([]string{"x", "x", "y"}).Draw(t, "guid"), app: rapid.SampledFrom([]string{"a", "a", "b"}).Draw(t, "app"),
		server: someServers.Draw(t, "server"), sequence: rapid.Uint64Range(0, 9).Draw(t, "sequence"),
		withdrawn: rapid.IntRange(0, 4).Draw(t, "withdrawn") == 0, left: seconds(t, "left", 9),
		latency: time.Duration(rapid.IntRange(-1, 5).Draw(t, "latency")) * time.Millisecond,
		from:    somePeers.Draw(t, "from"), copy: someCopies.Draw(t, "copy"), salt: rapid.IntRange(0, 2).Draw(t, "salt"), roots: 3,
		until: b.now.Add(seconds(t, "until", 6)), bulk: rapid.SampledFrom([]int{0, 0, 300}).Draw(t, "bulk"),
		under: rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(t, "under"),
	}
}

func (b *pair) put(t *rapid.T) {
	for range rapid.IntRange(1, 8).Draw(t, "puts") {
		d := b.anyPut(t)
		before, was := b.slow.find(d.guid, d.app, d.server), false
		if before != nil && before.ends > b.now {
			was = before.lies[d.lie()]
		}
		got, want := d.lay(t, b.fast, b.now), b.slow.put(d, b.now)
		if got.Kind != want {
			t.Fatalf("put %+v: %v, slow store says %v", d, got.Kind, want)
		}
		held := b.slow.find(d.guid, d.app, d.server)
		if got.Pointer != nil && (got.Pointer.State != held.state || want <= pointers.Same && got.Fresh == was) {
			t.Fatalf("put %+v: %v, fresh %v, slow store has %+v", d, got.Pointer, got.Fresh, held)
		}
	}
}

func (b *pair) renew(t *rapid.T) {
	d := b.anyPut(t)
	_, got := b.fast.Renew(d.deposit(t, b.fast), b.now)
	if want := b.slow.renew(d, b.now); got != want {
		t.Fatalf("renewed by %+v: %v, slow store says %v", d, got, want)
	}
}

// anyHeld draws one of the pointers, twice; nil if there is none.
func (b *pair) anyHeld(t *rapid.T) (*pointers.Pointer, *slowPointer) {
	if len(b.slow.list) == 0 {
		return nil, nil
	}
	p := rapid.SampledFrom(b.slow.list).Draw(t, "pointer")
	return b.fast.Find(p.key(), named(p.server)), p
}

func (b *pair) lay(t *rapid.T) {
	p, want := b.anyHeld(t)
	if p == nil {
		return
	}
	to := lie{somePeers.Draw(t, "to"), someCopies.Draw(t, "copy"), true, rapid.IntRange(0, 2).Draw(t, "salt"), 3}
	l, fresh := b.fast.Lay(p, named(to.peer), to.copy, to.salt, to.roots)
	if wantFresh := b.slow.lay(want, to); fresh != wantFresh || lieOf(l) != to {
		t.Fatalf("laid %+v: %+v, fresh %v, slow store says %v", to, lieOf(l), fresh, wantFresh)
	}
}

// lieOf is where l lies, in the words of the slow store.
func lieOf(l *pointers.Laid) lie {
	peer := ""
	for _, name := range []string{"p1", "p2", "p3"} {
		if l.Branch().Peer == named(name) {
			peer = name
		}
	}
	return lie{peer, l.Branch().Copy, l.Branch().Out, l.Salt, l.Roots}
}

func (b *pair) takeOff(t *rapid.T) {
	p, want := b.anyHeld(t)
	if p == nil {
		return
	}
	l := rapid.SampledFrom(p.Laid()).Draw(t, "laid")
	b.slow.takeOff(want, lieOf(l))
	if b.fast.TakeOff(l); l.Branch() != nil {
		t.Fatalf("taken off, and still on a branch: %v", p)
	}
	b.fast.TakeOff(l) // once more is nothing
}

// anyBranch draws a branch of the slow store; not ok if there is none.
func anyBranch[V any](t *rapid.T, branches map[slowBranch]V) (b slowBranch, ok bool) {
	if len(branches) == 0 {
		return b, false
	}
	sorted := slices.SortedFunc(maps.Keys(branches), func(a, b slowBranch) int {
		return slices.Compare([]string{a.server, a.peer, a.copy.Name()}, []string{b.server, b.peer, b.copy.Name()})
	})
	return rapid.SampledFrom(sorted).Draw(t, "branch"), true
}

func (b *pair) branch(of slowBranch, out bool) *pointers.Branch {
	sv := b.fast.Server(wire.ServerRefTo(named(of.server)))
	if sv == nil {
		return nil
	}
	return sv.Branch(named(of.peer), of.copy, out)
}

func (b *pair) extend(t *rapid.T) {
	if of, ok := anyBranch(t, b.slow.in); ok {
		until := b.now.Add(seconds(t, "until", 9) - time.Second)
		b.fast.Extend(b.branch(of, false), until)
		b.slow.in[of] = max(b.slow.in[of], until)
	}
}

func (b *pair) cut(t *rapid.T) {
	if of, ok := anyBranch(t, b.slow.out); ok {
		b.fast.Cut(b.branch(of, true))
		b.slow.cut(of)
	}
}

func (b *pair) bury(t *rapid.T) {
	dead := someServers.Draw(t, "server")
	if got, want := len(b.fast.Bury(named(dead), b.now)), b.slow.bury(dead, b.now); got != want {
		t.Fatalf("bury %s hid %d, slow store %d", dead, got, want)
	}
}

// known draws a server of which anything is kept, nil if there is none.
func (b *pair) known(t *rapid.T) (*pointers.Server, string) {
	names := slices.Sorted(maps.Keys(b.slow.known()))
	if len(names) == 0 {
		return nil, ""
	}
	name := rapid.SampledFrom(names).Draw(t, "server")
	return b.fast.Server(wire.ServerRefTo(named(name))), name
}

func (b *pair) doubt(t *rapid.T) {
	if sv, name := b.known(t); sv != nil {
		by := somePeers.Draw(t, "by")
		if got, want := b.fast.Doubt(sv, named(by), b.now), b.slow.doubt(name, by, b.now); got != want {
			t.Fatalf("%s doubts %s: %v, slow store says %v", by, name, got, want)
		}
	}
}

func (b *pair) revive(t *rapid.T) {
	if sv, name := b.known(t); sv != nil {
		made := b.now.Add(seconds(t, "ago", 4) - 3*time.Second)
		if got, want := len(b.fast.Revive(sv, made)), b.slow.revive(name, made); got != want {
			t.Fatalf("revive %s showed %d, slow store %d", name, got, want)
		}
	}
}

func (b *pair) expire(t *rapid.T) {
	most, gone := rapid.SampledFrom([]int{1, 3, 1000}).Draw(t, "most"), 0
	for {
		at, ok := b.fast.NextExpiry()
		if !ok || at > b.now {
			break
		}
		before := b.fast.Changes()
		list, off := b.fast.Expire(b.now, most)
		for _, l := range off {
			if l.Branch() != nil || b.fast.Find(l.Key, l.Server.ID) != l.Pointer && !slices.Contains(list, l.Pointer) {
				t.Fatalf("%v was taken off, and is neither here nor gone", l.Pointer)
			}
		}
		got := len(list) + len(off)
		if gone += len(list); got > most || b.fast.Changes() == before {
			t.Fatalf("%d expired at once, at most %d wanted; next at %v, now %v", got, most, at, b.now)
		}
	}
	if want := b.slow.expire(b.now); gone != want {
		t.Fatalf("%d expired, slow store says %d", gone, want)
	}
}

// TestStoreIsTheSlowStore runs the same operations on both and demands the same
// results, the same order, the same survivors and the same branches.
func TestStoreIsTheSlowStore(t *testing.T) {
	size := put{guid: "x", app: "a", server: "s1"}.size()
	rapid.Check(t, func(t *rapid.T) {
		b := newPair(pointers.Limits{PerServer: 5, PerObject: 3, PerNode: 8, Bytes: rapid.SampledFrom([]int{5 * size, 1 << 20}).Draw(t, "bytes")})
		t.Repeat(map[string]func(*rapid.T){
			"put": b.put, "renew": b.renew, "lay": b.lay, "lay more": b.lay, "take off": b.takeOff, "extend": b.extend, "cut": b.cut,
			"bury": b.bury, "doubt": b.doubt, "revive": b.revive, "expire": b.expire,
			"wait": func(t *rapid.T) {
				b.now = b.now.Add(time.Duration(rapid.IntRange(0, 2500).Draw(t, "ms")) * time.Millisecond)
			},
			"": b.compare,
		})
	})
}

func (b *pair) compare(t *rapid.T) {
	demandSound(t, b.fast)
	servers := make(map[string]bool)
	for _, p := range b.slow.list {
		servers[p.server] = true
	}
	if b.fast.Len() != len(b.slow.list) || b.fast.Stats().Servers != len(servers) {
		t.Fatalf("%d pointers, %+v; slow store has %d of %v", b.fast.Len(), b.fast.Stats(), len(b.slow.list), servers)
	}
	for _, name := range []string{"s0", "s1", "s2", "s3"} {
		if known := b.fast.Server(wire.ServerRefTo(named(name))) != nil; known != b.slow.known()[name] {
			t.Fatalf("%s is known: %v", name, known)
		}
	}
	for _, p := range b.slow.list {
		b.compareLive(t, p.key())
		b.compareHeld(t, p)
	}
	b.compareBranches(t)
	at, ok := b.fast.NextExpiry()
	if want, wantOK := b.slow.next(); at != want || ok != wantOK {
		t.Fatalf("next expiry %v, %v; slow store says %v, %v", at, ok, want, wantOK)
	}
	b.demandCounted(t)
}

func (b *pair) compareLive(t *rapid.T, key pointers.Key) {
	want := slowServers(b.slow.live(key, b.now))
	for most := range 4 {
		if got := servers(b.fast.Live(key, b.now, most)); !slices.Equal(got, want[:min(len(want), most)]) {
			t.Fatalf("live %v: %v, slow store says %v", key, got, want)
		}
	}
}

func (b *pair) compareHeld(t *rapid.T, p *slowPointer) {
	held := b.fast.Find(p.key(), named(p.server))
	if held == nil || held.State != p.state || held.Expires() != p.ends || held.Until() != b.slow.until(p) || mono.Time(held.Latency) != p.latency {
		t.Fatalf("held %v, slow store has %+v until %v", held, p, b.slow.until(p))
	}
	lies := make(map[lie]bool)
	for _, l := range held.Laid() {
		lies[lieOf(l)] = true
		onward := held.Onward(l.Salt, l.Roots)
		if l.Branch().Out && l.Branch().Copy == wire.Copy_COPY_PATH && (onward == nil || onward.Salt != l.Salt || onward.Roots != l.Roots) {
			t.Fatalf("%v goes on to %v", held, onward)
		}
		if came := held.OnPath(l.Salt, l.Roots); !l.Branch().Out && l.Branch().Copy == wire.Copy_COPY_PATH && !came {
			t.Fatalf("%v has not come along the path of salt %d", held, l.Salt)
		}
	}
	if len(held.Laid()) != len(p.lies) || !maps.Equal(lies, p.lies) {
		t.Fatalf("%v lies at %v, slow store says %v", held, lies, p.lies)
	}
	b.compareProofs(t, held, p)
}

// compareProofs demands that a pointer is proven under the salts that it has come under, and to whoever reads it alone.
func (b *pair) compareProofs(t *rapid.T, held *pointers.Pointer, p *slowPointer) {
	for salt := range batchRoots {
		if lot, _ := held.Stand(salt); (lot != nil) != p.proven[salt+1] {
			t.Fatalf("%v has a proof under salt %d: %v, slow store says %v", held, salt, lot != nil, p.proven)
		}
	}
	rec, err := held.Record().Batch()
	if err != nil {
		t.Fatal(err)
	}
	proof, under := held.Proof()
	if d, err := pointers.Alone(idspace.Hex, held.Record(), rec, uint32(under), proof); err != nil || d.Key() != held.Key {
		t.Fatalf("%v reads %v: %v", held, d.Key(), err)
	}
}

// compareBranches demands the same branches with the same deadlines, and digests that are the sum
// of what lies there. Of a branch that goes out, whatever changes is due.
func (b *pair) compareBranches(t *rapid.T) {
	for of, until := range b.slow.in {
		in, want := b.branch(of, false), until
		if in == nil || in.Until() != want {
			t.Fatalf("branch %+v is %v, its deadline %v", of, in, want)
		}
		b.compareDigest(t, of, in)
	}
	for of := range b.slow.out {
		out := b.branch(of, true)
		if out == nil {
			t.Fatalf("branch %+v is missing", of)
		}
		b.compareDigest(t, of, out)
	}
	all := 0
	for server := range b.slow.known() {
		all += len(b.fast.Server(wire.ServerRefTo(named(server))).Branches())
	}
	if all != len(b.slow.in)+len(b.slow.out) {
		t.Fatalf("%d branches, slow store has %d and %d", all, len(b.slow.in), len(b.slow.out))
	}
	for _, empty := range b.fast.Emptied() {
		if !empty.Out {
			t.Fatal("a branch that comes in is to be told that it is empty")
		}
	}
}

func (b *pair) compareDigest(t *rapid.T, of slowBranch, branch *pointers.Branch) {
	sum, count := b.slow.on(of, branch.Out)
	if gotCount, got := branch.Digest(); got != sum || gotCount != count || branch.Len() != int(count) {
		t.Fatalf("digest of %+v is %d %v, slow store says %d %v", of, gotCount, got, count, sum)
	}
	prints := branch.Prints()
	if !slices.IsSorted(prints) || len(prints) != branch.Len()+len(branch.Headers()) {
		t.Fatalf("what lies on %+v is not sorted", of)
	}
	for i := range branch.Len() {
		if _, listed := slices.BinarySearch(prints, branch.At(i).Print()); !listed {
			t.Fatalf("%v is not listed", branch.At(i))
		}
	}
}

// sight is what Check looked at, what Changes was then, and the digests of the branches that go out.
type sight struct {
	looked  string
	changes uint64
	told    map[*pointers.Branch]wire.Sum
}

// demandCounted demands that whatever has changed in the store since it was last seen was counted,
// and that a branch that goes out is due if its digest is another.
func (b *pair) demandCounted(t *rapid.T) {
	last, now := b.seen, sight{changes: b.fast.Changes(), told: make(map[*pointers.Branch]wire.Sum)}
	for _, p := range b.fast.Sorted() {
		now.looked += fmt.Sprint(p, p.Expires(), ";")
	}
	if now.looked != last.looked && now.changes == last.changes {
		t.Fatalf("%s became %s, and no change was counted", last.looked, now.looked)
	}
	for of := range b.slow.out {
		out := b.branch(of, true)
		_, sum := out.Digest()
		if before, known := last.told[out]; !out.Due && (!known || before != sum) {
			t.Fatalf("the branch %+v has changed and is not due", of)
		}
		now.told[out], out.Due = sum, false // as if its peer were told
	}
	b.seen = now
}

func servers(list []*pointers.Pointer) (ids []idspace.ID) {
	for _, p := range list {
		ids = append(ids, p.Server.ID)
	}
	return ids
}

func slowServers(list []*slowPointer) (ids []idspace.ID) {
	for _, p := range list {
		ids = append(ids, named(p.server))
	}
	return ids
}

func TestNewestNodeRecordIsSharedByAServersPointers(t *testing.T) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	for version, guid := range []string{"x", "y", "z"} {
		d := long(guid, "s").deposit(t, s)
		d.Server = meet(t, s, "s", uint64([]int{2, 3, 1}[version]))
		s.Put(d, 0)
	}
	for i := range s.Len() {
		n, err := s.At(i).Server.Record.Node()
		if err != nil || n.Version != 3 {
			t.Fatalf("%v has the node record of version %d, %v", s.At(i), n.Version, err)
		}
	}
	if got := s.Stats().Servers; got != 1 {
		t.Fatalf("%d servers", got)
	}
}

func TestTheAnchorIsThatOfTheNewestRecord(t *testing.T) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	sv := demandPut(t, s, long("x", "s"), 0, pointers.Stored).Pointer.Server
	s.Meet(named("s"), sv.Record, &wire.NodeRecord{Generation: 1, Version: 2})
	if _, ok := sv.Anchor(); ok {
		t.Error("a record without a lease has an anchor")
	}
	first, second := lease.Token{1}, lease.Token{2}
	for _, c := range []struct {
		version uint64
		brings  lease.Token
		want    lease.Token
	}{{3, first, first}, {5, second, second}, {4, first, second}} {
		s.Meet(named("s"), sv.Record, &wire.NodeRecord{Generation: 1, Version: c.version, Lease: c.brings[:]})
		if got, ok := sv.Anchor(); !ok || got != c.want {
			t.Errorf("after version %d the anchor is %v, %v", c.version, got, ok)
		}
	}
}

func TestAServerOfWhichNothingIsLeftIsNotKnown(t *testing.T) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	if meet(t, s, "s", 1); s.Server(wire.ServerRefTo(named("s"))) != nil {
		t.Fatal("a server is known that was only met")
	}
	p := demandPut(t, s, long("x", "s"), 0, pointers.Stored).Pointer
	l, _ := s.Lay(p, named("next"), wire.Copy_COPY_PATH, 0, 1)
	out := l.Branch()
	if s.TakeOff(p.Laid()[0]); s.Len() != 0 || s.Server(wire.ServerRefTo(named("s"))) == nil {
		t.Fatal("the server is forgotten before the next hop knows")
	}
	if emptied := s.Emptied(); len(emptied) != 1 || emptied[0] != out || len(s.Emptied()) != 0 {
		t.Fatalf("emptied: %v", emptied)
	}
	demandSound(t, s)
	if s.Cut(out); s.Server(wire.ServerRefTo(named("s"))) != nil {
		t.Fatal("a server is known of which nothing is left")
	}
	demandSound(t, s)
}

func TestABranchOnWhichSomethingLiesIsNotCut(t *testing.T) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	p := demandPut(t, s, long("x", "s"), 0, pointers.Stored).Pointer
	l, _ := s.Lay(p, named("next"), wire.Copy_COPY_PATH, 0, 1)
	s.Cut(l.Branch())
	s.Cut(p.Laid()[0].Branch())
	demandSound(t, s)
	if len(p.Server.Branches()) != 2 {
		t.Fatalf("branches %v", p.Server.Branches())
	}
}

// Whatever empties a branch that goes out, its peer is to hear of it.
func TestEveryBranchThatBecomesEmptyIsListed(t *testing.T) {
	for name, c := range map[string]struct {
		d   put
		end func(*pointers.Store, *pointers.Pointer)
	}{
		"no token comes": {put{until: 5, left: time.Hour}, func(s *pointers.Store, _ *pointers.Pointer) { s.Expire(5, 9) }},
		"its record ends": {put{until: mono.Time(time.Hour), left: 5}, func(s *pointers.Store, _ *pointers.Pointer) {
			s.Expire(5, 9)
		}},
		"it is put anew": {put{until: mono.Time(time.Hour), left: 5}, func(s *pointers.Store, p *pointers.Pointer) {
			s.Put(put{guid: "x", app: "a", server: "s1", from: "peer"}.deposit(t, s), 5)
		}},
		"a nearer one comes": {put{until: mono.Time(time.Hour), left: time.Hour, latency: time.Second}, func(s *pointers.Store, _ *pointers.Pointer) {
			s.Put(long("x", "s2").deposit(t, s), 5)
		}},
		"it goes elsewhere": {put{until: mono.Time(time.Hour), left: time.Hour}, func(s *pointers.Store, p *pointers.Pointer) {
			s.Lay(p, named("another"), wire.Copy_COPY_PATH, 0, 1)
			s.TakeOff(p.Onward(0, 1))
		}},
	} {
		s := pointers.New(idspace.ID{}, pointers.Limits{PerObject: 1})
		c.d.guid, c.d.app, c.d.server, c.d.from = "x", "a", "s1", "peer"
		p := demandPut(t, s, c.d, 0, pointers.Stored).Pointer
		l, _ := s.Lay(p, named("next"), wire.Copy_COPY_PATH, 0, 1)
		out := l.Branch()
		c.end(s, p)
		demandSound(t, s)
		if out.Len() != 0 || !slices.Contains(s.Emptied(), out) {
			t.Errorf("%s: %d pointers, not listed", name, out.Len())
		}
	}
}

func TestWalkFromTheEndMissesNoneThatStay(t *testing.T) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	for i := range 100 {
		d := long(fmt.Sprint(i), "s")
		d.left = time.Duration(1+i%7) * time.Second
		s.Put(d.deposit(t, s), 0)
	}
	seen := make(map[pointers.Key]bool)
	for i := s.Len(); i > 0; {
		i--
		seen[s.At(i).Key] = true
		if i%10 == 0 {
			s.Expire(mono.Time(time.Duration(7-i/10)*time.Second), 3)
			i = min(i, s.Len())
		}
	}
	for i := range s.Len() {
		if !seen[s.At(i).Key] {
			t.Fatalf("%v was not seen", s.At(i))
		}
	}
}

// TestAFullListKeepsNearAndDiverseServers: ten servers close by, ten far away on one heap, one
// beyond; whoever comes first.
func TestAFullListKeepsNearAndDiverseServers(t *testing.T) {
	type server struct {
		name    string
		latency time.Duration
		x       float64
	}
	var all []server
	for i := range 10 {
		all = append(all,
			server{fmt.Sprint("near ", i), time.Duration(10+i) * time.Millisecond, float64(i) / 1000},
			server{fmt.Sprint("heap ", i), time.Duration(200+i) * time.Millisecond, 0.2 + float64(i)/1000})
	}
	all = append(all, server{"beyond", 300 * time.Millisecond, -0.3})
	for _, order := range []string{"as listed", "backwards"} {
		s := pointers.New(named("me"), pointers.Limits{PerObject: 8})
		for _, x := range all {
			p := long("x", x.name)
			p.latency = x.latency
			d := p.deposit(t, s)
			d.Server.Coord = wire.Point{Vec: [wire.CoordDims]float64{x.x}, Error: 0.1}.Pack()
			s.Put(d, 0)
		}
		var kept []idspace.ID
		for _, p := range s.Live(long("x", "me").key(), 0, 100) {
			kept = append(kept, p.Server.ID)
		}
		has := func(name string) bool { return slices.Contains(kept, named(name)) }
		if len(kept) != 8 || !has("near 0") || !has("near 1") || !has("near 2") || !has("near 3") || !has("beyond") {
			t.Errorf("%s: kept %v", order, kept)
		}
		if !slices.ContainsFunc(all, func(x server) bool { return x.x >= 0.2 && has(x.name) }) {
			t.Errorf("%s: nobody of the heap was kept", order)
		}
		slices.Reverse(all)
	}
}
