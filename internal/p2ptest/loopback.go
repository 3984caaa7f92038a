package p2ptest

import (
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// Loopback starts real hosts on TCP over 127.0.0.1, for tests outside a bubble.
// They are closed when the test ends.
func Loopback(t testing.TB, seed uint64, count int, opts ...libp2p.Option) []host.Host {
	t.Helper()
	hosts := make([]host.Host, count)
	for i := range hosts {
		all := append([]libp2p.Option{
			libp2p.Identity(Key(seed, i)),
			libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
			libp2p.Transport(tcp.NewTCPTransport),
			libp2p.DisableMetrics(),
			libp2p.DisableRelay(),
		}, opts...)
		h, err := libp2p.New(all...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		hosts[i] = h
	}
	return hosts
}
