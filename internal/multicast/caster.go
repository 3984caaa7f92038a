package multicast

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// The timers of this room.
const (
	timerBranch uint8 = iota // the branch of call N at Peer has not answered
	timerEnd                 // the deadline of call N
)

// Links knows how long a neighbor may take.
type Links interface {
	Timeout(id idspace.ID) time.Duration
}

// Router knows whether this node is a member yet, and when one that is busy has room again.
type Router interface {
	Active() bool
	RetryAfter(e env.Env) time.Duration
}

// Deps are the rooms below that a Caster uses.
type Deps struct {
	Tables *surrogate.Tables
	Links  Links
	Router Router
}

// Caster is the machine. It is not safe for concurrent use.
type Caster struct {
	cfg Config
	Deps

	lastTicket uint64
	spreads    map[uint64]*spread // by call, under way or remembered
	tickets    map[uint64]*spread // announcements in the application's hands
	order      []uint64           // the keys of spreads, oldest first
	perPeer    map[idspace.ID]int // calls under way, by the neighbor that they came from
}

// spread is one multicast's visit to this node.
type spread struct {
	call     uint64
	msg      *wire.Multicast
	from     idspace.ID   // who gets the sum; Self if it began here
	again    []idspace.ID // who else sent it, and only needs to hear when it is done
	face     env.Call     // of the face, 0 if it is an insertion or began elsewhere
	deadline mono.Time
	branches []*branch
	ticket   uint64 // of the announcement in the application's hands, 0 if there is none
	local    bool   // this node's own part is done
	ended    bool
	sum      wire.MulticastAck // what goes back when it is done
}

// New returns a Caster. cfg must be valid.
func New(cfg Config, deps Deps) *Caster {
	return &Caster{
		cfg: cfg, Deps: deps, spreads: make(map[uint64]*spread), tickets: make(map[uint64]*spread),
		perPeer: make(map[idspace.ID]int),
	}
}

// Spreads returns how many multicasts are under way here.
func (c *Caster) Spreads() (n int) {
	for _, s := range c.spreads { // a sum: order does not matter
		if !s.ended {
			n++
		}
	}
	return n
}

// OnTimer takes back a timer that this machine set.
func (c *Caster) OnTimer(e env.Env, k env.TimerKey) {
	s := c.spreads[k.N]
	if s == nil || s.ended {
		return
	}
	if k.What == timerEnd {
		c.expire(e, s)
		return
	}
	for _, b := range s.branches {
		if b.to == k.Peer && b.state != answered { // those that wait for somebody share a timer
			c.late(e, s, b)
		}
	}
	c.finish(e, s)
}

// OnChanged gives the branches of neighbors that have gone to others at once.
func (c *Caster) OnChanged(e env.Env, m *env.Changed) {
	if len(m.Removed) == 0 {
		return
	}
	for _, call := range slices.Clone(c.order) {
		s := c.spreads[call]
		if s.ended {
			continue
		}
		for _, b := range s.branches {
			if b.state != answered && slices.Contains(m.Removed, b.to) {
				b.tried = append(b.tried, b.to)
				c.retry(e, s, b)
			}
		}
		c.finish(e, s)
	}
}

// take remembers a multicast, forgetting the oldest one that has ended.
func (c *Caster) take(s *spread) bool {
	if len(c.order) >= c.cfg.Calls && !c.forget() {
		return false
	}
	if s.from != c.cfg.Self {
		if c.perPeer[s.from] >= c.cfg.PerPeer {
			return false
		}
		c.perPeer[s.from]++
	}
	c.spreads[s.call] = s
	c.order = append(c.order, s.call)
	return true
}

func (c *Caster) forget() bool {
	for i, call := range c.order {
		if c.spreads[call].ended {
			delete(c.spreads, call)
			c.order = slices.Delete(c.order, i, i+1)
			return true
		}
	}
	return false
}
