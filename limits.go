package tapestry

import (
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
)

// HostOptions gives a libp2p host what it needs for a node with at most maxLinks
// links: a resource manager with room for them, and a connection manager that does
// not trim them. libp2p's own limits allow 8 connections per IPv4 address, which is
// too few for nodes that share a machine or a gateway.
//
//	host, err := libp2p.New(tapestry.HostOptions(tapestry.DefaultMaxLinks))
//
// A host with limits of its own works too; Status names the limits that it hits.
func HostOptions(maxLinks int) libp2p.Option {
	// The managers are made for each host anew: hosts must not share them.
	return func(cfg *libp2p.Config) error {
		if err := WithMaxLinks(maxLinks)(new(settings)); err != nil {
			return &OpError{Op: "host options", Err: fmt.Errorf("%w: %w", ErrOption, err)}
		}
		o, err := p2p.HostOptions(maxLinks)
		if err != nil {
			return err
		}
		return cfg.Apply(o)
	}
}
