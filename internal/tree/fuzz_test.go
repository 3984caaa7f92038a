package tree_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/tree"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// holder is a Keeper that holds pointers of some servers from b, and serves one itself.
func holder(t testing.TB) *story {
	s := begin(t, pointers.Limits{PerServer: 4, PerObject: 2, PerNode: 8}, 2)
	for i, name := range []string{"a", "b", "c", "d", "k"} {
		s.know(s.ID(name), time.Duration(5+i)*time.Millisecond)
	}
	for _, server := range []string{"s", "t"} {
		for _, object := range []string{"x", "y", "z"} {
			s.keeper.OnDeposit(s, s.ID("b"), goodDeposit(s, server, object, 1))
		}
	}
	guid := s.ID("x")
	s.step(func() {
		m := &wire.Publish{
			Pointer: envtest.Pointer("me", pointerOf(s, "me", guid, 1)), Server: nodeRecord("me", 1, 1),
			Roots: roots, LeftS: recordS, Pulse: s.keeper.Pulse(s.Now()),
		}
		if _, err := s.keeper.Arrive(s, tree.Arrival{Publish: m, From: s.Self, Next: s.Self}); err != nil {
			t.Fatal(err)
		}
	})
	s.Drain()
	return s
}

func (s *story) step(do func()) {
	do()
	if err := s.store.Check(); err != nil {
		s.t.Fatal(err)
	}
}

func pointerOf(s *story, server string, guid idspace.ID, counter uint64) *wire.BatchRecord {
	id := s.ID(server)
	return &wire.BatchRecord{Guid: guid[:], App: "app", Server: id[:], Generation: 1, Counter: counter, LifeS: recordS}
}

func goodDeposit(s *story, server, object string, counter uint64) *wire.Deposit {
	token := chainOf(server, 1).Token(1)
	m := &wire.Deposit{Server: nodeRecord(server, 1, 1), Pulse: &wire.Pulse{Index: 1, Token: token[:]}}
	for salt := range roots {
		m.Laid = append(m.Laid, &wire.Laid{
			Pointer: envtest.Pointer(server, pointerOf(s, server, s.ID(object), counter)), Salt: uint32(salt), Roots: roots, LeftS: recordS,
		})
	}
	return m
}

// goodPart has two objects of a batch, by what travels of a part, and one alone.
func goodPart(s *story) *wire.Deposit {
	m := goodDeposit(s, "s", "x", 3)
	part, err := batch.Build(idspace.Hex, []idspace.ID{s.ID("x"), s.ID("y"), s.ID("z"), s.ID("k")}, roots)
	if err != nil {
		s.t.Fatal(err)
	}
	rec := pointerOf(s, "s", s.ID("x"), 2)
	part.Commit(rec)
	header := envtest.Pointer("s", rec)
	two := part.Cut(func(l batch.Leaf) bool { return l.GUID == s.ID("x") || l.GUID == s.ID("y") && l.Salt < 2 })
	one := part.Cut(func(l batch.Leaf) bool { return l.GUID == s.ID("z") && l.Salt == 1 })
	m.Parts = []*wire.BatchPart{{Header: header, Lists: two.Lists(), LeftS: recordS}}
	m.Laid = []*wire.Laid{{Pointer: header, Proof: one.Lists()[1], Under: 1, Salt: 3, Roots: roots, LeftS: recordS}}
	return m
}

// renewedPart has that batch be renewed by two headers, the older one last.
func renewedPart(s *story) *wire.Deposit {
	m := goodPart(s)
	for _, counter := range []uint64{9, 8} {
		rec, err := m.Parts[0].Header.Batch()
		if err != nil {
			s.t.Fatal(err)
		}
		rec.Counter = counter
		m.Parts = append(m.Parts, &wire.BatchPart{Header: envtest.Pointer("s", rec), LeftS: recordS})
	}
	return m
}

