package tournament

import (
	"fmt"
	"math"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
	"github.com/tapestry-dolr/tapestry/internal/sim/topology"
)

// loadSessions reads the sessions of as many nodes of the trace as there are to be.
func (c *contest) loadSessions() error {
	all, err := topology.LoadChurn(c.cfg.ChurnTrace)
	if err != nil {
		return err
	}
	up := false
	for _, s := range all {
		if s.Node < c.cfg.Nodes {
			c.sessions = append(c.sessions, s)
			up = up || s.Start <= 0 && s.End > 0
		}
	}
	if !up {
		return fmt.Errorf("%s: none of its first %d nodes is up at its start", c.cfg.ChurnTrace, c.cfg.Nodes)
	}
	return nil
}

// downAtFirst lists the nodes that the trace does not have up at its start.
func (c *contest) downAtFirst() (down []model.Addr) {
	if len(c.sessions) == 0 {
		return nil
	}
	up := map[int]bool{}
	for _, s := range c.sessions {
		up[s.Node] = up[s.Node] || s.Start <= 0
	}
	for node := c.protocol.Fixed; node < c.cfg.Nodes; node++ {
		if !up[node] {
			down = append(down, model.Addr(node))
		}
	}
	return down
}

// disturb lets happen what the scenario wants to happen to nodes: what goes on all the
// time at once, what has its moment as long after the warm-up.
func (c *contest) disturb() {
	if c.cfg.SessionMedian > 0 {
		for _, p := range c.stage.Live() {
			c.endSession(p.At)
		}
		c.arrivals()
	}
	for _, s := range c.sessions {
		c.session(s)
	}
	for _, k := range c.cfg.Kill {
		c.stage.After(c.cfg.Warmup+k.At, func() { c.takeDown(k.Share, c.crash) })
	}
	for _, l := range c.cfg.Leave {
		c.stage.After(c.cfg.Warmup+l.At, func() { c.takeDown(l.Share, c.leave) })
	}
	for _, j := range c.cfg.Join {
		c.stage.After(c.cfg.Warmup+j.At, func() {
			for range int(j.Share * float64(c.cfg.Nodes)) {
				c.newcomer()
			}
		})
	}
	for _, p := range c.cfg.Partition {
		c.partition(p.Share, c.cfg.Warmup+p.From, c.cfg.Warmup+p.To)
	}
	if c.cfg.Stall.Share > 0 {
		c.takeDown(c.cfg.Stall.Share, c.stall)
	}
}

// endSession draws how long a node stays.
func (c *contest) endSession(at model.Addr) {
	mean := float64(c.cfg.SessionMedian) / math.Ln2
	c.stage.After(time.Duration(c.stage.Rand().ExpFloat64()*mean), func() { c.crash(at) })
}

// arrivals brings new nodes, at the rate at which sessions end.
func (c *contest) arrivals() {
	mean := float64(c.cfg.SessionMedian) / math.Ln2 / float64(c.cfg.Nodes)
	c.stage.After(time.Duration(c.stage.Rand().ExpFloat64()*mean), func() {
		if !c.loading {
			return
		}
		if at := c.newcomer(); at != model.Nobody {
			c.endSession(at)
		}
		c.arrivals()
	})
}

// newcomer lets a new node join at a free place, Nobody if there is none.
func (c *contest) newcomer() model.Addr {
	if len(c.free) == 0 {
		return model.Nobody
	}
	i := c.stage.Rand().IntN(len(c.free))
	place := c.free[i]
	c.free[i] = c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	seeds := c.some(c.active(), 2)
	c.keys++
	p := c.stage.Add(idspace.Hash(fmt.Appendf(nil, "sim-%d-late-%d", c.cfg.Seed, c.keys)), place)
	c.stage.Join(p.At, seeds)
	return p.At
}

// crash takes a node down without a word, unless it is infrastructure.
func (c *contest) crash(at model.Addr) { c.remove(at, c.stage.Crash) }

func (c *contest) leave(at model.Addr) { c.remove(at, c.stage.Leave) }

func (c *contest) remove(at model.Addr, how func(model.Addr)) {
	if int(at) < c.protocol.Fixed || c.stage.Down(at) {
		return
	}
	c.tally.deaths++
	if len(c.sessions) == 0 {
		c.free = append(c.free, c.stage.Place(at))
	}
	how(at)
	c.abandon(at)
}

// takeDown does something to a share of the nodes.
func (c *contest) takeDown(share float64, do func(model.Addr)) {
	active := c.active()
	for _, p := range c.some(active, int(share*float64(len(active)))) {
		do(p.At)
	}
}

// partition cuts a share of the places off for a time.
func (c *contest) partition(share float64, from, to time.Duration) {
	c.stage.After(from, func() {
		order := c.stage.Rand().Perm(c.places.Nodes())
		off := make([]bool, len(order))
		for _, place := range order[:int(share*float64(len(order)))] {
			off[place] = true
		}
		c.stage.Partition(func(place int) bool { return off[place] })
	})
	c.stage.After(to, func() { c.stage.Partition(nil) })
}

// stall stops a node and lets it run, again and again.
func (c *contest) stall(at model.Addr) {
	span := func() time.Duration {
		return c.cfg.Stall.Min + time.Duration(c.stage.Rand().Int64N(int64(c.cfg.Stall.Max-c.cfg.Stall.Min)+1))
	}
	c.stage.After(span(), func() {
		if c.stage.Down(at) || !c.loading {
			return
		}
		d := span()
		c.stage.Stall(at, d)
		c.stage.After(d, func() { c.stall(at) })
	})
}

// session plays one session of a trace.
func (c *contest) session(s topology.Session) {
	at := model.Addr(s.Node)
	over := c.cfg.Warmup + c.cfg.Duration
	if begin := c.virtual(s.Start); begin > 0 && begin < over {
		c.stage.After(begin, func() {
			if c.stage.Down(at) {
				seeds := c.some(c.active(), 2)
				c.stage.Again(at)
				c.stage.Join(at, seeds)
			}
		})
	}
	if end := c.virtual(s.End); end > 0 && end < over {
		c.stage.After(end, func() { c.crash(at) })
	}
}

// virtual is when something of the trace happens.
func (c *contest) virtual(t time.Duration) time.Duration {
	return time.Duration(float64(t) / c.cfg.ChurnSpeedup)
}
