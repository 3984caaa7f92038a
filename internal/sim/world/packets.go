package world

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/calendar"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// outgoing is a message that a step has sent; conn is nil once it is in a packet.
type outgoing struct {
	conn *conn
	msg  wire.Message
}

// packet is on its way. With a codec it holds bytes, without one the messages.
type packet struct {
	from, to *Host
	frames   []byte
	msgs     []wire.Message
	size     int
}

const (
	// uplinkQueue is how far an uplink may be behind before it throws packets away.
	uplinkQueue = 2 * time.Second
	// minRTO is the least time after which a stream repeats what was lost (RFC 6298 has
	// 1 s, every kernel and QUIC about this).
	minRTO = 200 * time.Millisecond
)

// flush puts what the step has sent into packets, one for each peer.
func (h *Host) flush() {
	for i := range h.out {
		c := h.out[i].conn
		if c == nil {
			continue
		}
		number := h.world.newPacket(h, c.peer)
		for j := i; j < len(h.out); j++ {
			if h.out[j].conn == c {
				h.world.load(number, h.out[j].msg)
				h.out[j].conn = nil
			}
		}
		h.world.transmit(c, number)
	}
	clear(h.out)
	h.out = h.out[:0]
}

func (w *World) newPacket(from, to *Host) int32 {
	var i int32
	if n := len(w.freePkt); n > 0 {
		i = w.freePkt[n-1]
		w.freePkt = w.freePkt[:n-1]
	} else {
		w.packets = append(w.packets, packet{})
		i = int32(len(w.packets) - 1)
	}
	p := &w.packets[i]
	p.from, p.to, p.size = from, to, overhead
	return i
}

// load puts a message into a packet.
func (w *World) load(number int32, m wire.Message) {
	p := &w.packets[number]
	if w.Hooks.Lose != nil && w.Hooks.Lose(p.from, p.to, m) {
		return
	}
	if w.Hooks.Alter != nil {
		if m = w.Hooks.Alter(p.from, p.to, m); m == nil {
			return
		}
	}
	size := 0
	if w.cfg.Codec == Real {
		before := len(p.frames)
		frames, err := wire.AppendFrame(p.frames, m)
		if err != nil {
			p.from.Emit(&env.Dropped{Why: "encoding: " + err.Error(), Peer: p.to.id})
			return
		}
		p.frames = frames
		size = len(frames) - before
	} else {
		p.msgs = append(p.msgs, m)
		size = proto.Size(m) + frameOverhead
	}
	headers := 0
	if p.size == overhead {
		headers = overhead
	}
	p.size += size
	w.totals.Messages++
	if w.Hooks.Sent != nil {
		w.Hooks.Sent(p.from, p.to, m, size, headers)
	}
}

// frameOverhead is what a frame adds to a message of up to some hundred bytes: two
// lengths and a tag.
const frameOverhead = 4

// keptFrames is the largest buffer that is used again: one packet in many is as large as
// a machine may send, and would make all of them so in time.
const keptFrames = 512

// drop forgets a packet.
func (w *World) drop(number int32) {
	p := &w.packets[number]
	p.from, p.to, p.frames = nil, nil, p.frames[:0]
	if cap(p.frames) > keptFrames {
		p.frames = nil
	}
	clear(p.msgs)
	p.msgs = p.msgs[:0]
	w.freePkt = append(w.freePkt, number)
}

// transmit sends a packet on its way, or loses it.
func (w *World) transmit(c *conn, number int32) {
	p := &w.packets[number]
	w.totals.Packets++
	w.totals.Bytes += uint64(p.size)
	leaves, ok := w.depart(p)
	if !ok || !w.passes(p.from, p.to) {
		w.totals.Lost++
		w.drop(number)
		return
	}
	at := leaves.Add(w.delay(p))
	if w.cfg.Transport == Stream {
		at = max(at.Add(w.repeats(p)), c.last)
		c.last = at
	} else if w.chance(w.cfg.Loss) {
		w.totals.Lost++
		w.drop(number)
		return
	}
	w.queue.Push(calendar.Event{At: at, Kind: evPacket, Host: p.to.number, Arg: number})
	if w.cfg.Transport == Datagram && w.chance(w.cfg.Duplicate) {
		w.again(number)
	}
}

