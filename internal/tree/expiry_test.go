package tree_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/tree"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// nobodyNear is a Router that has no neighbors.
type nobodyNear struct{}

func (nobodyNear) Near(idspace.ID) []idspace.ID { return nil }

// passer is a node between a server and one further node, to which the paths of its objects lead.
type passer struct {
	env    *envtest.Env
	store  *pointers.Store
	keeper *tree.Keeper
	server idspace.ID
	guid   idspace.ID

	chain   *lease.Chain
	version uint64    // of the record that names it
	began   mono.Time // when its first token was made
}

func newPasser(t *testing.T) *passer {
	e := envtest.New("me")
	p := &passer{env: e, store: pointers.New(e.Self, pointers.Limits{}), server: e.ID("server"), guid: e.ID("object")}
	p.begin()
	tables := &surrogate.Tables{
		Space: idspace.Hex, Self: e.Self, Map: neighbormap.New(idspace.Hex, e.Self, 3), Leaves: leafset.New(e.Self, 8),
	}
	tables.Map.Insert(neighbormap.Neighbor{ID: e.ID("next"), RTT: time.Millisecond})
	tables.Leaves.Insert(e.ID("next"))
	cfg := tree.Config{Space: idspace.Hex, Self: e.Self, Network: envtest.Network, Record: envtest.Node("me", 1)}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	p.keeper = tree.New(cfg, tree.Deps{Router: nobodyNear{}, Tables: tables, Links: links.New(links.Config{}), Store: p.store})
	for i := 0; tables.Course(idspace.Hex.Salted(p.guid, 0, 1)).To != e.ID("next"); i++ {
		p.guid = e.ID(fmt.Sprint("object", i))
	}
	return p
}

// begin begins another lease.
func (p *passer) begin() {
	p.version, p.began = p.version+1, p.env.Now()
	p.chain = lease.New([4]uint64{p.version})
}

// pulse is the token that the server reveals now.
func (p *passer) pulse() *wire.Pulse {
	i := uint32(p.env.Now().Sub(p.began) / lease.Period)
	token := p.chain.Token(i)
	return &wire.Pulse{Index: i, Token: token[:]}
}

// introduced has a neighbor bring the server's record, and pointers perhaps.
func (p *passer) introduced(from string, copy wire.Copy, laid ...*wire.Laid) {
	anchor := p.chain.Anchor()
	node := envtest.Seal(wire.NodeKind, "server", &wire.NodeRecord{
		Network: envtest.Network, Peer: []byte("server"), Generation: 1, Version: p.version, Lease: anchor[:],
	})
	p.keeper.OnDeposit(p.env, p.env.ID(from), &wire.Deposit{Server: node, Copy: copy, Pulse: p.pulse(), Laid: laid})
}

// laid has a neighbor lay the pointer here.
func (p *passer) laid(from string, copy wire.Copy) {
	pointer := envtest.Pointer("server", &wire.BatchRecord{Guid: p.guid[:], App: "files", Server: p.server[:], Generation: 1, LifeS: 7200})
	p.introduced(from, copy, &wire.Laid{Pointer: pointer, Roots: 1, LeftS: 7200})
}

// refreshed has a neighbor confirm what it has laid here.
func (p *passer) refreshed(from string, copy wire.Copy) {
	pulse, b := p.pulse(), p.known().Branch(p.env.ID(from), copy, false)
	count, sum := b.Digest()
	p.keeper.OnRefresh(p.env, p.env.ID(from), &wire.Refresh{Branches: wire.AppendBranch(nil, wire.Branch{
		Server: wire.ServerRefTo(p.server), Copy: copy, Index: pulse.Index, Token: [20]byte(pulse.Token), Count: count, Sum: sum,
	})})
}

func (p *passer) known() *pointers.Server { return p.store.Server(wire.ServerRefTo(p.server)) }

func (p *passer) advance(t *testing.T, d time.Duration) string {
	t.Helper()
	p.env.Advance(d, func(key env.TimerKey) { p.keeper.OnTimer(p.env, key) })
	if err := p.store.Check(); err != nil {
		t.Fatal(err)
	}
	return p.env.Drain()
}

