// Package env is the world as a machine sees it: time, randomness, sending,
// timers, and the local messages by which machines of one node talk.
//
// A machine has two entrances, Step(e, from, m) and OnTimer(e, key), and one exit,
// the Env it is handed; nothing else leaves or enters it. Two worlds implement
// Env: internal/p2p (real hosts) and the simulator (design §4). An Env is used by
// one goroutine at a time and only during the step that it was handed to.
//
// Layer 1: imports batch, idspace, mono and wire; every machine imports it.
package env

import (
	"math/rand/v2"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// World is what the two worlds implement: all of Env but Post, which node adds.
type World interface {
	// Now is the time of this step; it does not move during a step.
	Now() mono.Time
	// Rand is this node's seeded randomness.
	Rand() *rand.Rand

	// Send gives m to the open link to a node. Without one, m is lost and counted.
	// m must not be changed afterwards. Frames of one step to one peer are one packet.
	Send(to idspace.ID, m wire.Message)
	// SendDial is Send that may open the link first. It serves joining, gate probes
	// and the measuring of replicas alone. A node that cannot be reached comes back
	// as Unreachable.
	SendDial(to idspace.ID, m wire.Message)

	// Deliver hands something to the application: an outcome it waits for, or a message.
	Deliver(d Delivery)
	// Emit tells the world and its observers what happened; it may be dropped, counted.
	Emit(ev Event)
	// Sign signs a record with this node's key.
	Sign(kind wire.RecordKind, payload []byte) *wire.SignedRecord

	// SetTimer has OnTimer called with k once, after d; a timer of the same key is replaced.
	SetTimer(k TimerKey, d time.Duration)
	// StopTimer forgets the timer of key k, if there is one.
	StopTimer(k TimerKey)
}

// Env is one node's world during one step, as its machines see it.
type Env interface {
	World
	// Post gives m to this node's own machines, before the step ends.
	Post(m Local)
}

// Room names the machine that a timer or a local answer belongs to.
type Room uint8

// The rooms that have a machine.
const (
	Face Room = iota // not a machine: answers for it leave through Deliver
	Routing
	Heartbeat
	Membership
	Publish
	Locate
	Messages
	Multicast
	Witness
	Tree
)

// TimerKey names a timer. It comes back to OnTimer as it was set.
type TimerKey struct {
	N    uint64     // a call or sequence number, if the timer is of one
	Peer idspace.ID // the neighbor, if the timer is of one
	Room Room
	What uint8 // which of the room's timers
}

// Jitter draws a duration from 0.5 to 1.5 times mean, so that periods of different
// nodes do not fall into step (Bamboo; design §6).
func Jitter(e Env, mean time.Duration) time.Duration {
	return mean/2 + time.Duration(e.Rand().Int64N(int64(mean)+1))
}
