package p2p

import (
	logging "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

var logger = logging.Logger("tapestry/net")

const (
	// connTag is our mark in the host's connection manager.
	connTag = "tapestry"
	// minHighWater is the high mark below which trimming would cut into the overlay's
	// own links: their cap is 160 by default, and others use the host too.
	minHighWater = 300
)

// weights tell the connection manager what a link is worth, by its use.
var weights = [...]int{wire.Use_USE_NONE: 0, wire.Use_USE_SPARE: 5, wire.Use_USE_SOLE: 20, wire.Use_USE_STARVED: 20, wire.Use_USE_LEAF: 40}

// use is what the connection manager has been told of a peer.
type use struct {
	peer    peer.ID
	weight  int
	protect bool
}

// setUse passes the use of a link on to the connection manager: what must not be
// trimmed is protected, and everything weighed.
func (l *loop) setUse(ev *env.LinkUsed) {
	old, known := l.uses[ev.Peer]
	next := use{old.peer, weights[max(ev.Mine, ev.Theirs)], ev.Protect}
	if !known {
		p, ok := l.peer(ev.Peer)
		if !ok {
			return
		}
		next.peer = p
	}
	cm := l.host.ConnManager()
	if next.weight == 0 && !next.protect {
		if known {
			cm.Unprotect(next.peer, connTag)
			cm.UntagPeer(next.peer, connTag)
			delete(l.uses, ev.Peer)
		}
		if len(l.uses) == 0 {
			l.seeds.alone()
		}
		return
	}
	if next.protect && !old.protect {
		cm.Protect(next.peer, connTag)
	} else if old.protect && !next.protect {
		cm.Unprotect(next.peer, connTag)
	}
	if next.weight != old.weight {
		cm.TagPeer(next.peer, connTag, next.weight)
	}
	l.uses[ev.Peer] = next
}

// peer returns the peer ID of a node that is linked or in the book.
func (l *loop) peer(id idspace.ID) (peer.ID, bool) {
	if k, ok := l.links[id]; ok {
		return k.peer, true
	}
	return l.book.peer(id)
}

// warn tells the operator, once, of a connection manager that would trim the
// overlay's links.
func (n *Node) warn() {
	cm, ok := n.host.ConnManager().(interface{ GetInfo() connmgr.CMInfo })
	if !ok {
		return
	}
	if high := cm.GetInfo().HighWater; high < minHighWater {
		n.counts.lowHighWater.Store(int64(high))
		logger.Warnw("the connection manager's high mark is low: it will trim links of the overlay",
			"high", high, "want", minHighWater)
	}
}
