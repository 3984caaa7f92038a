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
	at := peer.AddrInfo{ID: id}
	for _, b := range rec.Addrs {
		a, err := multiaddr.NewMultiaddrBytes(b)
		if err != nil {
			return at, fmt.Errorf("node record: address: %w", err)
		}
		at.Addrs = append(at.Addrs, a)
	}
	return at, nil
}
