// Package stagetest makes small overlays of a model for its tests.
//
// No layer: tests alone import it.
package stagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/stage"
	"github.com/tapestry-dolr/tapestry/internal/sim/topology"
)

// Overlay is a stage with the means to ask and to count.
type Overlay struct {
	*stage.Stage
	Protocol  model.Protocol
	Kinds     map[string]int // messages sent since the last Reset
	Bytes     int            // of them, without headers
	Opened    int            // connections opened since then
	Outcomes  map[uint64]model.Outcome
	Delivered map[uint64]model.Addr
	t         *testing.T
	calls     uint64
}

// New puts nodes on the net, at places of a transit-stub network, and settles them.
func New(t *testing.T, p model.Protocol, nodes int) *Overlay {
	t.Helper()
	o := Empty(t, p, topology.Place(topology.TransitStub(max(nodes, 50), 1), nodes, 1))
	for i := range nodes {
		o.Add(ID(i), i)
	}
	o.Settle()
	return o
}

// Empty is a network without nodes.
func Empty(t *testing.T, p model.Protocol, delays stage.Delays) *Overlay {
	o := &Overlay{Stage: stage.New(stage.Config{Seed: 1, Delays: delays}, p), Protocol: p, t: t}
	o.Outcomes, o.Delivered = map[uint64]model.Outcome{}, map[uint64]model.Addr{}
	o.Hooks = stage.Hooks{
		Outcome:   o.outcome,
		Delivered: func(at model.Addr, call uint64) { o.Delivered[call] = at },
		Sent:      func(_, _ model.Addr, m model.Message) { o.Kinds[m.Kind()]++; o.Bytes += m.Size() },
		Opened:    func(model.Addr, model.Addr) { o.Opened++ },
	}
	o.Reset()
	return o
}

func (o *Overlay) outcome(_ model.Addr, got model.Outcome) {
	if before, twice := o.Outcomes[got.Call]; twice {
		o.t.Errorf("call %d ends twice: %+v, %+v", got.Call, before, got)
	}
	o.Outcomes[got.Call] = got
}

// ID is the identifier of node i.
func ID(i int) idspace.ID { return idspace.Hash(fmt.Appendf(nil, "node-%d", i)) }

// Key is the i-th object or key.
func Key(i int) idspace.ID { return idspace.Hash(fmt.Appendf(nil, "key-%d", i)) }

// Reset begins to count anew.
func (o *Overlay) Reset() { o.Kinds, o.Bytes, o.Opened = map[string]int{}, 0, 0 }

// Do asks something of a node and waits for the outcome, at most two minutes.
func (o *Overlay) Do(at model.Addr, r model.Request) (got model.Outcome, took time.Duration) {
	o.t.Helper()
	o.calls++
	r.Call = o.calls
	begin := o.Now()
	o.Begin(at, r)
	done := func() (ok bool) { got, ok = o.Outcomes[r.Call]; return ok }
	if o.Until(2*time.Minute, done) {
		return got, o.Now().Sub(begin)
	}
	o.t.Fatalf("call %d of op %d at node %d has no end", r.Call, r.Op, at)
	return got, 0
}

// Grow adds nodes that join one after the other, pause apart.
func (o *Overlay) Grow(nodes int, pause time.Duration) {
	for i := range nodes {
		p := o.Add(ID(i), i)
		var seeds []model.Peer
		for s := 0; s < min(i, 3); s++ {
			seeds = append(seeds, o.Peer(model.Addr(s)))
		}
		o.Join(p.At, seeds)
		o.Run(pause)
	}
}

// TrueLookups asks for the root of keys, each of another node, and returns how many
// of them are right by the protocol's own oracle, and the mean of hops.
func (o *Overlay) TrueLookups(keys int) (right int, hops float64) {
	o.t.Helper()
	live := o.Live()
	for i := range keys {
		got, _ := o.Do(live[i*7919%len(live)].At, model.Request{Op: model.Lookup, Key: Key(i)})
		if got.OK && got.Root == o.Protocol.Root(live, Key(i)) {
			right++
		}
		hops += float64(got.Hops) / float64(keys)
	}
	return right, hops
}
