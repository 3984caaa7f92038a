package model

import (
	"math/rand/v2"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// Addr is a node's number in the world.
type Addr int32

// Nobody is the address of no node.
const Nobody Addr = -1

// Peer is a node as others know it.
type Peer struct {
	ID idspace.ID
	At Addr
}

// Message goes from one model node to another. It must not be changed once sent.
type Message interface {
	Kind() string // a fixed word by which traffic is counted
	Size() int    // in bytes, without the headers of its packet
}

// Timer names a timer of one node. It comes back to OnTimer as it was set.
type Timer struct {
	What uint8
	N    uint64
}

// World is what a model node sees of the world during one step.
type World interface {
	Now() mono.Time
	Rand() *rand.Rand
	// Send gives m to the network. Without an open connection to the node one is
	// opened first, which takes two round trips.
	Send(to Addr, m Message)
	// RTT is the round-trip time that the open connection to a node measured, 0
	// without one.
	RTT(to Addr) time.Duration
	// Close closes the connection to a node, if there is one.
	Close(to Addr)
	// SetTimer has OnTimer called with k once, after d; one of the same key is replaced.
	SetTimer(k Timer, d time.Duration)
	// StopTimer forgets the timer of key k, if there is one.
	StopTimer(k Timer)
	// Done ends a request that began at this node.
	Done(o Outcome)
	// Delivered: the payload of the request call reached this node, a server of its object.
	Delivered(call uint64)
}

// Op is what a request asks for.
type Op uint8

// The requests.
const (
	Lookup    Op = iota // which node is the root of Key
	Publish             // this node has the object Key
	Unpublish           // it has no more
	Locate              // which nodes have the object Key
	Deliver             // carry a payload to a node that has the object Key, and its reply back
)

// Want is how much of an answer is waited for.
type Want uint8

// The ends of a locate.
const (
	First Want = iota // the first server heard of
	All               // every server that the protocol finds
)

// Request is asked of one node. Call is unique in the world.
type Request struct {
	Call uint64
	Op   Op
	Key  idspace.ID
	Want Want
}

// Outcome ends a request, exactly once unless its node dies.
type Outcome struct {
	Call    uint64
	OK      bool
	Absent  bool   // locate, deliver: whom it asked was sure that there is no such object
	Root    Addr   // lookup
	Hops    int    // lookup, locate: nodes that the question passed on its way to the answer
	Servers []Addr // locate, deliver: in the order in which they were heard of or tried
}

// Node is one node of a model.
type Node interface {
	// Join makes the node a member by way of one of seeds; none founds an overlay.
	Join(w World, seeds []Peer)
	// Leave tells whom it concerns that the node goes; it is not stepped afterwards.
	Leave(w World)
	// Begin starts a request.
	Begin(w World, r Request)
	Step(w World, from Addr, m Message)
	OnTimer(w World, k Timer)
	// Closed: the other end closed the connection to a node.
	Closed(w World, peer Addr)
	// Member reports whether it has joined.
	Member() bool
	// Links lists the nodes that it keeps connections to; Linked says whether one is among them.
	Links() []Addr
	Linked(peer Addr) bool
}

// Protocol is one rival.
type Protocol struct {
	Name string
	// Fixed is how many nodes, from number 0 on, are infrastructure that does not come and go.
	Fixed int
	// New makes a node that has not joined.
	New func(self Peer) Node
	// Settle gives nodes, all made by New and not joined, the tables that they would
	// have after a long quiet time, and starts their maintenance. The world opens the
	// connections of their Links afterwards.
	Settle func(s Settled)
	// Root is the slow and certain answer to a Lookup; nil if keys have no root.
	Root func(live []Peer, key idspace.ID) Addr
}

// Settled is a whole overlay, seen from outside.
type Settled struct {
	Peers []Peer // who is up
	Node  func(Addr) Node
	World func(Addr) World
	RTT   func(a, b Addr) time.Duration // between two nodes
}

// Jitter draws a duration from 0.5 to 1.5 times mean.
func Jitter(w World, mean time.Duration) time.Duration {
	return mean/2 + time.Duration(w.Rand().Int64N(int64(mean)+1))
}
