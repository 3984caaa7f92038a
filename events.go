package tapestry

import (
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/multiformats/go-multiaddr"
	"github.com/tapestry-dolr/tapestry/internal/env"
)

// The events that a node emits on its host's event bus. Subscribe with pointers to them:
//
//	sub, err := host.EventBus().Subscribe([]any{new(tapestry.EvtReady), new(tapestry.EvtNeighborDead)})
//
// They tell of nodes that this one is linked to. A neighbor that gives way to a nearer
// one stays a node like any other, and is not announced; Status lists who is in the
// tables. A subscriber must read: as long as one does not, the events for all of them
// wait, and those that find no room are lost and counted in Status.EventsLost. The node
// itself never waits.
type (
	// EvtReady: this node is an active member. Who subscribes later is told at once.
	EvtReady struct {
		Network string
		ID      ID
	}
	// EvtNeighborJoined: a node has answered this one's probe and is in its tables now.
	EvtNeighborJoined struct{ NeighborEvent }
	// EvtNeighborSuspected: it has not answered in time, and is routed around until it
	// does or is found dead.
	EvtNeighborSuspected struct{ NeighborEvent }
	// EvtNeighborAlive: it was suspected, and has answered.
	EvtNeighborAlive struct{ NeighborEvent }
	// EvtNeighborDead: it has answered none of the probes that confirm a death.
	EvtNeighborDead struct{ NeighborEvent }
	// EvtNeighborLeft: it has said goodbye.
	EvtNeighborLeft struct{ NeighborEvent }
	// EvtNeighborUnlinked: it or this node had no room for the link any more.
	EvtNeighborUnlinked struct{ NeighborEvent }
	// EvtNeighborCutOff: it does not answer this node, and others say that it lives.
	EvtNeighborCutOff struct{ NeighborEvent }
	// EvtNeighborChanged: its record is a newer one. Generation grows when it is started
	// again, Version with every change in between.
	EvtNeighborChanged struct {
		NeighborEvent
		Generation, Version uint64
		Addrs               []multiaddr.Multiaddr
		Zone                string
	}
)

// NeighborEvent says whom an event is about, and which overlay: a host may carry nodes
// of several.
type NeighborEvent struct {
	Network string
	ID      ID
	Peer    peer.ID
}

const (
	// busQueue is how many events may wait for the bus.
	busQueue = 256
	// busPatience is how long Close waits for subscribers to read the last events.
	busPatience = 500 * time.Millisecond
)

// bulletin brings events to the host's bus.
type bulletin struct {
	emitters map[env.NeighborState]event.Emitter
	ready    event.Emitter
	done     chan struct{} // closed when the last event has been emitted
}

// newBulletin opens the emitters.
func newBulletin(bus event.Bus) (*bulletin, error) {
	b := &bulletin{emitters: map[env.NeighborState]event.Emitter{}, done: make(chan struct{})}
	var err error
	if b.ready, err = bus.Emitter(new(EvtReady), eventbus.Stateful); err != nil {
		return nil, err
	}
	for state, typ := range map[env.NeighborState]any{
		env.NeighborJoined: new(EvtNeighborJoined), env.NeighborAlive: new(EvtNeighborAlive),
		env.NeighborSuspected: new(EvtNeighborSuspected), env.NeighborDead: new(EvtNeighborDead),
		env.NeighborLeft: new(EvtNeighborLeft), env.NeighborUnlinked: new(EvtNeighborUnlinked),
		env.NeighborRenewed: new(EvtNeighborChanged), env.NeighborCutOff: new(EvtNeighborCutOff),
	} {
		e, err := bus.Emitter(typ)
		if err != nil {
			return nil, errors.Join(err, b.close())
		}
		b.emitters[state] = e
	}
	return b, nil
}

func (b *bulletin) close() error {
	err := b.ready.Close()
	for _, e := range b.emitters {
		err = errors.Join(err, e.Close())
	}
	return err
}

// announce emits what happens until the node closes. It runs on a goroutine of its own,
// because a subscriber that does not read holds it up.
func (n *Node) announce() {
	events, _ := n.world.Subscribe(busQueue, public)
	go func() {
		defer close(n.bulletin.done)
		for ev := range events {
			switch ev := ev.(type) {
			case *env.Ready:
				_ = n.bulletin.ready.Emit(EvtReady{n.settings.network, n.id}) // fails only when closed
			case *env.NeighborChanged:
				_ = n.bulletin.emitters[ev.State].Emit(n.eventOf(ev)) // likewise
			}
		}
		_ = n.bulletin.close() // fails only the second time
	}()
}

// public reports whether an event is told on the bus.
func public(ev env.Event) bool {
	switch ev.(type) {
	case *env.Ready, *env.NeighborChanged:
		return true
	}
	return false
}

func (n *Node) eventOf(ev *env.NeighborChanged) any {
	p, record := n.world.Who(ev.Peer)
	about := NeighborEvent{Network: n.settings.network, ID: ev.Peer, Peer: p}
	switch ev.State {
	case env.NeighborJoined:
		return EvtNeighborJoined{about}
	case env.NeighborAlive:
		return EvtNeighborAlive{about}
	case env.NeighborSuspected:
		return EvtNeighborSuspected{about}
	case env.NeighborDead:
		return EvtNeighborDead{about}
	case env.NeighborLeft:
		return EvtNeighborLeft{about}
	case env.NeighborUnlinked:
		return EvtNeighborUnlinked{about}
	case env.NeighborCutOff:
		return EvtNeighborCutOff{about}
	}
	changed := EvtNeighborChanged{NeighborEvent: about}
	if record != nil {
		changed.Generation, changed.Version, changed.Zone = record.Generation, record.Version, record.Zone
		changed.Addrs, _ = addrsOf(record) // those that can be read
	}
	return changed
}

// wait waits until the last event has been emitted, but not for ever: a subscriber that
// does not read would keep the node from closing. Its goroutine ends with the
// subscription then.
func (b *bulletin) wait() {
	patience := time.NewTimer(busPatience)
	defer patience.Stop()
	select {
	case <-b.done:
	case <-patience.C:
	}
}
