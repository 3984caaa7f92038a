package p2p

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multistream"
)

// A node that crashes and is started again at another address leaves connections behind that its
// neighbors take to be open until they have been silent for half a minute. libp2p would use them on:
// what is sent there is lost, and the neighbor not dialed where it is now. A record of a higher
// generation tells that it was started again.

// lifeOf is the generation to which a new link leads: the present one if a connection is opened for it,
// else that in which the peer has last said hello.
func (l *loop) lifeOf(k *link) uint64 {
	if life := l.inbound.life(k.peer); life > 0 && !k.dials {
		return life
	}
	return l.book.generation(k.id)
}

// outdated reports whether the peer of a link has been started again since the link was made.
func (l *loop) outdated(k *link) bool {
	life := l.book.generation(k.id)
	if k.life == 0 {
		k.life = life
	}
	return life > k.life
}

// returned reports whether the peer of an outdated link has said hello since: what is sent goes to
// where it is then, whether or not the connection to where it was is found to be dead.
func (l *loop) returned(k *link) bool {
	return l.outdated(k) && l.inbound.conn(k.peer, l.book.generation(k.id)) != nil
}

// dropDead closes those connections to a peer, which has been started again, that do not answer.
// It may be another node on the same host: then they do. If the peer has said hello by one since,
// that one is used, and the others end by themselves.
func (n *Node) dropDead(p peer.ID, generation uint64) {
	if n.inbound.conn(p, generation) != nil {
		return
	}
	patience := knock
	if rtt := n.host.Peerstore().LatencyEWMA(p); rtt > 0 {
		patience = min(patience, knock/10+3*rtt)
	}
	var all sync.WaitGroup
	for _, c := range n.host.Network().ConnsToPeer(p) {
		all.Go(func() {
			if n.silent(c, patience) {
				c.CloseWithError(network.ConnSupplanted)
			}
		})
	}
	all.Wait()
}

// knock is how long a connection has to answer, at most.
const knock = time.Second

// silent reports whether nobody at the other end of a connection has answered within a time, to the
// opening of a stream of this protocol or of none. What fails for another reason, such as this node's
// end or a limit of its host, says nothing of the other end.
func (n *Node) silent(c network.Conn, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(n.life.ctx, within)
	defer cancel()
	s, err := c.NewStream(ctx)
	if err == nil {
		defer s.ResetWithError(network.StreamNoError)
		s.SetDeadline(time.Now().Add(within))
		err = multistream.SelectProtoOrFail(n.protocol, s)
	}
	var late net.Error
	return n.life.ctx.Err() == nil && errors.As(err, &late) && late.Timeout()
}
