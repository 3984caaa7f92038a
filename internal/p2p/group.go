package p2p

import (
	"net"

	"github.com/libp2p/go-libp2p-kbucket/peerdiversity"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	asnutil "github.com/libp2p/go-libp2p-asn-util"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// group labels the network that a node is in, for the diversity of the tables (design §4:
// the world computes IP groups as labels): where it is connected from, which it cannot
// make up, or else the first public address that it says to have. Nodes in private
// networks and on the same machine have no label.
func (n *Node) group(id idspace.ID, record *wire.SignedRecord) string {
	if p, ok := n.book.peer(id); ok {
		for _, c := range n.host.Network().ConnsToPeer(p) {
			if !c.Stat().Limited {
				return groupOf(c.RemoteMultiaddr())
			}
		}
	}
	rec, err := record.Node()
	if err != nil {
		return ""
	}
	for _, raw := range rec.Addrs {
		a, err := multiaddr.NewMultiaddrBytes(raw)
		if err != nil {
			continue
		}
		if g := groupOf(a); g != "" {
			return g
		}
	}
	return ""
}

// groupOf is the label of one address: the /16 of an IPv4 address, or the /8 if one owner
// has all of it; the autonomous system of an IPv6 address, or the /32 if that is not known.
// It is "" for what is not a public IP address, or is a relay's.
func groupOf(a multiaddr.Multiaddr) string {
	if _, err := a.ValueForProtocol(multiaddr.P_CIRCUIT); err == nil || !manet.IsPublicAddr(a) {
		return ""
	}
	ip, err := manet.ToIP(a)
	if err != nil {
		return "" // a name
	}
	if ip.To4() == nil && asnutil.AsnForIPv6(ip) == 0 {
		return ip.Mask(net.CIDRMask(32, 128)).String()
	}
	return string(peerdiversity.IPGroupKey(ip))
}