// goodBranch is what b would say of its branch of a server.
func goodBranch(s *story, server string, kind wire.Copy) wire.Branch {
	b := wire.Branch{Server: wire.ServerRefTo(s.ID(server)), Copy: kind, Index: 2, Token: chainOf(server, 1).Token(2), Count: 9}
	if sv := s.store.Server(b.Server); sv != nil {
		if held := sv.Branch(s.ID("b"), kind, false); held != nil {
			b.Count, b.Sum = held.Digest()
		}
	}
	return b
}

// fuzzMessage gives a holder, from b or from somebody to whom it lays pointers, what decodes as a
// message: nothing breaks, and it gives rise to no more than it may.
func fuzzMessage(f *testing.F, kind wire.Kind, seeds ...func(*story) wire.Message) {
	for _, seed := range seeds {
		packed, err := proto.Marshal(seed(holder(f)))
		if err != nil {
			f.Fatal(err)
		}
		for from := range 3 {
			f.Add(packed, packed, uint8(from))
		}
		f.Add([]byte{}, packed, uint8(1))
	}
	f.Fuzz(func(t *testing.T, first, second []byte, from uint8) {
		s := holder(t)
		peer := s.ID([]string{"b", "a", "c", "d", "k", "stranger"}[from%6])
		for _, packed := range [][]byte{first, second, first} {
			if m := through(packed, kind); m != nil {
				s.step(func() { dispatch(s.keeper, s, peer, m) })
			}
			s.pass(500 * time.Millisecond)
		}
		s.pass(5 * time.Minute)
		s.demandBounds(t)
	})
}

// through is a message of a kind that arrives, nil if none does.
func through(packed []byte, kind wire.Kind) wire.Message {
	m := wire.New(kind)
	if proto.Unmarshal(packed, m) != nil {
		return nil
	}
	frame, err := wire.AppendFrame(nil, m)
	if err != nil {
		return nil
	}
	return decoded(frame)
}

func (s *story) pass(d time.Duration) {
	s.Advance(d, func(k env.TimerKey) { s.step(func() { s.keeper.OnTimer(s, k) }) })
}

// demandBounds demands that a holder has kept within its limits, and that all has run out by now
// that is not its own.
func (s *story) demandBounds(t *testing.T) {
	if s.Timers() > 5 || s.keeper.LinkCount() > 5 {
		t.Fatalf("%d timers, %d links", s.Timers(), s.keeper.LinkCount())
	}
	for i := range s.store.Len() {
		if p := s.store.At(i); p.Server.ID != s.Self {
			t.Fatalf("%v is still there", p)
		}
	}
	if servers := s.store.Stats().Servers; servers > 1 {
		t.Fatalf("%d servers are kept", servers)
	}
	if done := strings.Count(s.Drain(), "\n"); done > maxLines {
		t.Fatalf("%d lines of doings", done)
	}
}

// maxLines is how many things may come of three messages and five minutes.
const maxLines = 500

func FuzzRefresh(f *testing.F) {
	fuzzMessage(f, wire.KindRefresh, func(s *story) wire.Message {
		return &wire.Refresh{Seq: 1, Branches: wire.AppendBranch(nil, goodBranch(s, "s", wire.Copy_COPY_PATH))}
	}, func(s *story) wire.Message {
		packed := wire.AppendBranch(nil, wire.Branch{Server: wire.ServerRefTo(s.ID("s"))})
		packed = wire.AppendBranch(packed, wire.Branch{Server: wire.ServerRefTo(s.ID("nobody")), Count: math.MaxUint32})
		return &wire.Refresh{Branches: wire.AppendBranch(packed, goodBranch(s, "t", wire.Copy_COPY_HEIR))}
	}, func(s *story) wire.Message {
		refs := wire.ServerRefTo(s.ID("s"))
		own := wire.ServerRefTo(s.Self)
		return &wire.Refresh{Dead: append(refs[:], own[:]...), Branches: wire.AppendBranch(nil, goodBranch(s, "me", wire.Copy_COPY_PATH))}
	})
}

