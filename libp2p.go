package tapestry

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/multiformats/go-multihash"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// ProvidersApp is the application of what is provided by way of Routing: all who use it in an overlay
// find each other's content.
const ProvidersApp AppID = "providers"

// peerApp is the application by which a node says who its host is. Nobody else is to handle it.
const peerApp AppID = "/tapestry/peer"

// Routing is a node as libp2p and what is built on it know a routing system: bitswap, discovery,
// routed hosts, composed routers. Content is known by its multihash, so that CIDs of either version and
// any codec meet. Its methods may be called at the same time; the node stays the caller's to close.
//
//	node, _ := tapestry.New(host)
//	discovery := drouting.NewRoutingDiscovery(node.Routing())
type Routing struct{ node *Node }

var _ routing.Routing = (*Routing)(nil)

// Routing returns the node as a routing system.
func (n *Node) Routing() *Routing { return &Routing{n} }

// Provide tells the overlay that this host has the content of c, and goes on telling it until
// Withdraw, over restarts too if the node has a datastore. Without announce it does nothing: whoever has
// content need not be told.
func (r *Routing) Provide(ctx context.Context, c cid.Cid, announce bool) error {
	if !c.Defined() {
		return routingError("provide", errUndefined)
	}
	if !announce {
		return nil
	}
	return r.node.PublishObject(ctx, GUIDFromMultihash(c.Hash()), ProvidersApp)
}

var errUndefined = fmt.Errorf("%w: an undefined CID", ErrOption)

// Withdraw takes back what Provide has told: nobody is sent to this host for it any more.
func (r *Routing) Withdraw(ctx context.Context, c cid.Cid) error {
	if !c.Defined() {
		return routingError("withdraw", errUndefined)
	}
	return r.node.UnpublishObject(ctx, GUIDFromMultihash(c.Hash()), ProvidersApp)
}

// ProvideMany provides all of these multihashes.
func (r *Routing) ProvideMany(ctx context.Context, keys []multihash.Multihash) error {
	_, err := r.node.PublishObjects(ctx, ProvidersApp, func(yield func(GUID) bool) {
		for _, k := range keys {
			if !yield(GUIDFromMultihash(k)) {
				return
			}
		}
	})
	return err
}

// FindProvidersAsync sends who has the content of c, nearest first, and closes the channel when there
// is nobody else, the search has failed, or ctx has ended. With a count of 1 to 16 it measures the nearest
// before it sends so many; else it sends all that the roots know, as they are named.
func (r *Routing) FindProvidersAsync(ctx context.Context, c cid.Cid, count int) <-chan peer.AddrInfo {
	found := make(chan peer.AddrInfo)
	if !c.Defined() {
		close(found)
		return found
	}
	go func() {
		defer close(found)
		sent := 0
		for replica, err := range r.node.LocateObject(ctx, GUIDFromMultihash(c.Hash()), ProvidersApp, within(count)) {
			if err != nil {
				return // that there is nobody is no error
			}
			select {
			case found <- replica.Peer:
			case <-ctx.Done():
				return
			}
			if sent++; sent == count {
				return
			}
		}
	}()
	return found
}

func within(count int) LocateOption {
	if 0 < count && count <= wire.MaxFound {
		return Limit(count)
	}
	return All()
}

// FindPeer asks p's own node for its addresses, which p signs. A host that is connected to this one is
// not asked. routing.ErrNotFound says that p is no member of the overlay.
func (r *Routing) FindPeer(ctx context.Context, p peer.ID) (peer.AddrInfo, error) {
	if err := p.Validate(); err != nil {
		return peer.AddrInfo{}, routingError("find peer", fmt.Errorf("%w: %w", ErrOption, err))
	}
	if h := r.node.host; p == h.ID() || h.Network().Connectedness(p) == network.Connected {
		if info := h.Peerstore().PeerInfo(p); len(info.Addrs) > 0 {
			return info, nil
		}
	}
	d, err := r.node.Query(ctx, NodeIDFromPeer(p), peerApp, []byte(p))
	switch {
	case errors.Is(err, ErrNoRoute), errors.Is(err, ErrNoHandler), err == nil && len(d.Reply) == 0:
		return peer.AddrInfo{}, routing.ErrNotFound
	case err != nil:
		return peer.AddrInfo{}, err
	}
	return introduced(p, d.Reply)
}

// introduced reads what p's node has said of p.
func introduced(p peer.ID, reply []byte) (peer.AddrInfo, error) {
	envelope, rec, err := record.ConsumeEnvelope(reply, peer.PeerRecordEnvelopeDomain)
	if err != nil {
		return peer.AddrInfo{}, routingError("find peer", fmt.Errorf("%w: %w", ErrInvalid, err))
	}
	about, ok := rec.(*peer.PeerRecord)
	if !ok || about.PeerID != p || !p.MatchesPublicKey(envelope.PublicKey) {
		return peer.AddrInfo{}, routingError("find peer", fmt.Errorf("%w: the record is not of %s", ErrInvalid, p))
	}
	return peer.AddrInfo{ID: p, Addrs: about.Addrs}, nil
}

// introduce answers who asks for the host h by its peer ID; with nothing who asks for another, of which this
// node is the nearest to be found.
func introduce(h host.Host) p2p.Handler {
	return p2p.Handler{Deliver: func(_ context.Context, in p2p.Inbound) ([]byte, error) {
		if peer.ID(in.Payload) != h.ID() {
			return nil, nil
		}
		key := h.Peerstore().PrivKey(h.ID())
		if key == nil {
			return nil, errors.New("the host does not show its key")
		}
		envelope, err := record.Seal(peer.PeerRecordFromAddrInfo(*host.InfoFromHost(h)), key)
		if err != nil {
			return nil, err
		}
		return envelope.Marshal()
	}}
}

// PutValue returns routing.ErrNotSupported: the overlay says where things are, and keeps none.
func (r *Routing) PutValue(context.Context, string, []byte, ...routing.Option) error {
	return routing.ErrNotSupported
}

// GetValue returns routing.ErrNotSupported, as PutValue does.
func (r *Routing) GetValue(context.Context, string, ...routing.Option) ([]byte, error) {
	return nil, routing.ErrNotSupported
}

// SearchValue returns routing.ErrNotSupported, as PutValue does.
func (r *Routing) SearchValue(context.Context, string, ...routing.Option) (<-chan []byte, error) {
	return nil, routing.ErrNotSupported
}

// Bootstrap does nothing: Join makes the node a member, and it stays one.
func (r *Routing) Bootstrap(context.Context) error { return nil }

// Ready reports whether the node is an active member of an overlay.
func (r *Routing) Ready() bool { return r.node.Status().Ready }

// routingError is an error of a method of Routing that asks nobody.
func routingError(op string, err error) error { return &OpError{Op: op, Err: err} }
