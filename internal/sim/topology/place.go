package topology

import (
	"math/rand/v2"
	"time"
)

// The last mile of nodes that share a host, one way: a fixed part, and an
// exponential part up to a bound.
const (
	accessFixed = 200 * time.Microsecond
	accessMean  = 1300 * time.Microsecond
	accessMax   = 20 * time.Millisecond
)

// Placement puts nodes on hosts.
type Placement struct {
	delays Delays
	nodes  []placed
}

type placed struct {
	host   int32
	access int32 // in µs
}

// Place puts nodes, numbered from 0, on the hosts of d in an order drawn from seed.
// While there are hosts enough every node has its own, and the delays of the
// hosts stand as they are. With more nodes than hosts each host gets as many as
// any other, give or take one, and each node a delay of its own to its host, which
// lies between two nodes of one host too.
func Place(d Delays, nodes int, seed uint64) *Placement {
	rng := rand.New(rand.NewPCG(seed, 0x70_6c_61_63_65))
	p := &Placement{delays: d, nodes: make([]placed, nodes)}
	hosts := rng.Perm(d.Hosts())
	for i := range p.nodes {
		p.nodes[i].host = int32(hosts[i%len(hosts)])
		if nodes > len(hosts) {
			last := time.Duration(rng.ExpFloat64() * float64(accessMean))
			p.nodes[i].access = int32((accessFixed + min(last, accessMax)) / time.Microsecond)
		}
	}
	return p
}

// Nodes returns how many nodes were placed.
func (p *Placement) Nodes() int { return len(p.nodes) }

// Host returns the host of node i.
func (p *Placement) Host(i int) int { return int(p.nodes[i].host) }

// OneWay returns how long a message is under way from node i to node j.
func (p *Placement) OneWay(i, j int) time.Duration {
	if i == j {
		return 0
	}
	a, b := p.nodes[i], p.nodes[j]
	return p.delays.OneWay(int(a.host), int(b.host)) + time.Duration(a.access+b.access)*time.Microsecond
}

// RTT returns the round-trip time between nodes i and j.
func (p *Placement) RTT(i, j int) time.Duration { return p.OneWay(i, j) + p.OneWay(j, i) }