func FuzzRefreshReply(f *testing.F) {
	names := func(s *story) (packed []byte) {
		for _, server := range []string{"s", "t", "me", "nobody"} {
			for kind := range wire.Copy_COPY_NEWER + 1 {
				packed = wire.AppendBranchName(packed, wire.BranchName{Server: wire.ServerRefTo(s.ID(server)), Copy: kind})
			}
		}
		return packed
	}
	fuzzMessage(f, wire.KindRefreshReply, func(s *story) wire.Message {
		return &wire.RefreshReply{Differ: names(s)}
	}, func(s *story) wire.Message {
		return &wire.RefreshReply{Seq: 7, Differ: names(s), Stale: names(s)}
	})
}

func FuzzListing(f *testing.F) {
	listing := func(s *story, server string, prints []byte) wire.Message {
		id, token := s.ID(server), chainOf(server, 1).Token(2)
		return &wire.Listing{Server: id[:], High: math.MaxUint64, Prints: prints, Pulse: &wire.Pulse{Index: 2, Token: token[:]}}
	}
	fuzzMessage(f, wire.KindListing, func(s *story) wire.Message {
		held := s.store.Server(wire.ServerRefTo(s.ID("s"))).Branch(s.ID("b"), wire.Copy_COPY_PATH, false)
		return listing(s, "s", s.prints(held))
	}, func(s *story) wire.Message { return listing(s, "t", wire.AppendPrint(nil, 42)) },
		func(s *story) wire.Message { return listing(s, "nobody", wire.AppendPrint(nil, 42)) })
}

func FuzzWanted(f *testing.F) {
	fuzzMessage(f, wire.KindWanted, func(s *story) wire.Message {
		sv := s.store.Server(wire.ServerRefTo(s.ID("s")))
		m := &wire.Wanted{Server: sv.ID[:]}
		for _, b := range sv.Branches() {
			m.Prints = append(m.Prints, s.prints(b)...)
		}
		return m
	}, func(s *story) wire.Message { return &wire.Wanted{Server: s.Self[:], Prints: make([]byte, 80)} })
}

func FuzzDeposit(f *testing.F) {
	fuzzMessage(f, wire.KindDeposit,
		func(s *story) wire.Message { return goodDeposit(s, "s", "x", 2) },
		func(s *story) wire.Message { return goodDeposit(s, "u", "x", 1) },
		func(s *story) wire.Message { return goodPart(s) },
		func(s *story) wire.Message { return renewedPart(s) },
		func(s *story) wire.Message { return goodDeposit(s, "me", "x", 1) },
		func(s *story) wire.Message {
			m := goodDeposit(s, "t", "y", math.MaxUint64)
			m.Copy = wire.Copy_COPY_NEWER
			return m
		},
		func(s *story) wire.Message {
			m := goodDeposit(s, "s", "z", 1)
			m.Copy, m.Laid = wire.Copy_COPY_HEIR, append(m.Laid, goodDeposit(s, "t", "z", 1).Laid...)
			return m
		})
}

// TestWrongTokensCostNoMoreThanAFewHashes has a peer send as many as a message holds: what comes
// after the first ones is not looked at, until its next message.
func TestWrongTokensCostNoMoreThanAFewHashes(t *testing.T) {
	s := holder(t)
	var packed []byte
	for range wire.MaxBranches - 1 {
		wrong := goodBranch(s, "s", wire.Copy_COPY_PATH)
		wrong.Token[0] ^= 1
		packed = wire.AppendBranch(packed, wrong)
	}
	good := wire.AppendBranch(nil, goodBranch(s, "t", wire.Copy_COPY_PATH))
	count := func(branches []byte) int {
		s.Drain()
		s.keeper.OnRefresh(s, s.ID("b"), &wire.Refresh{Seq: 1, Branches: branches})
		return strings.Count(s.Drain(), "stale:t")
	}
	if after, alone := count(append(packed, good...)), count(good); after != 1 || alone != 0 {
		t.Fatalf("stale %d times after wrong ones, %d times alone", after, alone)
	}
}
