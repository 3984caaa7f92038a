package pointers_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

// put is a deposit in the words of these tests.
type put struct {
	guid, app, server string
	sequence          uint64
	withdrawn         bool
	left, latency     time.Duration
	hearsay           bool
	salt              int
	next              string
}

func (p put) deposit(t interface{ Fatal(...any) }) pointers.Deposit {
	guid, server := idspace.Hash([]byte(p.guid)), idspace.Hash([]byte(p.server))
	rec := &wire.PointerRecord{
		Guid: guid[:], App: p.app, Server: server[:], Generation: 1 + p.sequence/4, Counter: p.sequence % 4,
		Withdrawn: p.withdrawn, LifeS: 75,
	}
	signed, node := envtest.Pointer(p.server, rec), envtest.Node(p.server, 1)
	opened, err := node.Node()
	if err != nil {
		t.Fatal(err)
	}
	return pointers.Deposit{
		Signed: signed, Record: rec, Server: node, Node: opened,
		Path:    pointers.Path{Salt: p.salt, Roots: 4, Next: idspace.Hash([]byte(p.next))},
		Latency: p.latency, Left: p.left, Hearsay: p.hearsay,
	}
}

func (p put) key() pointers.Key {
	return pointers.Key{GUID: idspace.Hash([]byte(p.guid)), App: p.app}
}

// slow is the obvious store: one list, scanned for everything.
type slow struct {
	self   string
	limits pointers.Limits
	list   []*slowPointer
	buried map[string]bool
}

type slowPointer struct {
	put
	state pointers.State
	until mono.Time
}

func (s *slow) count(match func(*slowPointer) bool) (n int) {
	for _, p := range s.list {
		if match(p) {
			n++
		}
	}
	return n
}

func (s *slow) remove(gone *slowPointer) {
	s.list = slices.DeleteFunc(s.list, func(p *slowPointer) bool { return p == gone })
	if s.count(func(p *slowPointer) bool { return p.server == gone.server }) == 0 {
		delete(s.buried, gone.server) // nothing is remembered of a server without pointers
	}
}

func (s *slow) put(d put, now mono.Time) pointers.ResultKind {
	var held *slowPointer
	for _, p := range s.list {
		if p.guid == d.guid && p.app == d.app && p.server == d.server {
			held = p
		}
	}
	if held != nil && held.until <= now {
		s.remove(held)
		held = nil
	}
	if held != nil && held.sequence > d.sequence {
		return pointers.Older
	}
	if d.left <= 0 || held == nil && s.buried[d.server] && d.hearsay {
		return pointers.Ignored
	}
	if held != nil && held.sequence == d.sequence {
		if d.latency >= 0 && d.latency < held.latency {
			held.latency = d.latency
		}
		return pointers.Same
	}
	if held == nil && !s.room(d) {
		return pointers.Full
	}
	kind := pointers.Renewed
	if held == nil {
		kind, held = pointers.Stored, &slowPointer{}
		s.list = append(s.list, held)
	} else if d.latency < 0 {
		d.latency = held.latency
	}
	d.latency = max(d.latency, 0)
	if !d.hearsay {
		delete(s.buried, d.server)
	}
	held.put, held.until, held.state = d, now.Add(d.left), pointers.Live
	if s.buried[d.server] {
		held.state = pointers.Dead
	}
	if d.withdrawn {
		held.state = pointers.Withdrawn
	}
	return kind
}

// room applies the limits, and makes room if it may.
func (s *slow) room(d put) bool {
	if d.server == s.self {
		return true
	}
	if s.count(func(p *slowPointer) bool { return p.server == d.server }) >= s.limits.PerServer {
		return false
	}
	same := func(p *slowPointer) bool { return p.key() == d.key() }
	if s.count(same) < s.limits.PerObject {
		return s.count(func(p *slowPointer) bool { return p.server != s.self }) < s.limits.PerNode
	}
	live := s.live(d.key(), -1)
	if len(live) == 0 || d.withdrawn {
		return false
	}
	farthest := live[len(live)-1]
	if farthest.server == s.self || farthest.latency <= max(d.latency, 0) {
		return false
	}
	s.remove(farthest)
	return true
}

func (s *slow) live(key pointers.Key, now mono.Time) (live []*slowPointer) {
	for _, p := range s.list {
		if p.key() == key && p.state == pointers.Live && p.until > now {
			live = append(live, p)
		}
	}
	slices.SortFunc(live, func(a, b *slowPointer) int {
		x, y := idspace.Hash([]byte(a.server)), idspace.Hash([]byte(b.server))
		return cmp.Or(cmp.Compare(a.latency, b.latency), idspace.Compare(x, y))
	})
	return live
}

func (s *slow) bury(server string) (hidden int) {
	held := false
	for _, p := range s.list {
		if p.server != server || server == s.self {
			continue
		}
		held = true
		if p.state == pointers.Live {
			p.state = pointers.Dead
			hidden++
		}
	}
	if held {
		s.buried[server] = true
	}
	return hidden
}

