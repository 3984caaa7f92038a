package publish

import (
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/tree"
)

// OnSought lays an object of an earlier life for which somebody looks here before its turn has
// come. It costs a signature, once: no requests are sent, the tree passes the pointers on at its
// own pace.
func (p *Publisher) OnSought(e env.Env, key pointers.Key) {
	o := p.Served.Find(key)
	if o == nil || o.Laid() || p.leaving != nil || p.left {
		return
	}
	p.last.Counter++
	o.Alone()
	o.Sequence = p.last
	l := &lay{key: key, sequence: p.last}
	l.record = p.sign(e, l)
	for salt := range p.cfg.Roots {
		arrival := tree.Arrival{Publish: p.request(e, l, salt, p.cfg.Roots), From: p.cfg.Self}
		if _, err := p.Tree.Arrive(e, arrival); err != nil {
			return // this node has no lease: its turn changes nothing either
		}
	}
}
