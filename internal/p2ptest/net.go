package p2ptest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"
)

// port is the one UDP port of every simulated host.
const port = 8000

// Config describes a simulated network.
type Config struct {
	// Seed draws the hosts' keys and the losses.
	Seed uint64
	// Latency is the time a packet takes from host to host, by their indexes.
	// If nil, it is 5 ms.
	Latency func(from, to int) time.Duration
	// Loss is the share of packets that vanish, from 0 to 1.
	Loss float64
}

// Net is a simulated network of hosts. It lives in one synctest bubble and is
// taken down, hosts first, when the test ends.
type Net struct {
	t      testing.TB
	cfg    Config
	router simnet.VariableLatencyRouter
	wg     sync.WaitGroup

	mu    sync.Mutex
	rand  *rand.Rand
	index map[netip.AddrPort]int
	ports []*packetPort
	cut   map[[2]int]bool
}

// NewNet starts an empty network. Call it inside a synctest bubble.
func NewNet(t testing.TB, cfg Config) *Net {
	if cfg.Latency == nil {
		cfg.Latency = func(int, int) time.Duration { return 5 * time.Millisecond }
	}
	n := &Net{
		t: t, cfg: cfg,
		rand:  rand.New(rand.NewPCG(cfg.Seed, 1)),
		index: map[netip.AddrPort]int{},
		cut:   map[[2]int]bool{},
	}
	// The router alone, without simnet's links: they would model bandwidth, at the
	// price of two more goroutines in the way of each packet.
	n.router.LatencyFunc = func(p *simnet.Packet) time.Duration {
		return cfg.Latency(n.indexOf(p.From), n.indexOf(p.To))
	}
	n.router.CloseSignal = make(chan struct{})
	n.router.Start(&n.wg)
	t.Cleanup(func() {
		close(n.router.CloseSignal)
		n.wg.Wait()
	})
	return n
}

// Host adds a host and returns it; its index is the number of hosts before it.
// The options come after the defaults: the index's key, QUIC on an address of its
// own, no metrics, no relay.
func (n *Net) Host(opts ...libp2p.Option) host.Host {
	n.t.Helper()
	i := n.reserve()
	return n.host(i, Key(n.cfg.Seed, i), opts)
}

// Again adds a host with the key of an earlier one, which should have crashed or been closed: it
// has been started again, at another address.
func (n *Net) Again(earlier int, opts ...libp2p.Option) host.Host {
	n.t.Helper()
	return n.host(n.reserve(), Key(n.cfg.Seed, earlier), opts)
}

func (n *Net) host(i int, key crypto.PrivKey, opts []libp2p.Option) host.Host {
	n.t.Helper()
	addr := &net.UDPAddr{IP: simnet.IntToPublicIPv4(i), Port: port}
	all := append([]libp2p.Option{
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/%s/udp/%d/quic-v1", addr.IP, port)),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.QUICReuse(n.packets(i, addr)),
		// Address discovery waits on real time and so stalls the bubble's.
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.DisableMetrics(),
		libp2p.DisableRelay(),
	}, opts...)
	h, err := libp2p.New(all...)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { h.Close() })
	return h
}

// Hosts adds several hosts.
func (n *Net) Hosts(count int, opts ...libp2p.Option) []host.Host {
	n.t.Helper()
	hosts := make([]host.Host, count)
	for i := range hosts {
		hosts[i] = n.Host(opts...)
	}
	return hosts
}

func (n *Net) reserve() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports = append(n.ports, nil)
	return len(n.ports) - 1
}

// packets puts host i's QUIC on a packetPort. The connection manager is ours, so
// it is ours to close.
func (n *Net) packets(i int, addr *net.UDPAddr) any {
	return func(l fx.Lifecycle, reset quic.StatelessResetKey, token quic.TokenGeneratorKey) (*quicreuse.ConnManager, error) {
		cm, err := quicreuse.NewConnManager(reset, token,
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return sourceIP(addr.IP), nil }),
			quicreuse.OverrideListenUDP(func(_ string, at *net.UDPAddr) (net.PacketConn, error) { return n.listen(i, at), nil }))
		if err != nil {
			return nil, err
		}
		l.Append(fx.StopHook(cm.Close))
		return cm, nil
	}
}

func (n *Net) listen(i int, addr *net.UDPAddr) net.PacketConn {
	p := &packetPort{net: n, index: i}
	n.mu.Lock()
	defer n.mu.Unlock()
	p.SimConn = simnet.NewBlockingSimConn(addr)
	p.SimConn.SetUpPacketReceiver(&n.router)
	n.router.AddNode(addr, p.SimConn)
	n.ports[i] = p
	n.index[addrPort(addr)] = i
	return p
}

func (n *Net) indexOf(addr net.Addr) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.index[addrPort(addr)]
}

// sourceIP is the address from which a host sends, whatever the destination.
type sourceIP net.IP

func (s sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return net.IP(s), nil
}
