// Package node is the switch: it builds the machines of one node, hands each message,
// timer and local call to the machine that serves it, and owns nothing else.
//
// The world calls Start once and then Step, Local and OnTimer, one at a time. Machines
// talk to each other by env.Post; node dispatches what they post, in order, before the
// entrance returns (design §4).
//
// Invariants: a dispatch arm is one call; nothing posted is left when an entrance
// returns.
//
// Layer 6: imports all machines; internal/p2p and the simulator import it.
package node

import (
	"fmt"

	"github.com/tapestry-dolr/tapestry/heartbeat"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/membership"
	"github.com/tapestry-dolr/tapestry/internal/messages"
	"github.com/tapestry-dolr/tapestry/internal/multicast"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/tree"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/internal/witness"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/locate"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/publish"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Node is one member of the overlay, without its world. It is not safe for concurrent use.
type Node struct {
	cfg    Config
	tables *surrogate.Tables
	links  *links.Table
	store  *pointers.Store
	served *pointers.Served

	router     *routing.Router
	heartbeat  *heartbeat.Monitor
	membership *membership.Member
	tree       *tree.Keeper
	publish    *publish.Publisher
	locate     *locate.Locator
	messages   *messages.Carrier
	multicast  *multicast.Caster
	witness    *witness.Asker

	env   stepEnv
	guard guard
}

// stepEnv is the world of one step, and the local messages posted in it.
type stepEnv struct {
	env.World
	posted []env.Local
}

func (s *stepEnv) Post(m env.Local) { s.posted = append(s.posted, m) }

// New builds a node. Config's zero fields take their defaults.
func New(cfg Config) (*Node, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg:   cfg,
		links: links.New(cfg.Links),
		tables: &surrogate.Tables{
			Space: cfg.Space, Self: cfg.Self,
			Map:    neighbormap.New(cfg.Space, cfg.Self, cfg.PerSlot),
			Leaves: leafset.New(cfg.Self, cfg.LeafSide),
		},
		store:  pointers.New(cfg.Self, cfg.Pointers),
		served: pointers.NewServed(cfg.Pointers),
	}
	if err := n.build(); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	n.cfg.Publish.Kept = nil // publish has taken them
	return n, nil
}

// ID returns the node's identifier.
func (n *Node) ID() idspace.ID { return n.cfg.Self }

// Start sets the first timers.
func (n *Node) Start(w env.World) {
	defer n.settle(n.enter(w))
	n.heartbeat.Start(&n.env)
}

// Step takes a message from a peer. The world has authenticated the peer and checked
// every signature in the message.
func (n *Node) Step(w env.World, from idspace.ID, m wire.Message) {
	defer n.settle(n.enter(w))
	n.heartbeat.OnTraffic(&n.env, from)
	n.dispatch(&n.env, from, m)
}

// Local takes a request of the face or a fact of the world.
func (n *Node) Local(w env.World, l env.Local) {
	defer n.settle(n.enter(w))
	n.env.Post(l)
}

// OnTimer takes back a timer that a machine set.
func (n *Node) OnTimer(w env.World, k env.TimerKey) {
	defer n.settle(n.enter(w))
	switch k.Room {
	case env.Routing:
		n.router.OnTimer(&n.env, k)
	case env.Heartbeat:
		n.heartbeat.OnTimer(&n.env, k)
	case env.Membership:
		n.membership.OnTimer(&n.env, k)
	case env.Tree:
		n.tree.OnTimer(&n.env, k)
	case env.Publish:
		n.publish.OnTimer(&n.env, k)
	case env.Locate:
		n.locate.OnTimer(&n.env, k)
	case env.Messages:
		n.messages.OnTimer(&n.env, k)
	case env.Multicast:
		n.multicast.OnTimer(&n.env, k)
	case env.Witness:
		n.witness.OnTimer(&n.env, k)
	}
}

// enter begins a step: after a stall this node must doubt what it believes before it acts.
func (n *Node) enter(w env.World) env.Env {
	n.env.World = w
	n.heartbeat.Awake(&n.env)
	n.drain(&n.env)
	return &n.env
}

// drain dispatches what the machines posted, and what they post meanwhile.
func (n *Node) drain(e env.Env) {
	for i := 0; i < len(n.env.posted); i++ {
		n.local(e, n.env.posted[i])
	}
	clear(n.env.posted)
	n.env.posted = n.env.posted[:0]
}

// settle ends a step: nothing posted is left.
func (n *Node) settle(e env.Env) {
	n.drain(e)
	if invariants {
		n.mustHold()
	}
}
