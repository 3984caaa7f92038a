package tapestry

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
)

// Tracer is told of what a node does. Every function is optional. They are called
// one after the other on a goroutine of the node's own, in the order of events; when
// they cannot keep up, events are lost and counted in Status.EventsLost. They must return
// when the node closes.
type Tracer struct {
	Ready           func()                                        // this node is an active member
	NeighborChanged func(peer ID, state string)                   // joined, alive, suspected, dead or left
	Forwarded       func(TraceHop)                                // a request or reply left for the next hop
	Arrived         func(TraceArrival)                            // a request ended its way here
	Dropped         func(why string, peer ID)                     // a message was given up; peer is zero if nobody's
	Stored          func(g GUID, server ID)                       // a pointer came
	Removed         func(g GUID, server ID, why string)           // a pointer went
	Measured        func(peer ID, rtt time.Duration)              // a round-trip time of a neighbor
	LinkUsed        func(peer ID, mine, theirs string, keep bool) // what a link is for; keep: it must not be trimmed
}

// TraceHop is one step of a request or reply.
type TraceHop struct {
	Call   uint64 // names the request and its reply, at every node
	Kind   string // publish, locate, message or join
	Key    ID
	To     ID
	Rule   string // why that node: slot, backup, closer, root, pointer
	Reply  bool
	Resent bool // not the first hop tried
}

// TraceArrival is the end of a request's way.
type TraceArrival struct {
	Call uint64
	Kind string
	Key  ID
	Hops int
	Rule string // root: as the key's root; pointer: it knew a server
}

// traceQueue is how many events may wait for the Tracer.
const traceQueue = 4096

// trace has t told of what happens until the node closes.
func (n *Node) trace(t *Tracer) {
	if t == nil {
		return
	}
	events, _ := n.world.Subscribe(traceQueue, nil)
	n.tracing.Go(func() {
		for ev := range events {
			t.tell(ev)
		}
	})
}

// tell hands one event to the function that wants it.
func (t *Tracer) tell(ev env.Event) {
	switch ev := ev.(type) {
	case *env.Ready:
		call0(t.Ready)
	case *env.NeighborChanged:
		call2(t.NeighborChanged, ev.Peer, ev.State.String())
	case *env.Forwarded:
		call1(t.Forwarded, TraceHop{
			Call: uint64(ev.Call), Kind: ev.Kind.Name(), Key: ev.Key, To: ev.To,
			Rule: ev.Rule.Name(), Reply: ev.Reply, Resent: ev.Resent,
		})
	case *env.Arrived:
		call1(t.Arrived, TraceArrival{
			Call: uint64(ev.Call), Kind: ev.Kind.Name(), Key: ev.Key, Hops: ev.Hops, Rule: ev.Rule.Name(),
		})
	case *env.Dropped:
		call2(t.Dropped, ev.Why, ev.Peer)
	case *env.Stored:
		call2(t.Stored, ev.GUID, ev.Server)
	case *env.Removed:
		call3(t.Removed, ev.GUID, ev.Server, ev.Why)
	case *env.Measured:
		call2(t.Measured, ev.Peer, ev.RTT)
	case *env.LinkUsed:
		t.linkUsed(ev)
	}
}

func (t *Tracer) linkUsed(ev *env.LinkUsed) {
	if t.LinkUsed != nil {
		t.LinkUsed(ev.Peer, useName(ev.Mine), useName(ev.Theirs), ev.Protect)
	}
}

func call0(f func()) {
	if f != nil {
		f()
	}
}

func call1[A any](f func(A), a A) {
	if f != nil {
		f(a)
	}
}

func call2[A, B any](f func(A, B), a A, b B) {
	if f != nil {
		f(a, b)
	}
}

func call3[A, B, C any](f func(A, B, C), a A, b B, c C) {
	if f != nil {
		f(a, b, c)
	}
}
