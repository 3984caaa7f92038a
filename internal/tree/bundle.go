package tree

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// bundle is the pointers of one server that go to one neighbor together. What is of one batch goes as a part of that: one header,
// and one proof for many.
type bundle struct {
	server *pointers.Server
	copy   wire.Copy
	alone  []alone
	parts  []*part
	anew   []*pointers.Header // that go without pointers
}

// alone is a pointer that goes by itself.
type alone struct {
	*pointers.Pointer
	laid        *pointers.Laid // nil: it goes back
	salt, roots int
}

// part is some pointers of a batch, by salt.
type part struct {
	header *pointers.Header
	salts  []shares
}

// shares are the pointers of a lot, as one salt of a part.
type shares struct {
	lot  *pointers.Lot
	each []share
}

// share is a pointer by its place in the lot.
type share struct {
	at   int32
	laid *pointers.Laid
}

func (s shares) places() (places []int32) {
	for _, o := range s.each {
		places = append(places, o.at)
	}
	return places
}

// add has a pointer go along, as one under a salt; where it was laid is said of those that do not go back.
func (b *bundle) add(laid *pointers.Laid, p *pointers.Pointer, salt, roots int) {
	lot, at := p.Stand(salt)
	if laid == nil || lot == nil || lot.Roots != roots {
		b.alone = append(b.alone, alone{p, laid, salt, roots})
		return
	}
	s := b.shares(lot, p.Header())
	s.each = append(s.each, share{at, laid})
}

// shares are those of a lot: in a part that has its header, and nothing under its salt yet.
func (b *bundle) shares(lot *pointers.Lot, header *pointers.Header) *shares {
	salt := lot.Salt()
	var free *part
	for _, p := range b.parts {
		switch {
		case p.salts[salt].lot == lot:
			return &p.salts[salt]
		case p.header == header && p.salts[salt].lot == nil:
			free = p
		}
	}
	if free == nil {
		free = &part{header, make([]shares, lot.Roots)}
		b.parts = append(b.parts, free)
	}
	free.salts[salt].lot = lot
	return &free.salts[salt]
}

// maxDeposit is how many bytes of pointers go into one message, all but the last of them.
const maxDeposit = wire.MaxFrame / 4

// sendAll sends the messages that a bundle makes, and asks about what somebody waits to know of.
func (k *Keeper) sendAll(e env.Env, to idspace.ID, b *bundle) {
	var m *wire.Deposit
	var laid []*pointers.Laid
	size := 0
	send := func() {
		if m != nil {
			k.ask(e, to, m, laid)
			e.Send(to, m)
		}
		m, laid, size = nil, nil, 0
	}
	room := func(takes int) {
		if m != nil && (size >= maxDeposit || len(m.Laid) == wire.MaxLaid || len(m.Parts) == wire.MaxParts) {
			send()
		}
		if m == nil {
			m = k.brief(e, b.server, b.copy, b.server.Branch(to, b.copy, true))
		}
		size += takes
	}
	for _, p := range b.alone {
		one := k.laid(e, p)
		room(len(p.Record().Payload) + len(one.Proof) + 256)
		if m.Laid = append(m.Laid, one); p.laid != nil {
			laid = append(laid, p.laid)
		}
	}
	for _, p := range b.parts {
		for piece, part := range k.pieces(e, p) {
			room(sizeOf(part))
			m.Parts = append(m.Parts, part)
			for _, s := range piece.salts {
				for _, o := range s.each {
					laid = append(laid, o.laid)
				}
			}
		}
	}
	for _, h := range b.anew {
		if !slices.ContainsFunc(b.parts, func(p *part) bool { return p.header == h }) {
			room(len(h.Signed.Payload) + 256)
			m.Parts = append(m.Parts, &wire.BatchPart{Header: h.Signed, LeftS: k.whole(e, h.Expires())})
		}
	}
	send()
}

// maxPart is how many bytes a part takes at most if it has more than one pointer: what is scattered over a large lot needs
// many hashes to be proven.
const maxPart = wire.MaxFrame / 2

func sizeOf(part *wire.BatchPart) int {
	size := len(part.Header.Payload) + 256
	for _, list := range part.Lists {
		size += len(list)
	}
	return size
}

// pieces packs a part, or what it has to be taken apart into.
func (k *Keeper) pieces(e env.Env, p *part) iter.Seq2[*part, *wire.BatchPart] {
	return func(yield func(*part, *wire.BatchPart) bool) {
		packed, halves := k.part(e, p), p.halves()
		if sizeOf(packed) <= maxPart || halves == nil {
			yield(p, packed)
			return
		}
		for _, half := range halves {
			for piece, part := range k.pieces(e, half) {
				if !yield(piece, part) {
					return
				}
			}
		}
	}
}

// halves takes apart what has more than one pointer; nil if it has not.
func (p *part) halves() (halves []*part) {
	all := 0
	for _, s := range p.salts {
		all += len(s.each)
	}
	if all < 2 {
		return nil
	}
	left := all / 2
	first, rest := &part{p.header, make([]shares, len(p.salts))}, &part{p.header, make([]shares, len(p.salts))}
	for salt, s := range p.salts {
		n := min(left, len(s.each))
		left -= n
		if n > 0 {
			first.salts[salt] = shares{s.lot, s.each[:n]}
		}
		if n < len(s.each) {
			rest.salts[salt] = shares{s.lot, s.each[n:]}
		}
	}
	return []*part{first, rest}
}

func (k *Keeper) laid(e env.Env, p alone) *wire.Laid {
	proof, under := p.Proof()
	return &wire.Laid{
		Pointer: p.Record(), Salt: uint32(p.salt), Roots: uint32(p.roots), LeftS: k.left(e, p.Pointer),
		LatencyUs: uint64(k.latency(p.Pointer).Microseconds()), Proof: proof, Under: uint32(under),
	}
}

// part packs some pointers of a batch. Of what they have come to know of its life and of the way to its server, the least and
// the mean is said of all.
func (k *Keeper) part(e env.Env, p *part) *wire.BatchPart {
	packed := &wire.BatchPart{Header: p.header.Signed, Lists: make([][]byte, len(p.salts)), LeftS: ^uint32(0)}
	n, latency := 0, time.Duration(0)
	for salt, s := range p.salts {
		if s.lot == nil {
			continue
		}
		slices.SortFunc(s.each, func(a, b share) int { return cmp.Compare(a.at, b.at) })
		packed.Lists[salt] = s.lot.Cut(s.places())
		for _, o := range s.each {
			n++
			latency += k.latency(o.laid.Pointer)
			packed.LeftS = min(packed.LeftS, k.left(e, o.laid.Pointer))
		}
	}
	packed.LatencyUs = uint64((latency / time.Duration(n)).Microseconds())
	return packed
}
