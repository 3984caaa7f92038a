package topology

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// The shape of a generated network, after the transit-stub graphs of GT-ITM
// (Zegura, Calvert, Bhattacharjee, INFOCOM 1996), on which JSAC §V and Bamboo [4]
// were simulated. The delays are set so that round trips are spread like those
// measured between PlanetLab's hosts: median about 150 ms, a tenth above 270 ms,
// with some pairs below 2 ms, where a stretch is hardest to keep small.
const (
	domains        = 8   // transit domains: the backbones of regions
	transitRouters = 12  // of each
	planeSide      = 100 // ms: domains lie on a plane of this side
	domainSpread   = 6   // ms: standard deviation of routers around their domain
	detour         = 1.2 // a line is this much longer than the distance it bridges
	hostsPerStub   = 12  // mean: a stub domain is a site, a campus or an access network
	stubRouters    = 4   // of each stub domain
)

// TransitStubNet is a generated network: hosts at stub domains, stub domains at
// routers of transit domains. A path leaves its stub through the gateway, crosses
// the backbones by the shortest way, and enters the other stub; stubs have no
// other lines, so the triangle inequality holds.
//
// Its memory grows with the hosts, not with their pairs.
type TransitStubNet struct {
	backbone [][]int32 // µs between transit routers, shortest path
	stubs    []stub
	hosts    []stubHost
}

type stub struct {
	transit int32                           // its router in the backbone
	uplink  int32                           // µs from its gateway, router 0, to there
	inside  [stubRouters][stubRouters]int32 // µs between its routers, shortest path
}

type stubHost struct {
	stub   int32
	router int32
	access int32 // µs to its router
}

// TransitStub generates a network of that many hosts from seed.
func TransitStub(hosts int, seed uint64) *TransitStubNet {
	rng := rand.New(rand.NewPCG(seed, 0x74_72_61_6e_73_69_74))
	n := &TransitStubNet{
		backbone: backbone(rng),
		stubs:    make([]stub, max(1, hosts/hostsPerStub)),
		hosts:    make([]stubHost, hosts),
	}
	for i := range n.stubs {
		n.stubs[i] = newStub(rng)
	}
	for i := range n.hosts {
		n.hosts[i] = stubHost{
			stub:   int32(rng.IntN(len(n.stubs))),
			router: int32(rng.IntN(stubRouters)),
			access: between(rng, 50, 500),
		}
	}
	return n
}

// Hosts returns how many hosts were asked for.
func (n *TransitStubNet) Hosts() int { return len(n.hosts) }

// OneWay adds up the path's parts; both directions take the same path.
func (n *TransitStubNet) OneWay(a, b int) time.Duration {
	if a == b {
		return 0
	}
	from, to := &n.hosts[a], &n.hosts[b]
	us := from.access + to.access
	s, t := &n.stubs[from.stub], &n.stubs[to.stub]
	if s == t {
		us += s.inside[from.router][to.router]
	} else {
		us += s.inside[from.router][0] + s.uplink + n.backbone[s.transit][t.transit] + t.uplink + t.inside[0][to.router]
	}
	return time.Duration(us) * time.Microsecond
}

// newStub draws a stub domain: a chain of routers with one line more, so that its
// routers lie at different depths behind the gateway.
func newStub(rng *rand.Rand) stub {
	s := stub{
		transit: int32(domainOf(rng.Float64())*transitRouters + rng.IntN(transitRouters)),
		uplink:  between(rng, 500, 5000),
	}
	net := newGraph(stubRouters)
	for i := 1; i < stubRouters; i++ {
		net.connect(i, rng.IntN(i), between(rng, 100, 800))
	}
	net.connect(rng.IntN(stubRouters), rng.IntN(stubRouters), between(rng, 100, 800))
	net.shorten()
	for i, row := range net {
		copy(s.inside[i][:], row)
	}
	return s
}

// domainOf picks a transit domain by a number drawn from [0, 1): domain d has a share
// that goes as 1/(d+2), for the hosts of the world are not spread evenly either.
func domainOf(u float64) int {
	sum := 0.0
	for d := range domains {
		sum += 1 / float64(d+2)
	}
	d := 0
	for left := u * sum; d < domains-1; d++ {
		if left -= 1 / float64(d+2); left < 0 {
			break
		}
	}
	return d
}

// backbone draws the transit domains and returns the delays between all their
// routers: each router has a line to the next two of its domain that are nearest,
// each domain one to the two nearest domains and to a random one.
func backbone(rng *rand.Rand) graph {
	places := make([]point, domains*transitRouters)
	centers := make([]point, domains)
	for d := range centers {
		centers[d] = point{float32(rng.Float64() * planeSide), float32(rng.Float64() * planeSide)}
		for r := range transitRouters {
			places[d*transitRouters+r] = point{
				centers[d].x + float32(rng.NormFloat64()*domainSpread),
				centers[d].y + float32(rng.NormFloat64()*domainSpread),
			}
		}
	}
	net := newGraph(len(places))
	line := func(a, b int) { net.connect(a, b, int32(1000*detour*places[a].distance(places[b]))+100) }
	for d := range centers {
		first := d * transitRouters
		for r := 1; r < transitRouters; r++ { // to one before it: a domain is connected
			earlier := nearest(places[first:first+r], places[first+r])
			line(first+r, first+earlier[0])
			if len(earlier) > 1 {
				line(first+r, first+earlier[1])
			}
		}
		router := func(domain int) int { return domain*transitRouters + rng.IntN(transitRouters) }
		if d > 0 { // to the nearest before it: the domains are connected
			line(router(d), router(nearest(centers[:d], centers[d])[0]))
		}
		for _, e := range nearest(centers, centers[d])[1:3] {
			line(router(d), router(e))
		}
		if far := rng.IntN(domains); far != d {
			line(router(d), router(far))
		}
	}
	net.shorten()
	return net
}

// nearest returns the indices of points, the nearest to p first.
func nearest(points []point, p point) []int {
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Compare(p.distance(points[i]), p.distance(points[j]))
	})
	return order
}

// between draws from low to high, in µs.
func between(rng *rand.Rand, low, high int32) int32 { return low + rng.Int32N(high-low+1) }
