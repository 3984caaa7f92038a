package tapestry

import (
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// Limits bound what other nodes can make this one keep, and what it publishes itself.
// Zero is the default. What does not fit is refused with ErrLimit at its publisher, or a
// nearer server takes the place of a farther one; Status.Store counts both. What one neighbor
// brings is never more than what it leaves free: the only neighbor of a node fills half of it.
type Limits struct {
	Pointers        int // pointers kept for others; default 500 000
	PointerBytes    int // bytes of their signed records, and of their servers'; default 256 MiB
	PointersPerNode int // pointers of one server; default 100 000
	ServersPerGUID  int // pointers to one object of one application, the nearest; default 128
	Published       int // objects that this node publishes; default 1 000 000
}

// WithLimits replaces the default limits.
func WithLimits(l Limits) Option {
	return func(s *settings) error {
		s.limits = pointers.Limits{
			PerNode: l.Pointers, Bytes: l.PointerBytes, PerServer: l.PointersPerNode, PerObject: l.ServersPerGUID, Served: l.Published,
		}
		for name, value := range map[string]int{
			"Pointers": l.Pointers, "PointerBytes": l.PointerBytes, "PointersPerNode": l.PointersPerNode,
			"ServersPerGUID": l.ServersPerGUID, "Published": l.Published,
		} {
			if value < 0 {
				return fmt.Errorf("WithLimits: %s is %d, must not be negative", name, value)
			}
		}
		return nil
	}
}

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
