package tree

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// A server signs its batches anew before their headers run out. The objects need not be said again: the header goes over every link
// over which anything of the batch was laid, and what has missed it differs in the digest (docs/protocol.md §4.7).

// Renew has what this node serves of a batch go on under a new header. It reports whether anything of that lies here.
func (k *Keeper) Renew(e env.Env, signed *wire.SignedRecord, rec *wire.BatchRecord) bool {
	h := k.own(e).Header(rec)
	if h == nil {
		return false
	}
	k.Store.RenewHeader(h, signed, rec, e.Now().Add(seconds(rec.LifeS)))
	k.spreadHeader(h, k.cfg.Self)
	k.flush(e)
	return true
}

// renewHeader takes a header that is newer than what is known of its batch; if it is older, the newer one goes back.
func (k *Keeper) renewHeader(e env.Env, o offer, back *bundle) {
	h := o.server.Header(o.record)
	if h == nil || o.server.ID == k.cfg.Self {
		return
	}
	left, given := k.read(o).Left, pointers.SequenceOf(o.record)
	switch {
	case h.Sequence.Above(given):
		if !slices.Contains(back.anew, h) {
			back.anew = append(back.anew, h)
		}
	case given.Above(h.Sequence) && left > 0:
		k.Store.RenewHeader(h, o.signed, o.record, e.Now().Add(left))
		k.spreadHeader(h, o.from)
	}
}

// spreadHeader sends a header once to everybody, but for one, to whom anything of it was laid.
func (k *Keeper) spreadHeader(h *pointers.Header, except idspace.ID) {
	told := map[idspace.ID]bool{except: true}
	for _, b := range h.Server().Branches() {
		if b.Out && b.Has(h) && !told[b.Peer] {
			told[b.Peer] = true
			k.enqueueHeader(h, b)
		}
	}
}

func (k *Keeper) enqueueHeader(h *pointers.Header, b *pointers.Branch) {
	l := k.link(b.Peer)
	if !slices.Contains(l.anew, headed{h, b}) {
		l.anew = append(l.anew, headed{h, b})
	}
}