func (s *slow) expire(now mono.Time) (gone int) {
	for _, p := range slices.Clone(s.list) {
		if p.until <= now {
			s.remove(p)
			gone++
		}
	}
	return gone
}

// TestStoreIsTheSlowStore runs the same operations on both and demands the same
// results, the same order and the same survivors.
func TestStoreIsTheSlowStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := pointers.Limits{PerServer: 5, PerObject: 3, PerNode: 8}
		fast := pointers.New(idspace.Hash([]byte("s0")), limits)
		model := &slow{self: "s0", limits: limits, buried: make(map[string]bool)}
		now, seen := mono.Time(1), sight{}
		server := rapid.SampledFrom([]string{"s0", "s1", "s2", "s3", "s4", "s5"})
		guid := rapid.SampledFrom([]string{"x", "x", "y"})
		puts := func(t *rapid.T) {
			for range rapid.IntRange(1, 8).Draw(t, "puts") {
				d := put{
					guid: guid.Draw(t, "guid"), app: rapid.SampledFrom([]string{"a", "a", "b"}).Draw(t, "app"),
					server: server.Draw(t, "server"), sequence: rapid.Uint64Range(0, 9).Draw(t, "sequence"),
					withdrawn: rapid.IntRange(0, 4).Draw(t, "withdrawn") == 0,
					left:      time.Duration(rapid.IntRange(0, 9).Draw(t, "left")) * time.Second,
					latency:   time.Duration(rapid.IntRange(-1, 5).Draw(t, "latency")) * time.Millisecond,
					hearsay:   rapid.Bool().Draw(t, "hearsay"), salt: rapid.IntRange(0, 3).Draw(t, "salt"),
				}
				if got, want := fast.Put(d.deposit(t), now).Kind, model.put(d, now); got != want {
					t.Fatalf("put %+v: %v, slow store says %v", d, got, want)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": puts,
			"bury": func(t *rapid.T) {
				dead := server.Draw(t, "server")
				if got, want := len(fast.Bury(idspace.Hash([]byte(dead)))), model.bury(dead); got != want {
					t.Fatalf("bury %s hid %d, slow store %d", dead, got, want)
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 2500).Draw(t, "ms")) * time.Millisecond)
			},
			"expire": func(*rapid.T) {
				if got, want := len(fast.Expire(now, 1000)), model.expire(now); got != want {
					t.Fatalf("%d expired, slow store says %d", got, want)
				}
			},
			"": func(t *rapid.T) {
				compare(t, fast, model, now)
				seen = demandCounted(t, fast, seen)
			},
		})
	})
}

// sight is what Check looked at, and what Changes was then.
type sight struct {
	looked  string
	changes uint64
}

// demandCounted demands that whatever has changed in a store since it was last seen was counted.
func demandCounted(t *rapid.T, s *pointers.Store, last sight) sight {
	now := sight{changes: s.Changes()}
	for _, p := range s.Sorted() {
		now.looked += fmt.Sprint(p.Key, p.Server.ID, p.State, p.Sequence, p.Latency, p.Expires(), ";")
	}
	if now.looked != last.looked && now.changes == last.changes {
		t.Fatalf("%s became %s, and no change was counted", last.looked, now.looked)
	}
	return now
}

func compare(t *rapid.T, fast *pointers.Store, model *slow, now mono.Time) {
	if err := fast.Check(); err != nil {
		t.Fatal(err)
	}
	if fast.Len() != len(model.list) {
		t.Fatalf("%d pointers, slow store has %d", fast.Len(), len(model.list))
	}
	for _, p := range model.list {
		for most := range 4 {
			want := model.live(p.key(), now)
			want = want[:min(len(want), most)]
			got := fast.Live(p.key(), now, most)
			if fmt.Sprint(servers(got)) != fmt.Sprint(slowServers(want)) {
				t.Fatalf("live %v: %v, slow store says %v", p.key(), servers(got), slowServers(want))
			}
		}
		held := fast.Find(p.key(), idspace.Hash([]byte(p.server)))
		if held == nil || held.State != p.state || held.Expires() != p.until {
			t.Fatalf("held %v, slow store has %+v", held, p)
		}
	}
}

func servers(list []*pointers.Pointer) (ids []idspace.ID) {
	for _, p := range list {
		ids = append(ids, p.Server.ID)
	}
	return ids
}

func slowServers(list []*slowPointer) (ids []idspace.ID) {
	for _, p := range list {
		ids = append(ids, idspace.Hash([]byte(p.server)))
	}
	return ids
}