// A server that falls silent leaves nothing behind: not its pointers, and not the branch by which
// they went on, even if nothing else is ever to be told there.
func TestNothingIsLeftOfAServerThatFellSilent(t *testing.T) {
	p := newPasser(t)
	p.laid("before", wire.Copy_COPY_PATH)
	if onward := p.store.Sorted()[0].Onward(0, 1); onward == nil || onward.Branch().Peer != p.env.ID("next") {
		t.Fatalf("it does not go on: %v", p.store.Sorted())
	}
	p.advance(t, lease.Life-time.Second)
	if p.store.Len() != 1 {
		t.Fatal("it ran out too early")
	}
	said := p.advance(t, time.Minute)
	if p.store.Len() != 0 || p.known() != nil {
		t.Errorf("%d pointers, server known: %v", p.store.Len(), p.known() != nil)
	}
	if !strings.Contains(said, fmt.Sprintf("send next: refresh %s/path=0", p.server.Short())) {
		t.Errorf("the next node is not told:\n%s", said)
	}
}

// A lease that begins anew begins with small numbers: its first token is news as any other.
func TestTheFirstTokenOfAnotherLeaseIsToldOn(t *testing.T) {
	p := newPasser(t)
	p.laid("before", wire.Copy_COPY_PATH)
	for range 3 {
		p.advance(t, lease.Period)
		p.refreshed("before", wire.Copy_COPY_PATH)
	}
	p.advance(t, lease.Period-time.Second)
	p.begin()
	p.introduced("before", wire.Copy_COPY_PATH)
	p.refreshed("before", wire.Copy_COPY_PATH)
	if said := p.advance(t, lease.Period/2); !strings.Contains(said, "send next: refresh") {
		t.Errorf("within half a period the next node is not told:\n%s", said)
	}
	if index, _, _ := p.known().Lease.Newest(); index != 0 || !p.known().Lease.Of(p.chain.Anchor()) {
		t.Errorf("token %d is the newest", index)
	}
}

// A pointer that stays as a copy of another kind does not go on along a path on which it no longer lies.
func TestACopyThatStaysDoesNotGoOn(t *testing.T) {
	p := newPasser(t)
	p.laid("before", wire.Copy_COPY_PATH)
	p.laid("root", wire.Copy_COPY_HEIR)
	for range 5 {
		p.advance(t, lease.Period)
		p.refreshed("root", wire.Copy_COPY_HEIR)
	}
	said := p.advance(t, time.Second)
	if p.store.Len() != 1 || p.store.At(0).OnPath(0, 1) {
		t.Fatalf("%v", p.store.Sorted())
	}
	if onward := p.store.At(0).Onward(0, 1); onward != nil {
		t.Errorf("it still goes on: %v\n%s", p.store.At(0), said)
	}
	if left := p.known().Branch(p.env.ID("next"), wire.Copy_COPY_PATH, true); left != nil {
		t.Errorf("the branch to the next node is still there, with %d pointers", left.Len())
	}
}

// The clock of a server that was put to sleep stands still, and its tokens come late from then on:
// whoever has seen it before takes them for old. That ends when it is forgotten, or it could not
// publish before its next lease.
func TestAServerThatSleptIsBelievedWhenItWasForgotten(t *testing.T) {
	const asleep = 10 * time.Minute
	p := newPasser(t)
	p.laid("before", wire.Copy_COPY_PATH)
	p.advance(t, asleep)
	p.began = p.began.Add(asleep)
	p.laid("before", wire.Copy_COPY_PATH)
	if p.store.Len() != 1 {
		t.Fatalf("%d pointers", p.store.Len())
	}
	if until := p.store.At(0).Until(); until != p.env.Now().Add(lease.Life) {
		t.Errorf("it counts for %v more", until.Sub(p.env.Now()))
	}
}

// Who has nothing of a server, because it was lost on the way or ran out, must come to have it
// again: the record alone would be forgotten at once, since nothing is kept of its server.
func TestWhoHasNothingOfAServerAsksForItsPointers(t *testing.T) {
	p := newPasser(t)
	pulse, name := p.pulse(), wire.BranchName{Server: wire.ServerRefTo(p.server), Copy: wire.Copy_COPY_PATH}
	p.keeper.OnRefresh(p.env, p.env.ID("before"), &wire.Refresh{Branches: wire.AppendBranch(nil, wire.Branch{
		Server: name.Server, Copy: name.Copy, Index: pulse.Index, Token: [20]byte(pulse.Token), Count: 1, Sum: wire.Sum{Hi: 7, Lo: 7},
	})})
	p.keeper.OnListing(p.env, p.env.ID("before"), &wire.Listing{
		Server: p.server[:], High: ^uint64(0), Prints: wire.AppendPrint(nil, 7), Pulse: pulse,
	})
	short := p.server.Short()
	want := fmt.Sprintf("send before: refresh-reply differ: %s/path\nsend before: wanted %s/path prints=1\n", short, short)
	if got := p.env.Drain(); got != want {
		t.Errorf("it says\n%s, want\n%s", got, want)
	}
}
