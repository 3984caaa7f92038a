package tapestry_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

// founder is the first node of an overlay.
func founder(t *testing.T, h host.Host, opts ...tapestry.Option) *tapestry.Node {
	t.Helper()
	n, err := tapestry.New(h, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := errors.Join(n.Join(ctx), n.WaitReady(ctx)); err != nil {
		t.Fatalf("%v\n%+v", err, n.Status())
	}
	return n
}

// full are the multiaddrs of a host with its peer ID.
func full(t *testing.T, h host.Host) []multiaddr.Multiaddr {
	t.Helper()
	all, err := peer.AddrInfoToP2pAddrs(host.InfoFromHost(h))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// records is a DNS of TXT records.
type records map[string][]string

func (records) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) {
	return nil, errors.New("nobody should ask")
}

func (r records) LookupTXT(_ context.Context, name string) ([]string, error) {
	if txt, ok := r[name]; ok {
		return txt, nil
	}
	return nil, fmt.Errorf("lookup %s: no such host", name)
}

func (r records) resolver(t *testing.T) tapestry.Resolver {
	t.Helper()
	to, err := madns.NewResolver(madns.WithDefaultResolver(r))
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestEverySourceOfSeedsLeadsIntoTheOverlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		first := sim.Host()
		founder(t, first)
		at := full(t, first)
		dns := records{
			"_dnsaddr.boot.example": {"dnsaddr=/dnsaddr/eu.example"},
			"_dnsaddr.eu.example":   {"dnsaddr=" + at[0].String()},
		}.resolver(t)
		path := filepath.Join(t.TempDir(), "seeds")
		if err := os.WriteFile(path, []byte("# ours\n/dnsaddr/boot.example\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		name := multiaddr.StringCast("/dnsaddr/boot.example")
		for kind, source := range map[string]tapestry.SeedSource{
			"list":     tapestry.SeedList{*host.InfoFromHost(first)},
			"function": tapestry.SeedFunc(tapestry.SeedList{*host.InfoFromHost(first)}.Seeds),
			"address":  tapestry.SeedAddrs{Addrs: at},
			"name":     tapestry.SeedAddrs{Addrs: []multiaddr.Multiaddr{name}, Resolver: dns},
			"file":     tapestry.SeedFile{Path: path, Resolver: dns},
		} {
			n := founder(t, sim.Host(), tapestry.WithSeeds(source))
			if s := n.Status(); s.Links == 0 {
				t.Errorf("%s: founded an overlay of its own", kind)
			}
		}
	})
}

func TestSeedsThatCannotBeFoundAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		path := filepath.Join(t.TempDir(), "seeds")
		if err := os.WriteFile(path, []byte("\nnonsense\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := tapestry.New(sim.Host(), tapestry.WithSeeds(
			tapestry.SeedAddrs{Addrs: []multiaddr.Multiaddr{multiaddr.StringCast("/dnsaddr/gone.example")}, Resolver: records{}.resolver(t)},
			tapestry.SeedFile{Path: path},
		))
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		err = n.Join(t.Context())
		if !errors.Is(err, tapestry.ErrNoSeeds) || !strings.Contains(err.Error(), "_dnsaddr.gone.example") || !strings.Contains(err.Error(), path+":2") {
			t.Errorf("%v", err)
		}
	})
}

// A node that lost everybody comes back by a seed that was not there when it joined.
func TestWhoHasLostEverybodyComesBackByASeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		hosts := sim.Hosts(3)
		var seed atomic.Pointer[peer.AddrInfo]
		seed.Store(host.InfoFromHost(hosts[0]))
		source := tapestry.SeedFunc(func(context.Context) ([]peer.AddrInfo, error) { return []peer.AddrInfo{*seed.Load()}, nil })
		founder(t, hosts[0])
		survivor := founder(t, hosts[1], tapestry.WithSeeds(source))
		time.Sleep(settle)
		sim.Crash(0)
		seed.Store(host.InfoFromHost(hosts[2]))
		other := founder(t, hosts[2])
		begin := time.Now()
		for other.Status().Links == 0 && time.Since(begin) < 5*time.Minute {
			time.Sleep(time.Second)
		}
		t.Logf("back after %v", time.Since(begin))
		if survivor.Status().Links != 1 || other.Status().Links != 1 {
			t.Errorf("after %v: %+v", time.Since(begin), survivor.Status())
		}
	})
}

// A node that is started again finds back without any seed, and is a new generation even
// within the second.
func TestARestartedNodeComesBackByItsRememberedNeighbors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		hosts := sim.Hosts(4)
		store := dssync.MutexWrap(datastore.NewMapDatastore())
		opt := tapestry.WithDatastore(store)
		first := founder(t, hosts[0], opt)
		var others []*tapestry.Node
		for _, h := range hosts[1:] {
			others = append(others, founder(t, h, tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(hosts[0])})))
		}
		time.Sleep(settle)
		generation := first.Status().Generation
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		again := founder(t, hosts[0], opt)
		if s := again.Status(); s.Links == 0 || s.Generation <= generation {
			t.Errorf("links %d, generation %d after %d", s.Links, s.Generation, generation)
		}
		time.Sleep(settle)
		// Whoever left comes back as well: what it remembers is from before.
		if err := errors.Join(again.Leave(t.Context()), again.Close()); err != nil {
			t.Fatal(err)
		}
		if s := founder(t, hosts[0], opt).Status(); s.Links == 0 {
			t.Error("after leaving it founded an overlay of its own")
		}
		for _, n := range others {
			n.Close()
		}
	})
}

func TestADatastoreOfNobodyLeftDoesNotKeepANodeFromFounding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		hosts := sim.Hosts(2)
		opt := tapestry.WithDatastore(dssync.MutexWrap(datastore.NewMapDatastore()))
		first := founder(t, hosts[0], opt)
		founder(t, hosts[1], tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(hosts[0])}))
		time.Sleep(settle)
		first.Close()
		sim.Crash(1)
		begin := time.Now()
		again := founder(t, hosts[0], opt)
		if s := again.Status(); s.Links != 0 || time.Since(begin) > 30*time.Second {
			t.Errorf("after %v: %+v", time.Since(begin), s)
		}
	})
}
