package pointers

import (
	"bytes"
	"fmt"
	"iter"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Lot is what came at once of a batch of several objects, under one salt. Its pointers share the header, and
// what proves them. Of a lot of which little is held any more the rest is let go.
type Lot struct {
	Roots int // how many salts the batch has

	name   wire.Sum           // of the batch
	signed *wire.SignedRecord // the header, if that is not renewed

	run   *batch.Run
	held  []*Pointer // by the place in run; nil where nothing is
	live  int        // how many are
	most  int        // how many were when run was made
	share int        // bytes that each of its pointers counts for
}

// NewLot returns a lot of which nothing is held yet.
func NewLot(signed *wire.SignedRecord, record *wire.BatchRecord, run *batch.Run) *Lot {
	t := &Lot{Roots: record.Salts(), name: record.Name(), run: run, held: make([]*Pointer, run.Len())}
	if t.name == (wire.Sum{}) {
		t.signed = signed
	}
	for range t.Objects() {
		t.most++
	}
	t.share = (run.Bytes()+8*run.Len()+sizeOf(signed))/max(t.most, 1) + 1
	return t
}

// Alone reads a pointer that travels by itself: the header of a batch, which is to be checked by others, and if it is of
// several objects a list that proves one of them under a salt.
func Alone(space idspace.Space, signed *wire.SignedRecord, record *wire.BatchRecord, under uint32, proof []byte) (d Deposit, err error) {
	run, err := batch.Sole(space, record, int(under), proof)
	d = Deposit{Signed: signed, Record: record}
	if run != nil {
		d.Lot = NewLot(signed, record, run)
		for d.Item = range d.Lot.Objects() {
			break // there is only one
		}
	}
	return d, err
}

// Salt is under which the lot proves its objects.
func (t *Lot) Salt() int { return t.run.Salt() }

// Len is how many places the lot has, for objects and for hashes.
func (t *Lot) Len() int { return len(t.held) }

// Objects lists the places of the lot's objects, in the order of their keys.
func (t *Lot) Objects() iter.Seq2[int32, idspace.ID] {
	return func(yield func(int32, idspace.ID) bool) {
		for i := range t.held {
			if guid, ok := t.run.GUID(i); ok && !yield(int32(i), guid) {
				return
			}
		}
	}
}

// Next is the place of the first object from a place on.
func (t *Lot) Next(from int32) (at int32, ok bool) {
	for ; int(from) < len(t.held); from++ {
		if _, ok := t.run.GUID(int(from)); ok {
			return from, true
		}
	}
	return 0, false
}

// Cut is the list that proves the objects at these places, which rise, and nothing else.
func (t *Lot) Cut(places []int32) []byte { return t.run.Cut(places) }

// stand is the place of a pointer in a lot.
type stand struct {
	lot *Lot
	at  int32
}

// Stand is where a pointer has a proof under a salt, nil if it has none.
func (p *Pointer) Stand(salt int) (lot *Lot, at int32) {
	for _, s := range p.stands {
		if s.lot.Salt() == salt {
			return s.lot, s.at
		}
	}
	return nil, 0
}

// Proof is the list that proves the pointer's object to be of the batch that its record is the header of, and under which
// salt; nil for a batch of one.
func (p *Pointer) Proof() (list []byte, under int) {
	if len(p.stands) == 0 {
		return nil, 0
	}
	s := p.stands[0]
	return s.lot.run.Prove(int(s.at)), s.lot.Salt()
}

// adds reports whether a deposit of the record that p has brings a proof that it has not.
func (p *Pointer) adds(d Deposit) bool {
	if d.Lot == nil || len(p.stands) == 0 {
		return false
	}
	lot, _ := p.Stand(d.Lot.Salt())
	return lot == nil && (d.header == p.header || bytes.Equal(d.header.Signed.Payload, p.Record().Payload))
}

// stand notes what proves p.
func (p *Pointer) stand(d Deposit) {
	if d.Lot != nil {
		p.stands = append(p.stands, stand{d.Lot, d.Item})
		d.Lot.held[d.Item] = p
		d.Lot.live++
	}
}

// leave gives up what proves p.
func (p *Pointer) leave() {
	stands := p.stands
	p.stands = nil
	for _, s := range stands {
		s.lot.held[s.at] = nil
		s.lot.live--
		s.lot.Tidy()
	}
}

// Tidy lets go of what is not held, when that is more than half: whoever has put the objects of a lot into the store
// calls it, for some may not have been taken.
func (t *Lot) Tidy() {
	if t.live == 0 || 2*t.live > t.most {
		return
	}
	var places []int32
	for i, p := range t.held {
		if p != nil {
			places = append(places, int32(i))
		}
	}
	held := t.held
	t.run = t.run.Keep(places)
	t.held, t.most = make([]*Pointer, t.run.Len()), t.live
	for i := range t.Objects() {
		p := held[places[0]]
		t.held[i] = p
		p.move(t, places[0], i)
		places = places[1:]
	}
}

func (p *Pointer) move(in *Lot, from, to int32) {
	for i, s := range p.stands {
		if s == (stand{in, from}) {
			p.stands[i].at = to
			return
		}
	}
}

// under reports whether the header is that of the lot, or has renewed it.
func (t *Lot) under(h *Header) bool {
	return t.name == h.name && (t.signed == nil || bytes.Equal(t.signed.Payload, h.Signed.Payload))
}

// check verifies that the lots of a pointer know it, and counts it.
func (p *Pointer) check(live map[*Lot]int) error {
	for i, s := range p.stands {
		guid, ok := s.lot.run.GUID(int(s.at))
		if !ok || guid != p.GUID || s.lot.held[s.at] != p || !s.lot.under(p.header) {
			return fmt.Errorf("pointers: %v is misplaced in a lot", p)
		}
		for _, o := range p.stands[:i] {
			if o.lot.Salt() == s.lot.Salt() {
				return fmt.Errorf("pointers: %v has two proofs under one salt", p)
			}
		}
		live[s.lot]++
	}
	return nil
}