// again sends a copy of a packet.
func (w *World) again(number int32) {
	copied := w.newPacket(w.packets[number].from, w.packets[number].to)
	p, q := &w.packets[number], &w.packets[copied]
	q.frames, q.msgs = append(q.frames, p.frames...), append(q.msgs, p.msgs...)
	q.size = p.size
	at := w.now.Add(w.delay(q) + time.Duration(w.rng.Int64N(int64(50*time.Millisecond))))
	w.queue.Push(calendar.Event{At: at, Kind: evPacket, Host: q.to.number, Arg: copied})
}

// depart is when a packet has passed the uplink of its sender.
func (w *World) depart(p *packet) (mono.Time, bool) {
	if w.cfg.Bandwidth == 0 {
		return w.now, true
	}
	begin := max(w.now, p.from.uplink)
	if begin.Sub(w.now) > uplinkQueue {
		w.totals.Overdue++
		return 0, false
	}
	p.from.uplink = begin.Add(time.Duration(float64(8*p.size) / w.cfg.Bandwidth * float64(time.Second)))
	return p.from.uplink, true
}

func (w *World) oneWay(a, b *Host) time.Duration {
	return w.cfg.Delays.OneWay(int(a.place), int(b.place))
}

func (w *World) chance(share float64) bool { return share > 0 && w.rng.Float64() < share }

// delay is how long a packet is under way, once it has left.
func (w *World) delay(p *packet) time.Duration {
	d := max(w.oneWay(p.from, p.to), time.Microsecond)
	if w.cfg.Jitter > 0 {
		d += time.Duration(float64(d) * w.cfg.Jitter * w.rng.Float64())
	}
	if w.cfg.Transport == Datagram && w.chance(w.cfg.Reorder) {
		d += time.Duration(w.rng.Int64N(int64(d)))
	}
	return d
}

// repeats is how much later a packet comes on a stream because it was lost, perhaps
// more than once.
func (w *World) repeats(p *packet) (late time.Duration) {
	rto := time.Duration(0)
	for w.chance(w.cfg.Loss) {
		w.totals.Lost++
		if rto == 0 {
			rto = max(minRTO, 2*w.oneWay(p.from, p.to)+minRTO/4)
		}
		late += rto
		rto *= 2
		w.totals.Packets++
		w.totals.Bytes += uint64(p.size)
	}
	return late
}

// arrive hands a packet to the node that it was sent to.
func (w *World) arrive(e calendar.Event) {
	p := w.packets[e.Arg]
	switch {
	case p.to.down:
		w.reset(p.from, p.to)
	case w.deferred(p.to, e):
		return
	case w.cfg.Codec == Real:
		w.note(uint64(p.from.number)<<32|uint64(p.to.number), xxhash.Sum64(p.frames))
		w.steps(p)
	default:
		w.note(uint64(p.from.number)<<32|uint64(p.to.number), uint64(p.size)<<8|uint64(len(p.msgs)))
		for _, m := range p.msgs {
			w.deliver(p.from, p.to, m)
		}
	}
	w.drop(e.Arg)
}

// steps decodes and delivers the frames of a packet.
func (w *World) steps(p packet) {
	for rest := p.frames; len(rest) > 0; {
		size, n := binary.Uvarint(rest)
		m, err := wire.Decode(rest[n : n+int(size)])
		if err != nil {
			panic(fmt.Sprintf("world: %s sent what it cannot read itself: %v", p.from, err))
		}
		rest = rest[n+int(size):]
		w.deliver(p.from, p.to, m)
	}
}

func (w *World) deliver(from, to *Host, m wire.Message) {
	if to.down {
		return // the scenario took it down in the step before
	}
	if w.Hooks.Arrived != nil {
		w.Hooks.Arrived(from, to, m)
	}
	if hello, ok := m.(*wire.Hello); ok {
		to.greeted(from, hello)
	}
	to.node.Step(to, from.id, m)
	to.settle()
}

// reset tells the sender that the life its connection leads to is over, if another one
// of the same node has begun: nobody else would answer for it.
func (w *World) reset(from, to *Host) {
	again := w.byID[to.id]
	if again == to || again.down || from.down {
		return
	}
	w.After(w.oneWay(to, from), func() {
		if c := from.conns.of(to.id); !from.down && c != nil && c.peer == to {
			from.conns.remove(to.id)
			from.local(&env.LinkClosed{Peer: to.id})
		}
	})
}
