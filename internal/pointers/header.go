package pointers

import (
	"encoding/binary"
	"fmt"

	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Header is the newest that this node knows to be signed about the objects of a batch; all pointers of the batch share it. A server
// signs it anew from time to time: then only the header travels (docs/protocol.md §4.7). A batch of one, or of objects that are taken
// back, is never renewed by its header alone.
type Header struct {
	place // in the queue of records that run out: at is when its life is over

	Signed   *wire.SignedRecord
	Sequence Sequence

	name wire.Sum   // zero: it is not renewed
	held []*Pointer // in no order; Pointer.inHeader is the place
}

func newHeader(signed *wire.SignedRecord, record *wire.BatchRecord) *Header {
	return &Header{Signed: signed, Sequence: SequenceOf(record), name: record.Name()}
}

// Server is whose batch it is.
func (h *Header) Server() *Server { return h.held[0].Server }

// Expires is when the header's life is over.
func (h *Header) Expires() mono.Time { return h.at }

// Header is the one that this node has of a server's batch, nil if it has nothing of that.
func (sv *Server) Header(record *wire.BatchRecord) *Header { return sv.headers[record.Name()] }

// Print is that of the header in digests, which changes when it is renewed, as those of its pointers do not.
func (h *Header) Print() uint64 { return h.term().Hi }

// term is what goes into the digest of a branch on which anything of a batch lies.
func (h *Header) term() wire.Sum {
	packed := binary.BigEndian.AppendUint64(make([]byte, 0, 32), h.name.Hi)
	packed = binary.BigEndian.AppendUint64(packed, h.name.Lo)
	packed = binary.BigEndian.AppendUint64(packed, h.Sequence.Generation)
	return wire.SumOf(binary.BigEndian.AppendUint64(packed, h.Sequence.Counter))
}

// RenewHeader has all that is held of a batch go on under a header that its server has signed since, and that has so long to live.
// It costs as much as there are branches, however many objects the batch has.
func (s *Store) RenewHeader(h *Header, signed *wire.SignedRecord, record *wire.BatchRecord, until mono.Time) {
	s.changes++
	branches := h.Server().branches
	for _, b := range branches {
		if b.of[h] > 0 {
			b.sum = b.sum.Minus(h.term())
		}
	}
	h.Signed, h.Sequence = signed, SequenceOf(record)
	for _, b := range branches {
		if b.of[h] > 0 {
			b.sum = b.sum.Plus(h.term())
			b.Due = b.Due || b.Out
		}
	}
	s.due.set(h, max(h.at, until)) // whoever brings it cannot make it shorter
}

// newest has a deposit be of the newest header that is known of its batch, which may be its own.
func (s *Store) newest(d *Deposit, now mono.Time) {
	if d.Lot != nil {
		d.header = d.Server.headers[d.Lot.name]
	}
	switch {
	case d.header == nil:
		d.header = newHeader(d.Signed, d.Record)
	case SequenceOf(d.Record).Above(d.header.Sequence):
		s.RenewHeader(d.header, d.Signed, d.Record, now.Add(d.Left))
	}
}

// join has p be of a header, whose life lasts as long as the longest that is said of it when a pointer of it comes.
func (s *Store) join(p *Pointer, h *Header, until mono.Time) {
	p.header, p.inHeader = h, int32(len(h.held))
	h.held = append(h.held, p)
	s.due.set(h, max(h.at, until))
	if h.name == (wire.Sum{}) {
		return
	}
	if p.Server.headers == nil {
		p.Server.headers = make(map[wire.Sum]*Header)
	}
	p.Server.headers[h.name] = h
}

// quit takes p from its header, which is forgotten with the last.
func (s *Store) quit(p *Pointer) {
	h := p.header
	last := h.held[len(h.held)-1]
	h.held[p.inHeader], last.inHeader = last, p.inHeader
	h.held[len(h.held)-1] = nil
	if h.held = h.held[:len(h.held)-1]; len(h.held) > 0 {
		return
	}
	s.due.remove(h)
	if h.name != (wire.Sum{}) {
		delete(p.Server.headers, h.name)
	}
}

// check verifies that the pointers of a header know it, and its server.
func (h *Header) check() error {
	for i, p := range h.held {
		if p.header != h || int(p.inHeader) != i || p.Server != h.Server() {
			return fmt.Errorf("pointers: %v is misplaced under a header", p)
		}
	}
	if len(h.held) == 0 || h.name != (wire.Sum{}) && h.Server().headers[h.name] != h {
		return fmt.Errorf("pointers: header %v of %d pointers is not known", h.Sequence, len(h.held))
	}
	return nil
}
