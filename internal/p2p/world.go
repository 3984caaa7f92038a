package p2p

import (
	"math/rand/v2"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

var _ env.World = (*loop)(nil)

// Now is the time of the present step.
func (l *loop) Now() mono.Time { return l.now }

// Rand is the node's randomness.
func (l *loop) Rand() *rand.Rand { return l.random }

// Send gives m to the link to a node, if it is connected.
func (l *loop) Send(to idspace.ID, m wire.Message) {
	k, why := l.link(to)
	if k == nil {
		l.drop(why, to)
		return
	}
	l.enqueue(k, m)
}

// SendDial gives m to the link to a node, which is dialed if need be.
func (l *loop) SendDial(to idspace.ID, m wire.Message) {
	k, why := l.link(to)
	if k == nil && why == noLink {
		k, why = l.dial(to, m, false)
	} else if k != nil && l.outdated(k) {
		l.remove(k)
		k, why = l.dial(to, m, true)
	}
	if k == nil {
		l.drop(why, to)
		l.due = append(l.due, &env.Unreachable{Peer: to})
		return
	}
	k.wanted = true
	l.enqueue(k, m)
}

// Sign signs a record with this node's key.
func (l *loop) Sign(kind wire.RecordKind, payload []byte) *wire.SignedRecord {
	r, err := seal(kind, payload, l.key)
	if err != nil {
		panic("p2p: signing: " + err.Error()) // with our own key, of our own bytes
	}
	return r
}

// SetTimer has the machines called with k after d.
func (l *loop) SetTimer(k env.TimerKey, d time.Duration) { l.timers.start(k, l.now.Add(d)) }

// StopTimer forgets the timer of key k.
func (l *loop) StopTimer(k env.TimerKey) { l.timers.stop(k) }

// Emit acts on events that concern the host and passes all of them on.
func (l *loop) Emit(ev env.Event) {
	switch ev := ev.(type) {
	case *env.LinkUsed:
		l.setUse(ev)
	case *env.Measured:
		if p, ok := l.peer(ev.Peer); ok {
			l.host.Peerstore().RecordLatency(p, ev.RTT)
		}
	case *env.Dropped:
		l.counts.drops.add(ev.Why)
	}
	l.observe(ev)
}

// drop counts and tells that a message to or from a peer was given up.
func (l *loop) drop(why string, peer idspace.ID) {
	l.Emit(&env.Dropped{Why: why, Peer: peer})
}
