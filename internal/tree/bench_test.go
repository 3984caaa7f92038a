package tree_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// quiet is a world that writes nothing down.
type quiet struct{ *story }

func (quiet) Send(idspace.ID, wire.Message) {}
func (quiet) Emit(env.Event)                {}
func (quiet) Post(env.Local)                {}

// crowd has a Keeper hold pointers of many servers, all from one neighbor.
func crowd(b *testing.B, servers, each int) (s *story, chains []*lease.Chain, ids []idspace.ID) {
	s = begin(b, pointers.Limits{}, 0)
	for i := range 60 {
		s.know(s.ID(fmt.Sprintf("n%d", i)), time.Duration(10+i)*time.Millisecond)
	}
	for i := range servers {
		name := fmt.Sprintf("s%d", i)
		chain := lease.New([4]uint64{uint64(i)})
		anchor, id := chain.Anchor(), s.ID(name)
		chains, ids = append(chains, chain), append(ids, id)
		m := &wire.Deposit{
			Server: envtest.Seal(wire.NodeKind, name, &wire.NodeRecord{Network: envtest.Network, Peer: []byte(name), Generation: 1, Lease: anchor[:]}),
			Pulse:  &wire.Pulse{Token: anchor[:]},
		}
		for j := range each {
			guid := s.ID(fmt.Sprintf("o%d.%d", i, j))
			m.Laid = append(m.Laid, &wire.Laid{Pointer: envtest.Pointer(name, pointerOf(s, name, guid, 1)), Roots: roots, LeftS: recordS})
			if len(m.Laid) == wire.MaxLaid || j == each-1 {
				s.keeper.OnDeposit(quiet{s}, s.ID("n0"), m)
				m = &wire.Deposit{Server: m.Server, Pulse: m.Pulse}
			}
		}
	}
	return s, chains, ids
}

// BenchmarkRefresh is what a period costs a holder of pointers of 1 000 servers, all told by one
// neighbor: a token of each checked, and told on.
func BenchmarkRefresh(b *testing.B) {
	s, chains, ids := crowd(b, 1000, 4)
	index := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		index++
		var packed []byte
		for i, id := range ids {
			branch := wire.Branch{Server: wire.ServerRefTo(id), Index: index, Token: chains[i].Token(index)}
			branch.Count, branch.Sum = s.store.Server(branch.Server).Branch(s.ID("n0"), wire.Copy_COPY_PATH, false).Digest()
			packed = wire.AppendBranch(packed, branch)
		}
		b.StartTimer()
		s.keeper.OnRefresh(quiet{s}, s.ID("n0"), &wire.Refresh{Branches: packed})
		s.Advance(lease.Period, func(k env.TimerKey) { s.keeper.OnTimer(quiet{s}, k) })
	}
	if got := s.store.Stats().Servers; got != len(ids) {
		b.Fatalf("%d servers are left", got)
	}
}

// timerExpire is the timer of that name in the room.
const timerExpire = 3

// BenchmarkSweep looks for the next hops of 100 000 pointers, of which none has moved.
func BenchmarkSweep(b *testing.B) {
	s, _, _ := crowd(b, 100, 1000)
	s.Advance(time.Second, func(k env.TimerKey) { s.keeper.OnTimer(quiet{s}, k) })
	changed := &env.Changed{Added: []idspace.ID{s.ID("n1")}}
	b.ReportAllocs()
	for b.Loop() {
		s.keeper.OnChanged(quiet{s}, changed)
		s.Advance(5*time.Second, func(k env.TimerKey) {
			if k.What != timerExpire { // tokens are not what is measured
				s.keeper.OnTimer(quiet{s}, k)
			}
		})
	}
	if got := s.store.Len(); got != 100_000 {
		b.Fatalf("%d pointers are left", got)
	}
}

// BenchmarkDeposit lays 100 000 pointers of 1 000 servers at a holder that passes them on.
func BenchmarkDeposit(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if s, _, _ := crowd(b, 1000, 100); s.store.Len() != 100_000 {
			b.Fatalf("%d pointers", s.store.Len())
		}
	}
}
