package stage

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/calendar"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// packet is on its way.
type packet struct {
	from, to *actor
	life     int // of to, when the connection was opened
	msgs     []model.Message
	size     int
}

const (
	uplinkQueue = 2 * time.Second        // how far an uplink may be behind before it throws packets away
	minRTO      = 200 * time.Millisecond // the least time after which a stream repeats what was lost
)

// flush puts what the step has sent into packets, one for each peer.
func (a *actor) flush() {
	out := a.out
	a.out = nil
	for i := range out {
		c := out[i].conn
		if c == nil {
			continue
		}
		p := packet{from: a, to: c.to, life: c.life, size: Overhead}
		for j := i; j < len(out); j++ {
			if out[j].conn == c {
				p.load(out[j].msg)
				out[j].conn = nil
			}
		}
		a.stage.transmit(c, p)
	}
}

func (p *packet) load(m model.Message) {
	s := p.from.stage
	p.msgs = append(p.msgs, m)
	p.size += m.Size()
	s.totals.Messages++
	if s.Hooks.Sent != nil {
		s.Hooks.Sent(p.from.self.At, p.to.self.At, m)
	}
}

// transmit sends a packet on its way, or loses it.
func (s *Stage) transmit(c *conn, p packet) {
	s.totals.Packets++
	s.totals.Bytes += uint64(p.size)
	leaves, ok := s.depart(p)
	if !ok || s.parted(p.from, p.to) || s.cfg.Datagrams && s.chance(s.cfg.Loss) {
		s.totals.Lost++
		return
	}
	at := leaves.Add(s.delay(p))
	if !s.cfg.Datagrams {
		at = max(at.Add(s.repeats(p)), c.last)
		c.last = at
	}
	s.push(calendar.Event{At: at, Kind: evPacket, Host: int32(p.to.self.At), Arg: s.packets.put(p)})
}

// depart is when a packet has passed the uplink of its sender.
func (s *Stage) depart(p packet) (mono.Time, bool) {
	if s.cfg.Bandwidth == 0 {
		return s.now, true
	}
	begin := max(s.now, p.from.uplink)
	if begin.Sub(s.now) > uplinkQueue {
		s.totals.Overdue++
		return 0, false
	}
	p.from.uplink = begin.Add(time.Duration(float64(8*p.size) / s.cfg.Bandwidth * float64(time.Second)))
	return p.from.uplink, true
}

func (s *Stage) oneWay(a, b *actor) time.Duration { return s.cfg.Delays.OneWay(a.place, b.place) }

func (s *Stage) rtt(a, b *actor) time.Duration {
	return max(s.oneWay(a, b)+s.oneWay(b, a), 2*time.Microsecond)
}

func (s *Stage) chance(share float64) bool { return share > 0 && s.rng.Float64() < share }

func (s *Stage) delay(p packet) time.Duration {
	d := max(s.oneWay(p.from, p.to), time.Microsecond)
	if s.cfg.Jitter > 0 {
		d += time.Duration(float64(d) * s.cfg.Jitter * s.rng.Float64())
	}
	return d
}

// repeats is how much later a packet comes on a stream because it was lost.
func (s *Stage) repeats(p packet) (late time.Duration) {
	rto := max(minRTO, 2*s.oneWay(p.from, p.to)+minRTO/4)
	for s.chance(s.cfg.Loss) {
		s.totals.Lost++
		s.totals.Packets++
		s.totals.Bytes += uint64(p.size)
		late += rto
		rto *= 2
	}
	return late
}

// reaches reports whether a dial would find somebody.
func (s *Stage) reaches(a, b *actor) bool { return a != b && !b.down && !s.parted(a, b) }

// parted reports whether no packets pass between two nodes.
func (s *Stage) parted(a, b *actor) bool {
	if s.cut != nil && s.cut(a.place) != s.cut(b.place) {
		return true
	}
	if s.cfg.Nontransitive == 0 {
		return false
	}
	low, high := uint64(min(a.place, b.place)), uint64(max(a.place, b.place))
	x := (s.cfg.Seed ^ low<<32 ^ high) * 0x9e3779b97f4a7c15
	x ^= x >> 32
	x *= 0xff51afd7ed558ccd
	return float64(x>>11)/(1<<53) < s.cfg.Nontransitive
}

// arrive hands a packet to the node that it was sent to. To another life of it than
// the connection was opened to, it is nothing, and the sender hears so.
func (s *Stage) arrive(e calendar.Event) {
	a := s.actors[e.Host]
	if !a.down && s.deferred(a, e) {
		return
	}
	p := s.packets.take(e.Arg)
	switch {
	case a.down:
	case p.life != a.life:
		from, life := p.from, p.life
		s.After(s.oneWay(a, from), func() {
			if c := from.conns[a.self.At]; c != nil && c.life == life {
				s.closed(from, a)
			}
		})
	default:
		s.note(uint64(p.from.self.At)<<32|uint64(a.self.At), uint64(p.size)<<8|uint64(len(p.msgs)))
		s.deliver(p)
	}
}

func (s *Stage) deliver(p packet) {
	a := p.to
	if c := a.conns[p.from.self.At]; c != nil {
		c.used = s.now
	}
	for _, m := range p.msgs {
		a.step(func() { a.node.Step(a, p.from.self.At, m) })
	}
}
