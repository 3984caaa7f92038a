package tree

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// A batch has no request that follows its paths: its server is the first node on all of them, lays the objects at itself, and
// what lies there goes on by deposits, as it does when a next hop changes.

// serving is a batch of this node's own that is being laid here.
type serving struct {
	offer
	duty uint64          // to the publisher
	lots []*pointers.Lot // by salt
	at   int32           // the place in the first of them that comes next
}

// Serve lays the objects of a batch that this node has signed, a portion of them at a time. What does not arrive is laid again until
// the given time; the publisher is told of each object and salt what came of it, under the name that it has given the batch.
func (k *Keeper) Serve(e env.Env, name uint64, signed *wire.SignedRecord, part *batch.Part, until mono.Time) {
	rec, err := signed.Batch()
	if err != nil {
		panic(fmt.Sprintf("tree: a header of this node's own: %v", err))
	}
	s := &serving{offer: offer{
		from: k.cfg.Self, copy: wire.Copy_COPY_PATH, signed: signed, record: rec, roots: rec.Salts(),
		until: never, left: seconds(rec.LifeS),
	}}
	for _, run := range part.Runs() {
		s.lots = append(s.lots, pointers.NewLot(signed, rec, run))
	}
	s.duty = k.owes(k.cfg.Self, name, until)
	k.servings = append(k.servings, s)
	k.arm(e, timerServe, e.Now())
}

// servePause is that between two portions: long enough for others to have their turn.
const (
	servePause   = 2 * time.Millisecond
	servePortion = 1024
)

// onServe lays the next portion.
func (k *Keeper) onServe(e env.Env) {
	own := k.own(e)
	for left := servePortion; left > 0 && len(k.servings) > 0; left-- {
		s := k.servings[0]
		s.server, s.lot, s.salt = own, s.lots[0], s.roots-len(s.lots)
		item, ok := s.lot.Next(s.at)
		if !ok {
			s.lot.Tidy()
			if s.lots, s.at = s.lots[1:], 0; len(s.lots) == 0 {
				k.servings = k.servings[1:]
				k.fulfil(e, s.duty)
			}
			continue
		}
		s.item, s.at = item, item+1
		k.lay(e, s.offer, s.duty, new(bundle)) // of a higher sequence nothing can be here
	}
	k.armToken(e)
	if len(k.servings) > 0 {
		k.arm(e, timerServe, e.Now().Add(servePause))
	}
}
