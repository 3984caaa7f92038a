package p2p

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// connect makes sure that a link that may dial has a connection, and reports
// whether it opened one.
func (n *Node) connect(k *link) (dialed bool, err error) {
	if k.anew {
		n.dropDead(k.peer, n.book.generation(k.id))
	}
	if !k.dials || n.host.Network().Connectedness(k.peer) == network.Connected {
		return false, nil
	}
	select {
	case n.dialing <- struct{}{}:
		defer func() { <-n.dialing }()
	case <-k.gone:
		return false, context.Canceled
	case <-n.life.over():
		return false, context.Canceled
	}
	n.counts.dials.Add(1)
	n.counts.dialsFor.add(k.asked)
	err = n.dialPeer(n.life.ctx, k.id, k.peer)
	if err != nil {
		n.counts.dialsFailed.Add(1)
	}
	return err == nil, err
}

// dialPeer opens a direct connection to a node, by the addresses in its own signed
// record or given by the user, and none from anybody else.
func (n *Node) dialPeer(ctx context.Context, id idspace.ID, p peer.ID) error {
	n.host.Peerstore().AddAddrs(p, n.book.addrs(id), peerstore.AddressTTL)
	ctx, cancel := context.WithTimeout(ctx, n.cfg.DialTimeout)
	defer cancel()
	// Not forced to be direct: that panics in go-libp2p when the host closes meanwhile.
	c, err := n.host.Network().DialPeer(network.WithDialPeerTimeout(ctx, n.cfg.DialTimeout), p)
	if err != nil {
		return fmt.Errorf("dialing %s: %w", id.Short(), err)
	}
	if c.Stat().Limited {
		return fmt.Errorf("dialing %s: %w", id.Short(), network.ErrLimitedConn)
	}
	return nil
}

// forgive makes the host forget that dialing a peer has been in vain: the user asks
// for it now.
func (n *Node) forgive(p peer.ID) {
	if s, ok := n.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(p)
	}
}
