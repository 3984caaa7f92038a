package p2p

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Why messages are dropped on their way out.
const (
	noLink        = "no link"
	noAddress     = "no address"
	toSelf        = "sent to self"
	backingOff    = "link is backing off"
	tooManyDials  = "too many dials"
	queueFull     = "queue full"
	queueHalfFull = "queue half full"
	tooLarge      = "message larger than a frame"
	linkLost      = "link lost"
	closing       = "node is closing"
)

// link is this node's sending end towards one peer: a queue, and a writer that owns
// the stream. A link lives as long as its stream does; if that breaks, the next
// message makes a new one.
type link struct {
	id    idspace.ID
	peer  peer.ID
	queue *queue
	gone  chan struct{} // closed by the loop when the link is no longer wanted
	dials bool          // the writer may open the connection
	asked string        // for what, if it does: see errand
	known wire.Stamp    // which of the peer's records this node has
	anew  bool          // the peer was started again: connections may lead to where it was
	life  uint64        // the generation of the peer that it leads to, 0 while that is not known

	// The loop alone uses these.
	step   batch     // the frames of the present step
	wanted bool      // by SendDial: if it cannot be opened, somebody waits to hear so
	opened mono.Time // when its stream was, zero before
	last   mono.Time // when a frame was last sent or received
}

// link returns the link to a node, made if a connection is open, or says why there
// is none.
func (l *loop) link(to idspace.ID) (k *link, why string) {
	if k, ok := l.links[to]; ok {
		if !l.returned(k) {
			return k, ""
		}
		l.remove(k)
	}
	p, ok := l.book.peer(to)
	switch {
	case to == l.self:
		return nil, toSelf
	case !ok:
		return nil, noAddress
	case l.losses[to].holds(l.book.generation(to), l.now):
		return nil, backingOff
	case l.host.Network().Connectedness(p) != network.Connected:
		return nil, noLink
	}
	return l.newLink(link{id: to, peer: p})
}

// dial returns a new link whose writer opens the connection first, to send m. If it is to be anew,
// connections there are may be dead.
func (l *loop) dial(to idspace.ID, m wire.Message, anew bool) (k *link, why string) {
	opening := 0
	for _, k := range l.links {
		if k.dials && k.opened == 0 {
			opening++
		}
	}
	if opening >= maxOpening(l.cfg.Dials) {
		return nil, tooManyDials
	}
	p, _ := l.book.peer(to)
	return l.newLink(link{id: to, peer: p, dials: true, asked: errand(m), anew: anew})
}

// errand names what a connection is opened for: publishing and looking up never are the
// reason (design §1), so whoever sees one opened can tell why.
func errand(m wire.Message) string {
	if r, ok := m.(*wire.Routed); ok {
		return m.Kind().String() + " " + r.BodyKind.Name()
	}
	return m.Kind().String()
}

// maxOpening is how many links may wait for a dial, those under way included.
func maxOpening(dials int) int { return 8 * dials }

func (l *loop) newLink(as link) (k *link, why string) {
	k = &as
	k.queue = newQueue(l.cfg.QueueFrames, l.cfg.QueueBytes)
	k.gone = make(chan struct{})
	k.known = l.core.Known(k.id)
	k.life = l.lifeOf(k)
	w := &writer{Node: l.Node, link: k}
	if !l.life.start(w.run) {
		return nil, closing
	}
	l.links[k.id] = k
	return k, ""
}

// enqueue adds m to the frames that the present step sends by k.
func (l *loop) enqueue(k *link, m wire.Message) {
	if why := k.queue.refuses(m.Kind(), k.step); why != "" {
		l.drop(why, k.id)
		return
	}
	if k.step.frames == 0 {
		k.step.data = newBuffer()
		l.touched = append(l.touched, k)
	}
	data, err := wire.AppendFrame(k.step.data, m)
	if err != nil {
		l.drop(tooLarge, k.id)
		return
	}
	k.step.data = data
	k.step.frames++
	k.last = l.now
}

// flush hands the frames of the step that ends to the writers.
func (l *loop) flush() {
	for _, k := range l.touched {
		if k.step.frames > 0 {
			k.queue.push(k.step)
		}
		k.step = batch{}
	}
	clear(l.touched)
	l.touched = l.touched[:0]
}

// loss is what the loop remembers of a link that broke. When the peer was started again it is
// forgotten: that breaks a link each time, and is none that does not hold.
type loss struct {
	life  uint64 // the generation of the peer
	count int
	until mono.Time // no new link before
}

