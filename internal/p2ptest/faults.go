package p2ptest

import (
	"net"
	"net/netip"
	"sync"

	"github.com/marcopolo/simnet"
)

// packetPort is a host's socket, where its packets meet their fate. The receiver's
// port decides about all that is between two hosts.
type packetPort struct {
	*simnet.SimConn
	net   *Net
	index int

	mu      sync.Mutex
	crashed bool
	// wall, if not nil, is a firewall: it holds whom this host has sent to, from
	// whom alone packets come in.
	wall map[netip.AddrPort]bool
}

// WriteTo sends a packet, unless the host is dead.
func (p *packetPort) WriteTo(b []byte, to net.Addr) (int, error) {
	if !p.leaves(to) {
		return len(b), nil
	}
	return p.SimConn.WriteTo(b, to)
}

// ReadFrom returns the next packet that reaches the host.
func (p *packetPort) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := p.SimConn.ReadFrom(b)
		if err != nil || p.arrives(from) {
			return n, from, err
		}
	}
}

func (p *packetPort) leaves(to net.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wall != nil {
		p.wall[addrPort(to)] = true
	}
	return !p.crashed
}

func (p *packetPort) arrives(from net.Addr) bool {
	p.mu.Lock()
	blocked := p.crashed || p.wall != nil && !p.wall[addrPort(from)]
	p.mu.Unlock()
	return !blocked && p.net.carries(p.net.indexOf(from), p.index)
}

// addrPort is an address in the one form that compares equal.
func addrPort(a net.Addr) netip.AddrPort {
	u := a.(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(u.Addr().Unmap(), u.Port())
}

// carries draws whether a packet gets through from one host to another.
func (n *Net) carries(from, to int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.cut[[2]int{from, to}] && (n.cfg.Loss == 0 || n.rand.Float64() >= n.cfg.Loss)
}

func (n *Net) port(i int) *packetPort {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ports[i]
}

// Crash makes host i vanish without a goodbye: no packet leaves or reaches it any
// more. What runs on it goes on until it is closed.
func (n *Net) Crash(i int) {
	p := n.port(i)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crashed = true
}

// Firewall lets packets in to host i only from where it has sent some before.
func (n *Net) Firewall(i int) {
	p := n.port(i)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wall = map[netip.AddrPort]bool{}
}

// Cut loses every packet that goes from one host to the other, in that direction
// alone.
func (n *Net) Cut(from, to int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]int{from, to}] = true
}

// Heal undoes Cut.
func (n *Net) Heal(from, to int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cut, [2]int{from, to})
}

// SetLoss changes the share of packets that vanish.
func (n *Net) SetLoss(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cfg.Loss = share
}
