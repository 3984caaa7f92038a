package tapestry

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// addrInfo reads where a node can be dialed from its signed record.
func addrInfo(r *wire.SignedRecord) (peer.AddrInfo, error) {
	rec, err := r.Node()
	if err != nil {
		return peer.AddrInfo{}, err
	}
	id, err := peer.IDFromBytes(rec.Peer)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("node record: peer: %w", err)
	}
	addrs, err := addrsOf(rec)
	return peer.AddrInfo{ID: id, Addrs: addrs}, err
}

// addrsOf reads the addresses of a record, up to the first that is none.
func addrsOf(rec *wire.NodeRecord) (addrs []multiaddr.Multiaddr, err error) {
	for _, b := range rec.Addrs {
		a, err := multiaddr.NewMultiaddrBytes(b)
		if err != nil {
			return addrs, fmt.Errorf("node record: address: %w", err)
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}