// holds reports whether no new link may be made now to the peer in one of its lives.
func (s loss) holds(life uint64, now mono.Time) bool { return s.until > now && s.life == life }

const (
	// lasted is how long a link has to hold to count as good.
	lasted = 10 * time.Second
	// maxBackoff bounds the wait before a link that breaks again and again is opened anew.
	maxBackoff = 30 * time.Second
)

// lose takes note that k broke: the first time a new one may be made at once, after
// that the wait doubles from one second on.
func (l *loop) lose(k *link) {
	now := l.clock.now()
	s := l.losses[k.id]
	if life := l.book.generation(k.id); s.life != life || k.opened != 0 && now.Sub(k.opened) >= lasted {
		s = loss{life: life}
	}
	if s.count++; s.count > 1 {
		s.until = now.Add(min(maxBackoff, time.Second<<min(s.count-2, 10)))
	}
	l.losses[k.id] = s
}

// remove takes k out of use. Its writer sends what is still queued and ends.
func (l *loop) remove(k *link) {
	delete(l.links, k.id)
	close(k.gone)
}

// opened is the task of a writer whose stream is open.
type opened struct {
	link   *link
	dialed bool // and the connection was opened for it
}

func (t opened) run(l *loop) {
	if t.dialed {
		l.probed[t.link.id] = true
	}
	if l.links[t.link.id] != t.link {
		return // another one has taken its place
	}
	t.link.opened = l.clock.now()
	t.link.last = t.link.opened
	l.local(&env.LinkOpened{Peer: t.link.id, Dialed: t.dialed})
}

// lost is the task of a writer that ended because its stream broke or did not open.
type lost struct {
	link     *link
	answered bool // the peer had taken the stream before
}

func (t lost) run(l *loop) {
	k := t.link
	for _, b := range k.queue.take() {
		for range b.frames {
			l.drop(linkLost, k.id)
		}
	}
	if l.links[k.id] != k {
		return
	}
	delete(l.links, k.id)
	if k.opened != 0 {
		l.lose(k)
	}
	if k.wanted && !t.answered {
		l.local(&env.Unreachable{Peer: k.id})
	} else {
		l.local(&env.LinkClosed{Peer: k.id})
	}
}

// disconnected is the task that the last usable connection to a peer has gone.
type disconnected struct{ peer peer.ID }

func (t disconnected) run(l *loop) {
	id := idOf(t.peer)
	k, linked := l.links[id]
	switch {
	case l.host.Network().Connectedness(t.peer) == network.Connected:
		return // by another connection; what was lost with the first its writer reports
	case linked && k.opened == 0:
		return // its writer is about to open a connection, or to find that it cannot
	}
	delete(l.probed, id)
	if linked {
		l.remove(k)
	}
	if _, used := l.uses[id]; linked || used {
		l.local(&env.LinkClosed{Peer: id})
	}
}

// deserted is the task that a peer has closed its end of the link, and opened no new one.
type deserted struct{ id idspace.ID }

func (t deserted) run(l *loop) {
	if _, used := l.uses[t.id]; used {
		l.local(&env.LinkClosed{Peer: t.id})
	}
}

// sweep closes the links that nobody uses, and then the connections that only this
// overlay opened.
func (l *loop) sweep() {
	now := l.clock.now()
	for id, k := range l.links {
		if _, used := l.uses[id]; !used && k.opened != 0 && now.Sub(k.last) >= l.cfg.IdleGrace {
			l.remove(k)
		}
	}
	for id, s := range l.losses {
		if _, linked := l.links[id]; !linked && now.Sub(s.until) >= maxBackoff {
			delete(l.losses, id)
		}
	}
	for id := range l.probed {
		_, linked := l.links[id]
		_, used := l.uses[id]
		if p, known := l.book.peer(id); !linked && !used && known {
			l.life.start(func() { l.hangUp(p) })
		}
	}
	l.inbound.sweep()
}

// hangUp closes connections to p that carry no stream and that nobody has protected.
func (n *Node) hangUp(p peer.ID) {
	if n.host.ConnManager().IsProtected(p, "") {
		return
	}
	for _, c := range n.host.Network().ConnsToPeer(p) {
		if len(c.GetStreams()) == 0 && c.Stat().Direction == network.DirOutbound {
			c.CloseWithError(network.ConnGarbageCollected)
		}
	}
}
