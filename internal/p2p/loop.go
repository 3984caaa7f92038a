package p2p

import (
	"math/rand/v2"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// machine is what the loop drives: a node, or a double of one.
type machine interface {
	Start(w env.World)
	Step(w env.World, from idspace.ID, m wire.Message)
	Local(w env.World, l env.Local)
	OnTimer(w env.World, k env.TimerKey)
	// Known returns which record of a node is known.
	Known(id idspace.ID) wire.Stamp
}

var _ machine = (*node.Node)(nil)

// loop is what one goroutine owns: the machines, their world, and what the world
// must remember between their steps. It never waits for anything but its mailbox.
type loop struct {
	*Node
	core   machine
	random *rand.Rand
	now    mono.Time // of the present step
	timers *timers

	links   map[idspace.ID]*link
	touched []*link // links that the present step wrote to
	// uses holds the peers whose link is used, and what the connection manager was told.
	uses map[idspace.ID]use
	// losses holds peers whose link broke lately.
	losses map[idspace.ID]loss
	// probed holds connections that only this overlay opened, until nobody uses them.
	probed map[idspace.ID]bool

	due  []env.Local   // local messages that a step caused, for later ones
	done chan struct{} // closed when the loop has ended
}

func newLoop(n *Node, core machine, random *rand.Rand) *loop {
	return &loop{
		Node: n, core: core, random: random, timers: newTimers(),
		links: map[idspace.ID]*link{}, uses: map[idspace.ID]use{},
		losses: map[idspace.ID]loss{}, probed: map[idspace.ID]bool{},
		done: make(chan struct{}),
	}
}

// run is the loop.
func (l *loop) run() {
	defer close(l.done)
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	sweep := time.NewTicker(l.cfg.IdleGrace / 3)
	defer sweep.Stop()
	l.step(func() { l.core.Start(l) })
	for {
		if at, ok := l.timers.next(); ok {
			alarm.Reset(at.Sub(l.clock.now()))
		} else {
			alarm.Stop()
		}
		select {
		case <-l.life.over():
			return
		case a := <-l.mail.frames:
			l.arrive(a)
		case t := <-l.mail.tasks:
			t.run(l)
		case <-alarm.C:
			l.ring()
		case <-sweep.C:
			l.sweep()
		case <-l.ready():
		}
		l.drain()
	}
}

// step runs f, which calls the machines, at one point in time, and then hands over
// what they sent.
func (l *loop) step(f func()) {
	l.now = l.clock.now()
	f()
	l.flush()
}

func (l *loop) arrive(a arrival) {
	if k, ok := l.links[a.from]; ok {
		k.last = l.clock.now()
	}
	l.step(func() { l.core.Step(l, a.from, a.message) })
	a.source.credit.release(a.size)
}

func (l *loop) local(m env.Local) {
	l.step(func() { l.core.Local(l, m) })
}

// ring gives back the timers whose time has come.
func (l *loop) ring() {
	now, last := l.clock.now(), l.timers.set
	for {
		k, ok := l.timers.due(now, last)
		if !ok {
			return
		}
		l.step(func() { l.core.OnTimer(l, k) })
	}
}

// drain runs the local messages that are due, but not those that they cause: the
// mailbox has its turn first.
func (l *loop) drain() {
	due := l.due
	l.due = nil
	for _, m := range due {
		l.local(m)
	}
}

// ready keeps the loop from waiting while local messages are due.
func (l *loop) ready() <-chan struct{} {
	if len(l.due) == 0 {
		return nil
	}
	return always
}

var always = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// look runs f on the loop, or in its place once it has ended, and waits for it.
func (l *loop) look(f func(*loop)) {
	t := glance{f, make(chan struct{})}
	if l.mail.put(t) {
		select {
		case <-t.done:
			return
		case <-l.done:
		}
	}
	<-l.done
	l.last.Lock()
	defer l.last.Unlock()
	select {
	case <-t.done:
	default:
		f(l)
	}
}
