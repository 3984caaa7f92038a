package tree_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// three are nodes that know each other, far apart.
func three(t *testing.T) *net {
	n := newNet(t, idspace.Hex, 1)
	for i := range 3 {
		n.join(fmt.Sprintf("n%d", i), 30*time.Millisecond)
	}
	n.run(time.Second)
	return n
}

// die stops a node, and has all others notice.
func (n *net) die(h *host) {
	h.dead, h.died = true, n.now
	for _, o := range n.living() {
		n.miss(o, h)
	}
}

func (n *net) demand(t *testing.T) {
	t.Helper()
	if differences := n.compare(); len(differences) > 0 {
		t.Fatalf("%d differences:\n%s", len(differences), strings.Join(differences, "\n"))
	}
}

// TestACopyThatComesBackToItsServerRunsOut has the root die that had laid its pointer at the
// server itself, as its heir.
func TestACopyThatComesBackToItsServerRunsOut(t *testing.T) {
	n := three(t)
	for i := range 8 {
		n.hosts[0].publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(time.Minute)
	n.demand(t)
	if !strings.Contains(strings.Join(n.lines(), "\n"), "heir") {
		t.Fatal("nothing lies at an heir")
	}
	n.die(n.hosts[1])
	n.run(lease.Life + lease.Period)
	n.demand(t)
}

// withdrawn has a server publish an object and take it back, and returns the root of one of its salted
// keys, which others have copies from, with the tombstone.
func withdrawn(t *testing.T, n *net, object string) (root *host, p *pointers.Pointer) {
	t.Helper()
	n.hosts[0].publish(object, false)
	n.run(10 * time.Second)
	for _, h := range n.hosts[1:] {
		p = h.store.Find(pointers.Key{GUID: n.names.ID(object), App: "app"}, n.hosts[0].id)
		if p != nil && slices.ContainsFunc(p.Laid(), func(l *pointers.Laid) bool {
			return l.Branch().Out && l.Branch().Copy == wire.Copy_COPY_HEIR
		}) {
			root = h
			break
		}
	}
	if root == nil {
		t.Fatal("nothing lies at an heir")
	}
	n.hosts[0].publish(object, true)
	for range 100 {
		if n.run(time.Millisecond); p.State == pointers.Withdrawn {
			return root, p
		}
	}
	t.Fatal("the withdrawal has not come to its root")
	return nil, nil
}

// TestAWithdrawalIsSettledWhenAllHaveIt who hold copies, once for all who ask.
func TestAWithdrawalIsSettledWhenAllHaveIt(t *testing.T) {
	n := three(t)
	root, p := withdrawn(t, n, "o")
	for range 2 {
		if root.keeper.Settled(root, p) {
			t.Error("it is settled before the heirs can know")
		}
	}
	n.run(25 * time.Millisecond)
	if len(root.settled) > 0 {
		t.Error("it is settled before the heirs can have answered")
	}
	n.run(25 * time.Millisecond)
	if !slices.Equal(root.settled, []idspace.ID{p.GUID}) || !root.keeper.Settled(root, p) {
		t.Errorf("a round trip later %v is settled", root.settled)
	}
	for _, h := range n.hosts {
		if live := h.store.Live(p.Key, n.now, 1); len(live) > 0 {
			t.Errorf("%s would still name %v", h.name, live[0])
		}
	}
}

// TestNobodyIsWaitedForLong has those who hold copies not answer.
func TestNobodyIsWaitedForLong(t *testing.T) {
	n := three(t)
	root, p := withdrawn(t, n, "o")
	n.loss = 1
	if root.keeper.Settled(root, p) {
		t.Error("it is settled before the heirs can know")
	}
	n.run(500 * time.Millisecond)
	if !slices.Equal(root.settled, []idspace.ID{p.GUID}) {
		t.Errorf("half a second later %v is settled", root.settled)
	}
}

// TestWhoIsSlowItselfWaitsLonger for those who hold copies: they have not had the time yet.
func TestWhoIsSlowItselfWaitsLonger(t *testing.T) {
	n := three(t)
	root, p := withdrawn(t, n, "o")
	n.loss = 1
	root.links.SetStretch(7)
	root.keeper.Settled(root, p)
	n.run(500 * time.Millisecond)
	if len(root.settled) > 0 {
		t.Error("it is settled as soon as where a node is not slow")
	}
	n.run(2 * time.Second)
	if !slices.Equal(root.settled, []idspace.ID{p.GUID}) {
		t.Errorf("two and a half seconds later %v is settled", root.settled)
	}
}

// TestAServerRefusesWhatItServedInAnEarlierLife has it start anew, while others hold what it
// served before: they have to forget it, and to let it be.
func TestAServerRefusesWhatItServedInAnEarlierLife(t *testing.T) {
	n := three(t)
	server := n.hosts[0]
	for i := range 8 {
		server.publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(time.Minute)
	n.die(server)
	n.run(5 * time.Second)
	again := n.add(server.name, 2)
	for _, o := range n.hosts[1:3] {
		n.rtts[pair(again, o)] = 30 * time.Millisecond
		n.meet(again, o)
		n.meet(o, again)
	}
	again.publish("o9", false)
	n.run(30 * time.Second)
	for i := range again.store.Len() {
		if p := again.store.At(i); p.GUID != n.names.ID("o9") {
			t.Fatalf("it took %v", p)
		}
	}
	n.run(3 * lease.Life)
	n.demand(t)
}

// TestWhoLosesAPointerSaysSoToWhoHasItFromThere cuts servers off from their first hops: when those
// have waited long enough and forget what came from there, the next hops must not keep it for a
// lease's life more.
func TestWhoLosesAPointerSaysSoToWhoHasItFromThere(t *testing.T) {
	n := three(t)
	for i := range 40 {
		n.hosts[0].publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(time.Second)
	onward := func() bool { return strings.Contains(strings.Join(n.lines(), "\n"), "from n1") }
	if !onward() {
		t.Fatal("nothing has gone on from n1")
	}
	n.cut[pair(n.hosts[0], n.hosts[1])] = true
	n.run(lease.Life + 14*time.Second)
	if onward() {
		t.Fatalf("some still have what n1 has forgotten:\n%s", strings.Join(n.lines(), "\n"))
	}
}

// TestHiddenPointersAreLaidAnewWhenTheirServerLives has a node come while others take a server for
// dead that lives.
func TestHiddenPointersAreLaidAnewWhenTheirServerLives(t *testing.T) {
	n := three(t)
	for i := range 8 {
		n.hosts[0].publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(time.Second)
	for _, o := range n.hosts[1:] {
		n.miss(o, n.hosts[0])
		n.meet(o, n.hosts[0])
	}
	n.join("n3", 30*time.Millisecond)
	n.run(4 * lease.Period)
	n.demand(t)
}

// TestHoldersFollowRoundTrips has the distances of a node change that publishes nothing: what goes
// on from it has to go another way.
func TestHoldersFollowRoundTrips(t *testing.T) {
	space, err := idspace.NewSpace(160, 1)
	if err != nil {
		t.Fatal(err)
	}
	n := newNet(t, space, 1)
	for i := range 12 {
		n.join(fmt.Sprintf("n%d", i), 30*time.Millisecond)
	}
	for i := range 30 {
		n.hosts[0].publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(lease.Period)
	n.demand(t)
	for i, h := range n.hosts[1:] {
		for j, o := range n.hosts[1:] {
			if i < j {
				n.setRTT(h, o, time.Duration(20+37*(i*j)%50)*time.Millisecond)
			}
		}
	}
	if len(n.compare()) == 0 {
		t.Fatal("no path has moved")
	}
	n.run(3 * lease.Period)
	n.demand(t)
}

// TestWhatWasLostComesWithItsServer has a deposit lost, and all its confirmations: whoever should
// have it knows nothing of the server, and gets all of it when it is told digests.
func TestWhatWasLostComesWithItsServer(t *testing.T) {
	n := three(t)
	n.loss = 1
	for i := range 8 {
		n.hosts[0].publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(lease.Period / 2)
	n.loss = 0
	n.run(2 * lease.Period)
	n.demand(t)
}

// maxAsked is how often in a period a neighbor may ask about one of three servers, or about all at once.
const maxAsked = 12

// TestNobodyGoesOnAskingWhereThereIsNoRoom has holders with room for some of the pointers only.
func TestNobodyGoesOnAskingWhereThereIsNoRoom(t *testing.T) {
	n := newNet(t, idspace.Hex, 1)
	n.limits = pointers.Limits{PerNode: 5}
	for i := range 4 {
		n.join(fmt.Sprintf("n%d", i), 30*time.Millisecond)
	}
	for i := range 40 {
		n.hosts[i%4].publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(2 * lease.Period)
	clear(n.sent)
	n.run(10 * lease.Period)
	for _, kind := range []wire.Kind{wire.KindListing, wire.KindWanted, wire.KindDeposit, wire.KindRefreshReply} {
		if got := n.sent[kind.String()]; got > 10*12*maxAsked {
			t.Errorf("%d of %v in ten periods", got, kind)
		}
	}
}

// TestAPeerCannotHaveABranchListedWithoutEnd has it say again and again that all differs.
func TestAPeerCannotHaveABranchListedWithoutEnd(t *testing.T) {
	n := three(t)
	for i := range 20 {
		n.hosts[0].publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(3 * time.Second)
	clear(n.sent)
	var names []byte
	for range wire.MaxBranches {
		names = wire.AppendBranchName(names, wire.BranchName{Server: wire.ServerRefTo(n.hosts[0].id), Copy: wire.Copy_COPY_PATH})
	}
	unknown := wire.AppendBranchName(nil, wire.BranchName{Server: wire.ServerRef{1}})
	for range wire.MaxBranches - 1 {
		unknown = append(unknown, unknown[:9]...)
	}
	for range 20 {
		n.hosts[0].keeper.OnRefreshReply(n.hosts[0], n.hosts[1].id, &wire.RefreshReply{Differ: names, Stale: names})
		n.run(100 * time.Millisecond)
		n.hosts[0].keeper.OnRefreshReply(n.hosts[0], n.hosts[1].id, &wire.RefreshReply{Differ: unknown})
	}
	if got := n.sent[wire.KindListing.String()] + n.sent[wire.KindDeposit.String()]; got == 0 || got > 8 {
		t.Errorf("%d listings and records", got)
	}
	if got := n.sent[wire.KindRefresh.String()]; got > 20+8 {
		t.Errorf("%d refreshes for 20 replies", got)
	}
}

// TestARecordThatIsSaidToBeNewerIsNotAnsweredInKind has a server that has signed two leases of one
// generation: two holders, each with one of them, must not send them to each other for ever.
func TestARecordThatIsSaidToBeNewerIsNotAnsweredInKind(t *testing.T) {
	n := three(t)
	other := lease.New([4]uint64{9}).Anchor()
	for i, anchor := range []lease.Token{chainOf("s", 1).Anchor(), other} {
		guid, server, token := idspace.Hash([]byte("x")), n.names.ID("s"), lease.Token(anchor)
		n.hosts[i].keeper.OnDeposit(n.hosts[i], n.hosts[2].id, &wire.Deposit{
			Server: envtest.Seal(wire.NodeKind, "s", &wire.NodeRecord{Network: envtest.Network, Peer: []byte("s"), Generation: 1, Lease: anchor[:]}),
			Pulse:  &wire.Pulse{Token: token[:]},
			Laid: []*wire.Laid{{Pointer: envtest.Pointer("s", &wire.BatchRecord{
				Guid: guid[:], App: "app", Server: server[:], Generation: 1, Counter: 1, LifeS: recordS,
			}), Roots: roots, LeftS: recordS}},
		})
	}
	n.run(10 * time.Second)
	if got := n.sent[wire.KindDeposit.String()]; got == 0 || got > 20 {
		t.Fatalf("%d deposits", got)
	}
}

// TestAPeerIsSentWhatItWantsOnceForEachListing has it want all, again and again.
func TestAPeerIsSentWhatItWantsOnceForEachListing(t *testing.T) {
	n := three(t)
	for i := range 20 {
		n.hosts[0].publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(3 * time.Second)
	server, peer := n.hosts[0], n.hosts[1]
	b := server.store.Server(wire.ServerRefTo(server.id)).Branch(peer.id, wire.Copy_COPY_PATH, true)
	all := &wire.Wanted{Server: server.id[:]}
	for i := range b.Len() {
		all.Prints = wire.AppendPrint(all.Prints, b.At(i).Print())
	}
	clear(n.sent)
	for i := range 20 {
		if i == 10 {
			server.keeper.OnRefreshReply(server, peer.id, &wire.RefreshReply{
				Differ: wire.AppendBranchName(nil, wire.BranchName{Server: wire.ServerRefTo(server.id)}),
			})
		}
		server.step(func() { server.keeper.OnWanted(server, peer.id, all) })
		n.run(100 * time.Millisecond)
	}
	if got := n.sent[wire.KindDeposit.String()]; got != 1 {
		t.Fatalf("%d deposits", got)
	}
}

// TestAPeerCannotLayAPointerUnderManySalts has it lay one pointer under all salts of all numbers of roots.
func TestAPeerCannotLayAPointerUnderManySalts(t *testing.T) {
	s := begin(t, pointers.Limits{}, 0)
	m := goodDeposit(s, "s", "x", 1)
	one := m.Laid[0].Pointer
	m.Laid = nil
	for all := range uint32(wire.MaxRoots) {
		for salt := range all + 1 {
			m.Laid = append(m.Laid, &wire.Laid{Pointer: one, Salt: salt, Roots: all + 1, LeftS: recordS})
		}
	}
	s.step(func() { s.keeper.OnDeposit(s, s.ID("b"), m) })
	if got := len(s.store.At(0).Laid()); got != wire.MaxRoots {
		t.Fatalf("it lies here %d times", got)
	}
}

// TestLargeBranchesAreListedInParts has all deposits of many objects lost: branches of more prints
// than one listing holds are brought there within two periods.
func TestLargeBranchesAreListedInParts(t *testing.T) {
	n := newNet(t, idspace.Hex, 1)
	n.large, n.loss = true, 1
	server, peer := n.join("n0", time.Millisecond), n.join("n1", 30*time.Millisecond)
	for i := range 5000 {
		server.publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(time.Minute)
	if peer.store.Len() > 0 {
		t.Fatal("nothing was lost")
	}
	n.loss = 0
	n.run(3 * lease.Period)
	n.demand(t)
	if got := n.sent[wire.KindListing.String()]; got < 3 || got > 30 {
		t.Fatalf("%d listings", got)
	}
	if err := peer.store.Check(); err != nil {
		t.Fatal(err)
	}
}
