package membership

import (
	"math"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// page is what is known of one node, whether it is in a table or not.
type page struct {
	id        idspace.ID
	coord     wire.Coord // where it is said to be
	record    *wire.SignedRecord
	stamp     wire.Stamp // of record: all that is asked for again and again; records stay packed
	notBefore mono.Time  // hearsay of it is ignored until then
	restsAs   wire.Use   // but not if there is more use for it than this
	heard     mono.Time  // when coord was said, or rttUs measured
	group     string     // the label of its network, once labeled
	rttUs     uint32     // how far it was when the gate last measured it; 0 if never, or coord is newer
	labeled   bool
	kept      bool  // it is in a table, at the gate, or is this node: never forgotten
	buried    bool  // notBefore is set because it was found dead
	refusals  uint8 // how often it, or this node, had no room since it was last admitted
}

// book holds the node records that this node has seen, the latest of each. Records of
// nodes that are in no table are forgotten oldest first.
//
// Invariants: order holds every page once, oldest first; pages not kept number at most
// size; byPrefix has one entry per page, the newer of two that begin alike.
type book struct {
	size     int
	byPrefix map[[8]byte]*page
	order    []*page
	same     func(*wire.SignedRecord) *wire.SignedRecord // see Deps
	renewals int                                         // how often a record was replaced by a newer one
}

func newBook(size int, same func(*wire.SignedRecord) *wire.SignedRecord) *book {
	return &book{size: size, byPrefix: make(map[[8]byte]*page), same: same}
}

func (b *book) find(id idspace.ID) *page {
	if p := b.byPrefix[[8]byte(id[:8])]; p != nil && p.id == id {
		return p
	}
	return nil
}

// resolve finds the node that a short reference means, nil if it is not known.
func (b *book) resolve(r wire.Ref) *page { return b.byPrefix[r.Prefix] }

// learn takes a record that the world has verified, and returns whose it is.
func (b *book) learn(record *wire.SignedRecord) (idspace.ID, error) {
	node, err := record.Node()
	if err != nil {
		return idspace.ID{}, err
	}
	id, stamp := node.ID(), node.Stamp()
	p := b.find(id)
	if b.same != nil && (p == nil || p.stamp.Before(stamp)) {
		record = b.same(record)
	}
	switch {
	case p == nil:
		b.add(&page{id: id, record: record, stamp: stamp})
	case p.stamp.Before(stamp):
		if stamp.Generation != p.stamp.Generation || p.buried {
			p.buried, p.notBefore = false, 0 // it was started again, or denies its death
		}
		p.record, p.stamp = record, stamp
		b.renewals++
	}
	return id, nil
}

func (b *book) add(p *page) {
	if len(b.order) >= b.size {
		b.forget()
	}
	b.byPrefix[[8]byte(p.id[:8])] = p
	b.order = append(b.order, p)
}

// forget drops the oldest page that is not kept.
func (b *book) forget() {
	for i, p := range b.order {
		if p.kept {
			continue
		}
		if b.byPrefix[[8]byte(p.id[:8])] == p {
			delete(b.byPrefix, [8]byte(p.id[:8]))
		}
		copy(b.order[i:], b.order[i+1:])
		b.order = b.order[:len(b.order)-1]
		return
	}
}

// keep says whether a node must be remembered.
func (b *book) keep(id idspace.ID, kept keeping) {
	if p := b.find(id); p != nil {
		p.kept = kept == inTable
	}
}

type keeping uint8

const (
	inTable keeping = iota
	inNone
)

// avoid ignores hearsay of a node for a while.
func (b *book) avoid(id idspace.ID, until mono.Time) { b.release(id, anyUse, until) }

// release ignores hearsay of a node that has let go of a link for a while, unless there is more use for it
// then than there is now.
func (b *book) release(id idspace.ID, use wire.Use, until mono.Time) {
	if p := b.find(id); p != nil {
		p.buried, p.notBefore, p.restsAs = false, until, use
	}
}

// anyUse is as much use as there can be for a node.
const anyUse = wire.Use_USE_LEAF

// rests reports whether hearsay of a node is to be ignored by whoever has a use for it. One that had no room for
// a spare link is asked at once when there is nobody else for its slot: it gives others up for that.
func (p *page) rests(now mono.Time, use wire.Use) bool {
	return now.Before(p.notBefore) && use <= p.restsAs
}

// maxRefusals bounds how often the time for which a refusal is respected doubles.
const maxRefusals = 5

// refuse ignores hearsay of a node that had no room for such a use, or for which there was none, for a
// while that doubles from refusal to refusal.
func (b *book) refuse(e env.Env, id idspace.ID, use wire.Use, mean time.Duration) {
	if p := b.find(id); p != nil {
		if use > p.restsAs {
			p.refusals = 0
		}
		p.restsAs = use
		p.notBefore = e.Now().Add(env.Jitter(e, mean<<p.refusals))
		p.refusals = min(p.refusals+1, maxRefusals)
	}
}

// ref returns the short reference to a known node.
func (b *book) ref(id idspace.ID) wire.Ref {
	if p := b.find(id); p != nil {
		return wire.RefTo(id, p.stamp.Generation)
	}
	return wire.RefTo(id, 0)
}

// unknownRTT stands for the round trip of a node that was never measured: it is
// wanted only where there is room.
const unknownRTT = time.Duration(math.MaxInt64)
