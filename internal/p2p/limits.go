package p2p

import (
	"errors"
	"strings"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/x/rate"
	"github.com/multiformats/go-multiaddr"
)

// serviceName is the overlay's account in the host's resource manager.
const serviceName = "tapestry"

// HostOptions returns what a host needs for a node with at most maxLinks links: a
// resource manager with room for them, and a connection manager that does not trim
// them. libp2p's own limits allow 8 connections per IPv4 address, which ends an
// overlay whose nodes share a machine or a gateway.
func HostOptions(maxLinks int) (libp2p.Option, error) {
	rm, err := ResourceManager(maxLinks)
	if err != nil {
		return nil, err
	}
	low := max(minHighWater, 2*maxLinks)
	cm, err := connmgr.NewConnManager(low, low+low/2)
	if err != nil {
		rm.Close()
		return nil, err
	}
	return libp2p.ChainOptions(libp2p.ResourceManager(rm), libp2p.ConnectionManager(cm)), nil
}

// ResourceManager returns libp2p's resource manager with room for a node of at most
// maxLinks links, that also remembers which limits were hit; Status names them.
func ResourceManager(maxLinks int) (network.ResourceManager, error) {
	perIP := 4 * maxLinks
	subnets := []rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: perIP}}
	subnets6 := []rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: perIP}, {PrefixLength: 48, ConnCount: 4 * perIP}}
	rm, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits(maxLinks)),
		rcmgr.WithLimitPerSubnet(subnets, subnets6),
		rcmgr.WithConnRateLimiters(connRates(maxLinks)),
		rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, err
	}
	return &limitWatch{ResourceManager: rm, hits: newTally()}, nil
}

// limits scales libp2p's defaults with the machine, as libp2p does, and then lifts
// what the links need above that.
func limits(maxLinks int) rcmgr.ConcreteLimitConfig {
	scaling := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&scaling)
	base := scaling.AutoScale()
	// A link is a connection, found by a dial of either side while an older one may
	// still linger, and two streams; candidates and strangers need as many again.
	conns := max(512, 6*maxLinks)
	streams := 8 * conns
	lift := rcmgr.PartialLimitConfig{
		System:    atLeast(base.ToPartialLimitConfig().System, conns, streams),
		Transient: atLeast(base.ToPartialLimitConfig().Transient, conns/2, streams/4),
		Service: map[string]rcmgr.ResourceLimits{serviceName: {
			Streams: rcmgr.LimitVal(streams), StreamsInbound: rcmgr.LimitVal(streams), StreamsOutbound: rcmgr.LimitVal(streams),
			Memory: rcmgr.LimitVal64(256<<20 + int64(maxLinks)<<20),
		}},
		ServicePeer: map[string]rcmgr.ResourceLimits{serviceName: {
			Streams: 64, StreamsInbound: 32, StreamsOutbound: 32, Memory: 8 << 20,
		}},
	}
	return lift.Build(base)
}

// atLeast raises limits of connections and streams.
func atLeast(l rcmgr.ResourceLimits, conns, streams int) rcmgr.ResourceLimits {
	for _, v := range []*rcmgr.LimitVal{&l.Conns, &l.ConnsInbound, &l.ConnsOutbound, &l.FD} {
		*v = higher(*v, conns)
	}
	for _, v := range []*rcmgr.LimitVal{&l.Streams, &l.StreamsInbound, &l.StreamsOutbound} {
		*v = higher(*v, streams)
	}
	return l
}

func higher(v rcmgr.LimitVal, least int) rcmgr.LimitVal {
	if v == rcmgr.Unlimited {
		return v
	}
	return max(v, rcmgr.LimitVal(least))
}

// connRates lets as many nodes behind one address connect at once as there may be
// links, and then goes on at a rate that a churning overlay needs.
func connRates(maxLinks int) *rate.Limiter {
	burst := rate.Limit{RPS: float64(maxLinks) / 8, Burst: 4 * maxLinks}
	return &rate.Limiter{
		NetworkPrefixLimits: []rate.PrefixLimit{
			{Prefix: rcmgr.DefaultNetworkPrefixLimitV4[0].Network}, // loopback: no limit
			{Prefix: rcmgr.DefaultNetworkPrefixLimitV6[0].Network},
		},
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: burst}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: burst}},
		},
	}
}

// limitWatch notes which limits refuse connections and streams, of peers too, which
// nobody else learns of.
type limitWatch struct {
	network.ResourceManager
	hits *tally
}

func (w *limitWatch) OpenConnection(dir network.Direction, usefd bool, to multiaddr.Multiaddr) (network.ConnManagementScope, error) {
	s, err := w.ResourceManager.OpenConnection(dir, usefd, to)
	w.note(err)
	return s, err
}

func (w *limitWatch) OpenStream(p peer.ID, dir network.Direction) (network.StreamManagementScope, error) {
	s, err := w.ResourceManager.OpenStream(p, dir)
	w.note(err)
	return s, err
}

func (w *limitWatch) note(err error) {
	if name := limitName(err); name != "" {
		w.hits.add(name)
	}
}

// limitsHit returns how often each limit of the host's was hit, if it is known.
func limitsHit(h network.Network) map[string]uint64 {
	if w, ok := h.ResourceManager().(*limitWatch); ok {
		return w.hits.all()
	}
	return nil
}

// limitName names the limit that err tells of: the scope, and what it had no more of;
// "" if err tells of none.
func limitName(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "connections per ip limit exceeded"):
		return "connections per IP address"
	case strings.Contains(text, "rate limit exceeded"):
		return "rate of connections per IP address"
	case !errors.Is(err, network.ErrResourceLimitExceeded):
		return ""
	}
	if before, what, ok := strings.Cut(text, "cannot reserve "); ok {
		what, _, _ = strings.Cut(what, ":")
		return scopeName(before) + ": " + what
	}
	before, _, _ := strings.Cut(text, network.ErrResourceLimitExceeded.Error())
	return scopeName(before) + ": memory"
}

// scopeName is the kind of the last scope in text, without whose it is.
func scopeName(text string) string {
	scopes := strings.Fields(text)
	if len(scopes) == 0 {
		return "unnamed"
	}
	s := strings.TrimSuffix(scopes[len(scopes)-1], ":")
	switch {
	case rcmgr.IsConnScope(s):
		return "connection"
	case rcmgr.IsStreamScope(s):
		return "stream"
	case rcmgr.PeerStrInScopeName(s) != "" && strings.HasPrefix(s, "peer:"):
		return "peer"
	}
	if i := strings.Index(s, ".peer:"); i > 0 {
		s = s[:i] + " per peer"
	}
	return s
}
