package tapestry_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	drouting "github.com/libp2p/go-libp2p/p2p/discovery/routing"
	"github.com/multiformats/go-multihash"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

// hashed is the multihash of some content.
func hashed(t *testing.T, content string) multihash.Multihash {
	t.Helper()
	m, err := multihash.Sum([]byte(content), multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// providers collects what FindProvidersAsync sends, until the channel is closed.
func providers(ctx context.Context, r *tapestry.Routing, c cid.Cid, count int) (ids []peer.ID) {
	for info := range r.FindProvidersAsync(ctx, c, count) {
		ids = append(ids, info.ID)
	}
	return ids
}

func peerOf(n *tapestry.Node) peer.ID { return n.Status().Peer }

// What is provided under a CID is found under every other of the same multihash, as many providers as
// are asked for, and not any more when it is withdrawn.
func TestContentIsFoundByItsMultihash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, m := world(t, 5), hashed(t, "content")
		zero, raw := cid.NewCidV0(m), cid.NewCidV1(cid.Raw, m)
		for _, n := range nodes[:3] {
			if err := n.Routing().Provide(t.Context(), zero, true); err != nil {
				t.Fatal(err)
			}
		}
		if err := nodes[3].Routing().Provide(t.Context(), raw, false); err != nil {
			t.Fatal(err) // nobody is told
		}
		asker, all := nodes[4].Routing(), []peer.ID{peerOf(nodes[0]), peerOf(nodes[1]), peerOf(nodes[2])}
		slices.Sort(all)
		for _, count := range []int{0, 3, 16, 100} {
			got := providers(t.Context(), asker, raw, count)
			if slices.Sort(got); !slices.Equal(got, all) {
				t.Errorf("%d asked for: %v, want %v", count, got, all)
			}
		}
		if got := providers(t.Context(), asker, zero, 2); len(got) != 2 || got[0] == got[1] {
			t.Errorf("two asked for: %v", got)
		}
		if err := nodes[0].Routing().Withdraw(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
		if got := providers(t.Context(), asker, zero, 0); len(got) != 2 || slices.Contains(got, peerOf(nodes[0])) {
			t.Errorf("one has withdrawn: %v", got)
		}
		if got := providers(t.Context(), asker, cid.NewCidV0(hashed(t, "nobody's")), 0); len(got) != 0 {
			t.Errorf("nobody's: %v", got)
		}
	})
}

// The channel is closed whatever happens, and who does not read on is not waited for.
func TestTheChannelOfProvidersIsAlwaysClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, c := world(t, 3), cid.NewCidV0(hashed(t, "content"))
		for _, n := range nodes {
			if err := n.Routing().Provide(t.Context(), c, true); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		found := nodes[2].Routing().FindProvidersAsync(ctx, c, 0)
		<-found
		cancel() // and nobody reads: the bubble finds a goroutine that stays
		synctest.Wait()
		for range found { // ends, or the test hangs
			t.Error("a provider after the caller has had enough")
		}
		if got := providers(ctx, nodes[2].Routing(), c, 0); len(got) != 0 {
			t.Errorf("asked when it was over: %v", got)
		}
		if got := providers(t.Context(), nodes[2].Routing(), cid.Undef, 0); len(got) != 0 {
			t.Errorf("an undefined CID: %v", got)
		}
		nodes[2].Close()
		if got := providers(t.Context(), nodes[2].Routing(), c, 0); len(got) != 0 {
			t.Errorf("a closed node: %v", got)
		}
	})
}

