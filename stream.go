package tapestry

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/network"
)

// OpenStream opens a direct stream to the nearest server of g that serves app over
// streams (StreamHandler), trying the next nearest when one cannot be reached. It
// may open a connection: bodies do not travel over the overlay's links. This node
// itself is left out: what it serves it need not fetch.
func (n *Node) OpenStream(ctx context.Context, g GUID, app AppID, opts ...LocateOption) (network.Stream, Replica, error) {
	ctx, cancel := n.limit(ctx)
	defer cancel()
	found, err := n.locate(ctx, g, app, append(opts, Without(n.id)))
	if err != nil {
		return nil, Replica{}, err
	}
	var failures []error
	for _, r := range found {
		at, err := replicaOf(r)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		s, err := n.world.OpenStream(ctx, r.Server, r.Record, string(app), g)
		if err == nil {
			return s, at, nil
		}
		failures = append(failures, err)
	}
	return nil, Replica{}, &OpError{Op: "open stream", ID: g, Err: errors.Join(failures...)}
}
