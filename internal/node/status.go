package node

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/membership"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Status is a snapshot of one node: plain data, the caller's own.
type Status struct {
	ID        idspace.ID
	Network   string
	Phase     string // idle, joining, active or leaving
	Ready     bool   // an active member, that answers as root
	Links     int
	LinksCap  int
	LinksMost int // the most links there have been at once
	LeafSet   []idspace.ID
	Levels    int        // levels of the neighbor map that have any neighbor
	Place     wire.Point // this node's network coordinate
	Neighbors []Neighbor
	Pointers  int // pointers kept for others
	Store     pointers.Stats
	Served    int           // objects that this node publishes
	Late      time.Duration // that the first of them is published again too late
	Pending   int           // envelopes that wait for an acknowledgement or a verdict
}

// Neighbor is one link in a Status.
type Neighbor struct {
	ID      idspace.ID
	Mine    wire.Use
	Theirs  wire.Use
	Level   int  // of the neighbor map, -1 if it is not in it
	Primary bool // first of its slot
	Leaf    bool
	Suspect bool
	RTT     time.Duration // 0 if it was never measured
}

var phaseNames = [...]string{
	membership.Idle: "idle", membership.Joining: "joining", membership.Active: "active", membership.Leaving: "leaving",
}

// Status takes a snapshot at the time now.
func (n *Node) Status(now mono.Time) Status {
	s := Status{
		ID: n.cfg.Self, Network: n.cfg.Network,
		Phase: phaseNames[n.membership.Phase()], Ready: n.router.Sure(),
		Links: n.links.Count(), LinksCap: n.links.Cap(), LinksMost: n.links.Most(),
		LeafSet: n.tables.Leaves.All(), Levels: n.tables.Map.Levels(), Place: n.links.Place(),
		Pointers: n.store.Len(), Store: n.store.Stats(), Served: n.served.Len(), Late: n.publish.Late(now), Pending: n.router.Pending(),
	}
	for _, l := range n.links.All() {
		s.Neighbors = append(s.Neighbors, n.neighbor(l.ID, l.Mine, l.Theirs))
	}
	return s
}

func (n *Node) neighbor(id idspace.ID, mine, theirs wire.Use) Neighbor {
	rtt, _ := n.links.RTT(id)
	nb := Neighbor{
		ID: id, Mine: mine, Theirs: theirs, Level: -1,
		Leaf: n.tables.Leaves.Has(id), Suspect: n.links.Suspect(id), RTT: rtt,
	}
	if n.tables.Map.Has(id) {
		nb.Level = n.cfg.Space.CommonPrefix(n.cfg.Self, id)
		_, nb.Primary = n.tables.Map.Primary(id)
	}
	return nb
}

// NextHop returns the step that a route to key would take from here: for oracles.
func (n *Node) NextHop(key idspace.ID) surrogate.Hop { return n.router.Next(key) }

// Tables returns the tables that membership writes: for oracles, to be read only.
func (n *Node) Tables() *surrogate.Tables { return n.tables }

var _ env.Env = (*stepEnv)(nil)
