package env

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Event tells the world and its observers what a machine did. The list is closed.
type Event interface{ event() }

// The events.
type (
	// LinkUsed: what this node and Peer use their link for; both UseNone: it may close.
	LinkUsed struct {
		Peer         idspace.ID
		Mine, Theirs wire.Use
		Protect      bool
	}
	// NeighborChanged: a neighbor's state is new.
	NeighborChanged struct {
		Peer  idspace.ID
		State NeighborState
	}
	// Ready: this node is an active member.
	Ready struct{}
	// Forwarded: a request or reply left for the next hop.
	Forwarded struct {
		Call   Call
		Kind   wire.BodyKind
		Key    idspace.ID
		To     idspace.ID
		Rule   wire.Rule
		Reply  bool
		Resent bool // not the first hop tried
	}
	// Arrived: a request stops here: Rule says whether as root, or because of a pointer.
	Arrived struct {
		Call Call
		Kind wire.BodyKind
		Key  idspace.ID
		Hops int
		Rule wire.Rule
	}
	// Dropped: a message or request was given up; Why is a fixed phrase that can be counted.
	Dropped struct {
		Why  string
		Peer idspace.ID // who sent it or was to get it, zero if neither applies
	}
	// Stored and Removed: a pointer came or went.
	Stored struct {
		GUID, Server idspace.ID
	}
	Removed struct {
		GUID, Server idspace.ID
		Why          string
	}
	// Behind: objects are published again later than they should be, the first of them by so much. When
	// nothing of Spare is left, pointers run out.
	Behind struct {
		Late, Spare time.Duration
		Served      int // objects that are published
	}
	// Measured: an RTT sample of a neighbor.
	Measured struct {
		Peer idspace.ID
		RTT  time.Duration
	}
)

// NeighborState is what a node believes of a neighbor.
type NeighborState uint8

// The states of a neighbor.
const (
	NeighborJoined NeighborState = iota
	NeighborAlive
	NeighborSuspected
	NeighborDead
	NeighborLeft
	NeighborUnlinked
	NeighborRenewed // its record is a newer one
	NeighborCutOff  // others reach it, this node does not
)

var stateNames = [...]string{"joined", "alive", "suspected", "dead", "left", "unlinked", "renewed", "cut off"}

// String is the state in traces.
func (s NeighborState) String() string { return stateNames[s] }

func (*LinkUsed) event()        {}
func (*NeighborChanged) event() {}
func (*Ready) event()           {}
func (*Forwarded) event()       {}
func (*Arrived) event()         {}
func (*Dropped) event()         {}
func (*Stored) event()          {}
func (*Removed) event()         {}
func (*Behind) event()          {}
func (*Measured) event()        {}
