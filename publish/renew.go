package publish

import (
	"slices"
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
	for _, b := range p.batches {
		if n < renewedAtOnce && b.Whole() && b.Objects[0].Due() <= soon && p.renewOne(e, b, in) {
			n++
		}
	}
	return true
}

// serve has a batch be renewed from now on. Those that are not whole any more are forgotten when there is no room for another one.
func (p *Publisher) serve(b *pointers.Batch) {
	if len(p.batches) == cap(p.batches) {
		p.batches = slices.DeleteFunc(p.batches, func(o *pointers.Batch) bool { return !o.Whole() })
	}
	p.batches = append(p.batches, b)
}

func (p *Publisher) renewOne(e env.Env, b *pointers.Batch, in time.Duration) bool {
	if !b.Whole() {
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
