package node

import (
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/membership"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Seat is a node for the tables of an overlay that begins settled, and its distance.
type Seat = membership.Seat

// Warm makes this node an active member whose tables hold those of the seats that fit,
// without a join. For the simulator: the world has handed it the Hello of each seat
// before, and hands it a Beacon of every node that uses it afterwards.
func (n *Node) Warm(w env.World, seats []Seat) {
	defer n.settle(n.enter(w))
	for _, s := range seats {
		n.heartbeat.Warm(s.Peer, s.RTT)
	}
	n.membership.Warm(&n.env, seats)
}

// Linked reports whether this node or the other uses the link between them.
func (n *Node) Linked(id idspace.ID) bool { return n.links.Linked(id) }

// Known returns which record of a node this one has.
func (n *Node) Known(id idspace.ID) wire.Stamp { return n.membership.Known(id) }

// Active reports whether this node is a member that answers as root.
func (n *Node) Active() bool { return n.router.Active() }

// Pointers returns the pointers kept for others: for oracles, to be read only.
func (n *Node) Pointers() *pointers.Store { return n.store }