// Many are provided at once; discovery, which other parts of libp2p use, works by the same.
func TestDiscoveryWorksByTheOverlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := world(t, 4)
		var many []multihash.Multihash
		for i := range 50 {
			many = append(many, hashed(t, fmt.Sprint(i)))
		}
		if err := nodes[0].Routing().ProvideMany(t.Context(), many); err != nil {
			t.Fatal(err)
		}
		apps := maps.Collect(nodes[0].Published())
		if g := tapestry.GUIDFromMultihash(many[49]); len(apps) != 50 || apps[g] != tapestry.ProvidersApp {
			t.Errorf("%d published, the last for %q", len(apps), apps[g])
		}
		if _, err := drouting.NewRoutingDiscovery(nodes[1].Routing()).Advertise(t.Context(), "a topic"); err != nil {
			t.Fatal(err)
		}
		found, err := drouting.NewRoutingDiscovery(nodes[2].Routing()).FindPeers(t.Context(), "a topic")
		if err != nil {
			t.Fatal(err)
		}
		if info, ok := <-found; !ok || info.ID != peerOf(nodes[1]) || len(info.Addrs) == 0 {
			t.Errorf("found %v", info)
		}
	})
}

// A peer is found by its own node, which signs where it is, whether it is connected or not.
func TestAPeerIsFoundByItsOwnNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := world(t, 40, tapestry.WithMaxLinks(20))
		far := 0
		for _, n := range nodes[1:] {
			if !slices.ContainsFunc(nodes[0].Status().Neighbors, func(nb tapestry.Neighbor) bool { return nb.ID == n.ID() }) {
				far++
			}
			info, err := nodes[0].Routing().FindPeer(t.Context(), peerOf(n))
			if err != nil || info.ID != peerOf(n) || len(info.Addrs) == 0 {
				t.Errorf("%v: %v", info, err)
			}
		}
		if t.Logf("%d of 39 have no link with it", far); far == 0 {
			t.Error("all have a link with it")
		}
		self, err := nodes[0].Routing().FindPeer(t.Context(), peerOf(nodes[0]))
		if err != nil || self.ID != peerOf(nodes[0]) || len(self.Addrs) == 0 {
			t.Errorf("itself: %v, %v", self, err)
		}
		stranger, err := peer.IDFromPrivateKey(p2ptest.Key(9, 9))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := nodes[0].Routing().FindPeer(t.Context(), stranger); !errors.Is(err, routing.ErrNotFound) {
			t.Errorf("a stranger: %v, %v", info, err)
		}
		if _, err := nodes[0].Routing().FindPeer(t.Context(), ""); !errors.Is(err, tapestry.ErrOption) {
			t.Errorf("nobody: %v", err)
		}
	})
}

// What a routing system for libp2p says when it is asked for what it does not do, or too early.
func TestWhatRoutingDoesNotDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		n, err := tapestry.New(net.Host())
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		r, c := n.Routing(), cid.NewCidV0(hashed(t, "content"))
		_, get := r.GetValue(t.Context(), "/ipns/x")
		_, search := r.SearchValue(t.Context(), "/ipns/x")
		for name, err := range map[string]error{"put": r.PutValue(t.Context(), "/ipns/x", nil), "get": get, "search": search} {
			if !errors.Is(err, routing.ErrNotSupported) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := r.Bootstrap(t.Context()); err != nil || r.Ready() {
			t.Errorf("bootstrap: %v; ready: %v", err, r.Ready())
		}
		for name, err := range map[string]error{
			"provide": r.Provide(t.Context(), c, true), "many": r.ProvideMany(t.Context(), []multihash.Multihash{c.Hash()}),
			"find peer": second(r.FindPeer(t.Context(), must(peer.IDFromPrivateKey(p2ptest.Key(9, 9))))),
		} {
			if !errors.Is(err, tapestry.ErrNotJoined) {
				t.Errorf("%s before it has joined: %v", name, err)
			}
		}
		for name, err := range map[string]error{"provide": r.Provide(t.Context(), cid.Undef, true), "withdraw": r.Withdraw(t.Context(), cid.Undef)} {
			if !errors.Is(err, tapestry.ErrOption) {
				t.Errorf("%s of nothing: %v", name, err)
			}
		}
		if err := errors.Join(n.Join(t.Context()), n.WaitReady(t.Context())); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // bubble: that of the test
		if !r.Ready() {
			t.Error("not ready")
		}
		if n.Close(); r.Ready() {
			t.Error("ready when closed")
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
