package p2ptest_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"

	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

func connect(from, to host.Host, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return from.Connect(ctx, peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()})
}

func pingRTT(t *testing.T, from, to host.Host) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r := <-ping.Ping(ctx, from, to.ID())
	if r.Error != nil {
		t.Fatal(r.Error)
	}
	return r.RTT
}

func TestLatencyIsPerPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := p2ptest.NewNet(t, p2ptest.Config{Latency: func(from, to int) time.Duration {
			return time.Duration(from+to) * 10 * time.Millisecond
		}})
		h := n.Hosts(3)
		for _, pair := range [][2]int{{0, 1}, {1, 2}} {
			a, b := h[pair[0]], h[pair[1]]
			if err := connect(a, b, time.Second); err != nil {
				t.Fatal(err)
			}
			want := time.Duration(pair[0]+pair[1]) * 20 * time.Millisecond
			if rtt := pingRTT(t, a, b); rtt < want || rtt > want+want/5 {
				t.Errorf("%v: round trip %v, want %v", pair, rtt, want)
			}
		}
	})
}

func TestKeysFollowFromTheSeed(t *testing.T) {
	for i := range 3 {
		if !p2ptest.Key(7, i).Equals(p2ptest.Key(7, i)) {
			t.Error("the same seed and index gave another key")
		}
		if p2ptest.Key(7, i).Equals(p2ptest.Key(8, i)) || p2ptest.Key(7, i).Equals(p2ptest.Key(7, i+1)) {
			t.Error("another seed or index gave the same key")
		}
	}
}

func TestAFirewallLetsAnswersInAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := p2ptest.NewNet(t, p2ptest.Config{})
		h := n.Hosts(2)
		n.Firewall(0)
		if connect(h[1], h[0], 20*time.Second) == nil {
			t.Error("a stranger came in through the firewall")
		}
		if err := connect(h[0], h[1], 20*time.Second); err != nil {
			t.Error("the host behind the firewall cannot get out:", err)
		}
	})
}

func TestACrashedHostSaysNoGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := p2ptest.NewNet(t, p2ptest.Config{})
		h := n.Hosts(2)
		if err := connect(h[0], h[1], time.Second); err != nil {
			t.Fatal(err)
		}
		n.Crash(1)
		h[1].Close()
		time.Sleep(5 * time.Second)
		if h[0].Network().Connectedness(h[1].ID()) != network.Connected {
			t.Error("the connection closed as if somebody had said so")
		}
		time.Sleep(time.Minute)
		if h[0].Network().Connectedness(h[1].ID()) == network.Connected {
			t.Error("the connection outlived its host")
		}
	})
}

func TestACutIsOneWayAndLossIsSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := p2ptest.NewNet(t, p2ptest.Config{Seed: 3, Loss: 0.1})
		h := n.Hosts(2)
		h[1].SetStreamHandler("/sink", func(s network.Stream) {
			got, err := io.ReadAll(s)
			if err != nil || len(got) != 1<<20 {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			s.Write([]byte{1})
			s.Close()
		})
		if err := connect(h[0], h[1], 20*time.Second); err != nil {
			t.Fatal(err)
		}
		s, err := h[0].NewStream(context.Background(), h[1].ID(), "/sink")
		if err != nil {
			t.Fatal(err)
		}
		s.Write(make([]byte, 1<<20))
		s.CloseWrite()
		if _, err := io.ReadAll(s); err != nil {
			t.Error(err)
		}
		n.Cut(1, 0)
		time.Sleep(time.Minute)
		if len(h[0].Network().Conns()) != 0 {
			t.Error("a connection lived on without anything coming back")
		}
		n.Heal(1, 0)
		if err := connect(h[0], h[1], 20*time.Second); err != nil {
			t.Error("healed:", err)
		}
	})
}
