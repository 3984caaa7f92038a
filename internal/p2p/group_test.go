package p2p_test

import (
	"testing"
	"testing/synctest"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

func TestGroupsAreOfTheConnectionRatherThanOfTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		n, other := start(t, net.Host(), p2p.Config{}), start(t, net.Host(), p2p.Config{})
		liar := someRecordAt(1, "/ip4/52.7.9.1/udp/1/quic-v1")
		if got := n.Group(idspace.ID{1}, liar); got != "52.7.0.0" {
			t.Errorf("by its record: %q", got)
		}
		introduce(n, other)
		connect(t, n.host, other.host)
		if got := n.Group(other.ID(), liar); got != "1.0.0.0" { // simnet's first public addresses
			t.Errorf("by its connection: %q", got)
		}
	})
}

func TestOnlyPublicAddressesHaveAGroup(t *testing.T) {
	for addr, want := range map[string]string{
		"/ip4/52.7.200.3/udp/1/quic-v1":       "52.7.0.0",
		"/ip4/17.7.200.3/udp/1/quic-v1":       "17.0.0.0", // one owner has all of it
		"/ip4/127.0.0.1/tcp/1":                "",
		"/ip4/10.7.200.3/tcp/1":               "",
		"/ip4/192.168.1.1/tcp/1":              "",
		"/ip6/::1/tcp/1":                      "",
		"/ip6/fd00::1/tcp/1":                  "",
		"/ip6/2600:1f18::1/udp/1/quic-v1":     "14618",
		"/ip6/fe80::1/udp/1/quic-v1":          "",
		"/dns4/example.org/udp/1/quic-v1":     "",
		"/ip4/52.7.200.3/tcp/1/p2p-circuit":   "",
		"/ip6/2a0f:ffff:1:2::3/udp/1/quic-v1": "2a0f:ffff::",
	} {
		if got := p2p.GroupOf(addr); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}
