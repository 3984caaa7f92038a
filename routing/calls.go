package routing

import (
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// call is what is remembered of a request, or of a transmission that was given up.
type call struct {
	reply *wire.Routed  // the answer, nil until there is one
	note  *wire.HopNote // this node's line in the explanation, nil if none is wanted

	to   idspace.ID // who was to acknowledge it
	sent mono.Time
}

// calls remembers the latest requests, oldest forgotten first.
//
// Invariant: ring holds exactly the keys of byID, the oldest at next once it is full.
type calls struct {
	size int
	byID map[uint64]*call
	ring []uint64
	next int
}

func newCalls(size int) *calls { return &calls{size: size, byID: make(map[uint64]*call)} }

func (c *calls) find(id uint64) *call { return c.byID[id] }

func (c *calls) add(id uint64) *call {
	if known := c.byID[id]; known != nil {
		return known
	}
	if len(c.ring) < c.size {
		c.ring = append(c.ring, id)
	} else {
		delete(c.byID, c.ring[c.next])
		c.ring[c.next] = id
		c.next = (c.next + 1) % len(c.ring)
	}
	added := new(call)
	c.byID[id] = added
	return added
}
