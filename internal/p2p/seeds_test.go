package p2p_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// source is a source of seeds that notes when it was asked.
type source struct {
	mu    sync.Mutex
	infos []peer.AddrInfo
	err   error
	times []time.Time
}

func (s *source) look(context.Context) ([]peer.AddrInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times = append(s.times, time.Now())
	return s.infos, s.err
}

// answer has the source say something else from now on.
func (s *source) answer(infos []peer.AddrInfo, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.infos, s.err = infos, err
}

// asked lists when the source was asked so far.
func (s *source) asked() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.times)
}

// willing has the machines let every join succeed, and returns the last one's seeds.
func willing(d *double) (seeds func() []idspace.ID) {
	var last atomic.Pointer[env.JoinRequest]
	d.onLocal.set(func(w env.World, l env.Local) {
		if j, ok := l.(*env.JoinRequest); ok {
			last.Store(j)
			w.Deliver(&env.Outcome{Call: j.Call})
		}
	})
	return func() []idspace.ID { return last.Load().Seeds }
}

func TestJoinAsksTheSourceAndWhoeverIsGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{})
		h := net.Hosts(4)
		at := func(i int) peer.AddrInfo { return *host.InfoFromHost(h[i]) }
		found := &source{infos: []peer.AddrInfo{at(2), at(1), at(0), at(2)}, err: errors.New("one of them is nonsense")}
		n := start(t, h[0], p2p.Config{Seeds: found.look})
		seeds := willing(n.double)
		if _, err := n.Join(t.Context(), []peer.AddrInfo{at(1), at(3)}); err != nil {
			t.Fatal(err)
		}
		if want := []idspace.ID{p2p.IDOf(h[1]), p2p.IDOf(h[3]), p2p.IDOf(h[2])}; !slices.Equal(seeds(), want) {
			t.Errorf("joined by %v, want %v: the node itself and doubles left out", seeds(), want)
		}
	})
}

func TestSourcesThatNameNobodyDoNotFoundAnOverlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{})
		found := new(source)
		n := start(t, net.Host(), p2p.Config{Seeds: found.look})
		seeds := willing(n.double)
		if _, err := n.Join(t.Context(), nil); !errors.Is(err, p2p.ErrNoSeeds) {
			t.Errorf("from an empty source: %v", err)
		}
		down := errors.New("no such host")
		found.answer(nil, down)
		if _, err := n.Join(t.Context(), nil); !errors.Is(err, p2p.ErrNoSeeds) || !errors.Is(err, down) {
			t.Errorf("from a source that is down: %v", err)
		}
		found.answer([]peer.AddrInfo{*host.InfoFromHost(n.host)}, down)
		if _, err := n.Join(t.Context(), nil); err != nil || len(seeds()) != 0 {
			t.Errorf("from one that names this node alone: %v, by %v", err, seeds())
		}
	})
}

func TestWhoHasLostEverybodyAsksTheSourceEverMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{})
		peers := []*site{start(t, net.Host(), p2p.Config{}), start(t, net.Host(), p2p.Config{})}
		found := &source{infos: []peer.AddrInfo{*host.InfoFromHost(peers[0].host)}}
		n := start(t, net.Host(), p2p.Config{Seeds: found.look})
		introduce(append(peers, n)...)
		use(n, peers[0], wire.Use_USE_LEAF)
		use(n, peers[1], wire.Use_USE_LEAF)
		use(n, peers[1], wire.Use_USE_NONE)
		time.Sleep(5 * time.Second) // in less than 5 minutes all in all: from then on they are looked up anyway
		if len(found.asked()) != 0 {
			t.Fatalf("asked %d times with a neighbor left", len(found.asked()))
		}
		use(n, peers[0], wire.Use_USE_NONE)
		lost := time.Now()
		time.Sleep(3 * time.Minute)
		asked := found.asked()
		// Means of 1, 2, 4, 8, 16, 32, 60, 60 … s, from half to one and a half each.
		if len(asked) < 6 || len(asked) > 12 || asked[0].Sub(lost) > 1500*time.Millisecond || asked[0].Sub(lost) < 500*time.Millisecond {
			t.Errorf("asked %d times, first after %v", len(asked), asked[0].Sub(lost))
		}
		if last := asked[len(asked)-1].Sub(asked[len(asked)-2]); last < 15*time.Second || last > 90*time.Second {
			t.Errorf("the last two were %v apart", last)
		}
		told := count(n.double, func(s *env.Seeds) bool { return slices.Equal(s.IDs, []idspace.ID{peers[0].ID()}) })
		if told != len(asked) {
			t.Errorf("the machines were told %d times of %d", told, len(asked))
		}
		use(n, peers[0], wire.Use_USE_LEAF)
		time.Sleep(100 * time.Second)
		if more := len(found.asked()) - len(asked); more != 0 {
			t.Errorf("asked %d times more though somebody is there", more)
		}
	})
}

func TestSeedsAreLookedUpNowAndThenWhileAllIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{})
		peerSite := start(t, net.Host(), p2p.Config{})
		found := &source{infos: []peer.AddrInfo{*host.InfoFromHost(peerSite.host)}}
		n := start(t, net.Host(), p2p.Config{Seeds: found.look})
		introduce(peerSite, n)
		use(n, peerSite, wire.Use_USE_LEAF)
		time.Sleep(time.Hour)
		if len(found.asked()) < 4 || len(found.asked()) > 12 {
			t.Errorf("asked %d times in an hour", len(found.asked()))
		}
	})
}
