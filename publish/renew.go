package publish

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"google.golang.org/protobuf/proto"
)

// renewedAtOnce is how many batches are signed anew at a time: their headers travel together, and scheduling their objects takes a
// millisecond or two for each.
const renewedAtOnce = 4

// renew signs a batch anew of which nothing was taken out, with others that are due at about that time: the headers go without their
// objects. It reports whether that could be done.
func (p *Publisher) renew(e env.Env, due *pointers.Batch) bool {
	in := p.nextRelay(e)
	if !p.renewOne(e, due, in) {
		return false
	}
	soon, n := e.Now().Add(p.cfg.Period/10), 1
	whole := p.batches[:0]
	for _, b := range p.batches {
		if b.Split {
			continue
		}
		whole = append(whole, b)
		if n < renewedAtOnce && b.Objects[0].Due() <= soon && p.renewOne(e, b, in) {
			n++
		}
	}
	clear(p.batches[len(whole):])
	p.batches = whole
	return true
}

func (p *Publisher) renewOne(e env.Env, b *pointers.Batch, in time.Duration) bool {
	if b.Split {
		return false
	}
	rec := proto.CloneOf(b.Record)
	rec.Generation, rec.Counter = p.last.Generation, p.last.Counter+1
	if !p.Tree.Renew(e, p.signed(e, rec), rec) {
		return false
	}
	p.last.Counter++
	b.Record = rec
	for _, o := range b.Objects {
		o.Sequence = p.last
		p.schedule(e, o, in)
	}
	return true
}
