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

// calls remembers the latest requests, oldest forgotten first: when there are too many,
// or when no copy of them can be under way any more.
//
// Invariant: line holds exactly the keys of byID, from first on, oldest first.
type calls struct {
	size  int
	byID  map[uint64]*call
	line  []remembered
	first int
}

type remembered struct {
	id    uint64
	since mono.Time
}

func newCalls(size int) *calls { return &calls{size: size, byID: make(map[uint64]*call)} }

func (c *calls) find(id uint64) *call { return c.byID[id] }

func (c *calls) add(id uint64, now mono.Time) *call {
	if known := c.byID[id]; known != nil {
		return known
	}
	for c.first < len(c.line) && (len(c.byID) >= c.size || now.Sub(c.line[c.first].since) > maxLife) {
		delete(c.byID, c.line[c.first].id)
		c.first++
	}
	if 2*c.first > len(c.line) {
		c.line = c.line[:copy(c.line, c.line[c.first:])]
		c.first = 0
	}
	added := new(call)
	c.byID[id], c.line = added, append(c.line, remembered{id, now})
	return added
}