func TestNextExpiryIsTheEarliest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := pointers.New(idspace.ID{}, pointers.Limits{})
		if _, ok := s.NextExpiry(); ok {
			t.Fatal("an empty store has an expiry")
		}
		earliest := make(map[string]mono.Time)
		for i := range rapid.IntRange(1, 40).Draw(t, "puts") {
			left := time.Duration(rapid.IntRange(1, 1000).Draw(t, "left")) * time.Second
			guid := fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "guid"))
			s.Put(put{guid: guid, server: "s", sequence: uint64(i), left: left}.deposit(t), 0)
			earliest[guid] = mono.Time(left) // the last record counts
			want := mono.Time(1 << 62)
			for _, at := range earliest {
				want = min(want, at)
			}
			if got, ok := s.NextExpiry(); !ok || got != want {
				t.Fatalf("next expiry %v, want %v", got, want)
			}
		}
	})
}

func TestNewestNodeRecordIsSharedByAServersPointers(t *testing.T) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	for version, guid := range []string{"x", "y", "z"} {
		d := put{guid: guid, server: "s", left: time.Minute}.deposit(t)
		d.Server = envtest.Node("s", uint64([]int{2, 3, 1}[version]))
		d.Node, _ = d.Server.Node()
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

// TestNewestCoordinateIsSharedByAServersPointers: the sequence says which is the newest, and
// a deposit without one takes none away.
func TestNewestCoordinateIsSharedByAServersPointers(t *testing.T) {
	at := func(x float64) wire.Coord {
		return wire.Point{Vec: [wire.CoordDims]float64{x}, Error: 0.1}.Pack()
	}
	s := pointers.New(idspace.Hash([]byte("me")), pointers.Limits{})
	for _, c := range []struct {
		guid     string
		sequence uint64
		coord    wire.Coord
		want     wire.Coord
	}{
		{"x", 5, at(0.01), at(0.01)},
		{"y", 4, at(0.02), at(0.01)}, // said before
		{"z", 6, wire.Coord{}, at(0.01)},
		{"x", 7, at(0.03), at(0.03)},
	} {
		p := put{guid: c.guid, app: "app", server: "s", sequence: c.sequence, left: time.Minute}
		d := p.deposit(t)
		d.Coord = c.coord
		s.Put(d, 0)
		if got := s.Find(p.key(), wire.ID(d.Record.Server)).Server.Coord; got != c.want {
			t.Errorf("after %s by sequence %d: %x, want %x", c.guid, c.sequence, got, c.want)
		}
	}
}

func TestBytesAreBounded(t *testing.T) {
	deposit := func(i int) pointers.Deposit {
		return put{guid: fmt.Sprint(i), app: "a", server: "s", left: time.Minute}.deposit(t)
	}
	one := deposit(0).Signed
	size := len(one.Payload) + len(one.PublicKey) + len(one.Signature) + len(one.PayloadType)
	limit := 10*size + size/2
	s := pointers.New(idspace.ID{}, pointers.Limits{Bytes: limit})
	for i := range 20 {
		want := pointers.Stored
		if i >= 10 {
			want = pointers.Full
		}
		if got := s.Put(deposit(i), 0).Kind; got != want {
			t.Fatalf("deposit %d: %v, want %v", i, got, want)
		}
	}
	if got := s.Stats(); got.Bytes != 10*size || got.Refused != 10 {
		t.Fatalf("%+v", got)
	}
}

func TestWalkFromTheEndMissesNoneThatStay(t *testing.T) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	for i := range 100 {
		s.Put(put{guid: fmt.Sprint(i), server: "s", left: time.Duration(1+i%7) * time.Second}.deposit(t), 0)
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

func TestPathsAreBounded(t *testing.T) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	for i := range 64 {
		d := put{guid: "x", server: "s", sequence: uint64(i), left: time.Minute, salt: i}.deposit(t)
		d.Path.Roots = 1 + i%wire.MaxRoots
		s.Put(d, 0)
	}
	if n := len(s.At(0).Paths()); n != wire.MaxRoots {
		t.Fatalf("%d paths", n)
	}
}

func BenchmarkLive(b *testing.B) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	keys := make([]pointers.Key, 100_000)
	for i := range keys {
		for r := range 2 {
			p := put{guid: fmt.Sprint(i), app: "files", server: fmt.Sprint(i*7%1000 + r), left: time.Minute}
			keys[i] = p.key()
			s.Put(p.deposit(b), 0)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if len(s.Live(keys[i*7919%len(keys)], 1, 4)) == 0 {
			b.Fatal("nothing found")
		}
	}
}

func BenchmarkPut(b *testing.B) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	deposits := make([]pointers.Deposit, 100_000)
	for i := range deposits {
		deposits[i] = put{guid: fmt.Sprint(i), app: "files", server: fmt.Sprint(i * 7 % 1000), left: time.Minute}.deposit(b)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := deposits[i%len(deposits)]
		d.Record.Counter++
		s.Put(d, mono.Time(i))
	}
}
