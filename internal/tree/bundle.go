package tree

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
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
}

// alone is a pointer that goes by itself.
type alone struct {
	*pointers.Pointer
	salt, roots int
}

// part is some pointers of a batch, by salt.
type part struct {
	header *wire.SignedRecord
	salts  []shares
}

// shares are the pointers of a lot, as one salt of a part.
type shares struct {
	lot      *pointers.Lot
	places   []int32
	pointers []*pointers.Pointer
}

// add has a pointer go along, as one under a salt.
func (b *bundle) add(p *pointers.Pointer, salt, roots int) {
	lot, at := p.Stand(salt)
	if lot == nil || lot.Roots != roots {
		b.alone = append(b.alone, alone{p, salt, roots})
		return
	}
	s := b.shares(lot)
	s.places, s.pointers = append(s.places, at), append(s.pointers, p)
}

// shares are those of a lot: in a part that has its header, and nothing under its salt yet.
func (b *bundle) shares(lot *pointers.Lot) *shares {
	salt := lot.Salt()
	var free *part
	for _, p := range b.parts {
		switch {
		case p.salts[salt].lot == lot:
			return &p.salts[salt]
		case p.header == lot.Signed && p.salts[salt].lot == nil:
			free = p
		}
	}
	if free == nil {
		free = &part{lot.Signed, make([]shares, lot.Roots)}
		b.parts = append(b.parts, free)
	}
	free.salts[salt].lot = lot
	return &free.salts[salt]
}

// maxDeposit is how many bytes of pointers go into one message, all but the last of them.
const maxDeposit = wire.MaxFrame / 4

// deposits are the messages that a bundle makes.
func (k *Keeper) deposits(e env.Env, b *bundle) (deposits []*wire.Deposit) {
	size := maxDeposit
	room := func(takes int) *wire.Deposit {
		last := len(deposits) - 1
		if size >= maxDeposit || len(deposits[last].Laid) == wire.MaxLaid || len(deposits[last].Parts) == wire.MaxParts {
			deposits, size = append(deposits, k.deposit(e, b.server, b.copy)), 0
			last++
		}
		size += takes
		return deposits[last]
	}
	for _, p := range b.alone {
		laid := k.laid(e, p)
		d := room(len(p.Record.Payload) + len(laid.Proof) + 256)
		d.Laid = append(d.Laid, laid)
	}
	for _, p := range b.parts {
		packed := k.part(e, p)
		takes := len(packed.Header.Payload) + 256
		for _, list := range packed.Lists {
			takes += len(list)
		}
		d := room(takes)
		d.Parts = append(d.Parts, packed)
	}
	return deposits
}

func (k *Keeper) laid(e env.Env, p alone) *wire.Laid {
	proof, under := p.Proof()
	return &wire.Laid{
		Pointer: p.Record, Salt: uint32(p.salt), Roots: uint32(p.roots), LeftS: k.left(e, p.Pointer),
		LatencyUs: uint64(k.latency(p.Pointer).Microseconds()), Proof: proof, Under: uint32(under),
	}
}

// part packs some pointers of a batch. Of what they have come to know of its life and of the way to its server, the least and
// the mean is said of all.
func (k *Keeper) part(e env.Env, p *part) *wire.BatchPart {
	packed := &wire.BatchPart{Header: p.header, Lists: make([][]byte, len(p.salts)), LeftS: ^uint32(0)}
	n, latency := 0, time.Duration(0)
	for salt, s := range p.salts {
		if s.lot == nil {
			continue
		}
		slices.Sort(s.places)
		packed.Lists[salt] = s.lot.Cut(s.places)
		for _, o := range s.pointers {
			n++
			latency += k.latency(o)
			packed.LeftS = min(packed.LeftS, k.left(e, o))
		}
	}
	packed.LatencyUs = uint64((latency / time.Duration(n)).Microseconds())
	return packed
}
