package node

import (
	"fmt"

	"github.com/tapestry-dolr/tapestry/heartbeat"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/membership"
	"github.com/tapestry-dolr/tapestry/internal/messages"
	"github.com/tapestry-dolr/tapestry/internal/multicast"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/tree"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/internal/witness"
	"github.com/tapestry-dolr/tapestry/locate"
	"github.com/tapestry-dolr/tapestry/publish"
	"github.com/tapestry-dolr/tapestry/routing"
)

// Config says who a node is and how it behaves. Zero fields take their defaults.
type Config struct {
	// Space says how identifiers are read. If zero, idspace.Hex.
	Space idspace.Space
	// Self is this node's identifier, the hash of its peer ID.
	Self idspace.ID
	// Network is the overlay's name, in every record that this node signs or accepts.
	Network string
	// Record is this node's own signed record.
	Record *wire.SignedRecord
	// Generation grows at every restart; at least the Unix second of the start (design §6).
	Generation uint64
	// Lease is the chain of which Record names the anchor; without it this node publishes nothing.
	Lease *lease.Chain

	// PerSlot is how many neighbors a slot of the map holds: the primary and its backups.
	// If zero, 3 (JSAC).
	PerSlot int
	// LeafSide is how many nodes the leaf set holds on each side. If zero, 8, but at most
	// a tenth of the cap of links, so that the leaf set leaves room for the map.
	LeafSide int
	// Roots is how many salted roots an object has. If zero, 4 (design §8).
	Roots int
	// Acks is how many of them must acknowledge a publish. If zero, 3, or Roots if less.
	Acks int
	// Forward sees messages that pass through this node; false stops one. Nil lets all pass.
	Forward func(*env.Upcall) bool
	// Group labels the network that a node is in, by its ID and record: the tables keep
	// neighbors of several groups (design §6). "" is no group; nil says so of all nodes.
	Group func(idspace.ID, *wire.SignedRecord) string

	// Same returns a record to keep instead of one that is equal to it, for a world of many
	// nodes, which needs each record once. Nil: every node keeps its own.
	Same func(*wire.SignedRecord) *wire.SignedRecord

	Links      links.Config
	Heartbeat  heartbeat.Config
	Routing    routing.Config
	Membership membership.Config
	Pointers   pointers.Limits
	Tree       tree.Config
	Publish    publish.Config
	Locate     locate.Config
	Messages   messages.Config
	Multicast  multicast.Config
	Witness    witness.Config
}

func (c Config) withDefaults() Config {
	if c.Space == (idspace.Space{}) {
		c.Space = idspace.Hex
	}
	if c.PerSlot == 0 {
		c.PerSlot = 3
	}
	c.Links = c.Links.WithDefaults()
	if c.LeafSide == 0 {
		c.LeafSide = min(8, max(2, c.Links.Cap/10))
	}
	if c.Roots == 0 {
		c.Roots = 4
	}
	if c.Acks == 0 {
		c.Acks = min(3, c.Roots)
	}
	c.Heartbeat = c.Heartbeat.WithDefaults()
	c.Routing = c.Routing.WithDefaults()
	c.Membership = c.Membership.WithDefaults()
	c.Pointers = c.Pointers.WithDefaults()
	c.Multicast = c.Multicast.WithDefaults()
	c.Witness = c.Witness.WithDefaults()
	return c.share()
}

// share tells the machines what several of them have to know.
func (c Config) share() Config {
	c.Publish.Space, c.Publish.Self, c.Publish.Network = c.Space, c.Self, c.Network
	c.Publish.Generation, c.Publish.Record = c.Generation, c.Record
	c.Publish.Roots, c.Publish.Acks = c.Roots, c.Acks
	c.Tree.Space, c.Tree.Self, c.Tree.Network = c.Space, c.Self, c.Network
	c.Tree.Record, c.Tree.Lease = c.Record, c.Lease
	c.Locate.Space, c.Locate.Self, c.Locate.Network = c.Space, c.Self, c.Network
	c.Locate.Roots, c.Locate.Acks = c.Roots, c.Acks
	c.Messages.Space, c.Messages.Roots = c.Space, c.Roots
	c.Multicast.Self, c.Multicast.Network = c.Self, c.Network
	c.Messages.Self, c.Messages.Network, c.Messages.Forward = c.Self, c.Network, c.Forward
	return c
}

func (c Config) validate() error {
	switch {
	case c.Network == "" || len(c.Network) > wire.MaxNetwork:
		return fmt.Errorf("node: Network %q: want 1 to %d bytes", c.Network, wire.MaxNetwork)
	case c.PerSlot < 1:
		return fmt.Errorf("node: PerSlot is %d, want at least 1", c.PerSlot)
	case c.LeafSide < 1 || 5*c.LeafSide > c.Links.Cap:
		return fmt.Errorf("node: LeafSide is %d, want at least 1 and both sides within two fifths of the cap of %d links", c.LeafSide, c.Links.Cap)
	case c.Roots < 1 || c.Roots > wire.MaxRoots || c.Roots > c.Space.Radix():
		return fmt.Errorf("node: Roots is %d, want 1 to %d", c.Roots, min(wire.MaxRoots, c.Space.Radix()))
	case c.Acks < 1 || c.Acks > c.Roots:
		return fmt.Errorf("node: Acks is %d, want 1 to Roots, which is %d", c.Acks, c.Roots)
	}
	for _, v := range []interface{ Validate() error }{
		c.Links, c.Heartbeat, c.Routing, c.Membership, c.Pointers, c.Tree, c.Publish, c.Locate, c.Messages, c.Multicast, c.Witness,
	} {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	return nil
}
