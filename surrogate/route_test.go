package surrogate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/surrogate"
	"pgregory.net/rapid"
)

// tinyNodes draws distinct IDs of 8 bits.
var tinyNodes = rapid.Map(rapid.SliceOfNDistinct(rapid.Byte(), 1, 24, rapid.ID[byte]), func(bytes []byte) []idspace.ID {
	ids := make([]idspace.ID, len(bytes))
	for i, b := range bytes {
		ids[i] = idspace.ID{b}
	}
	return ids
})

var source = rapid.Custom(func(t *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
})

func TestEveryTinyKeyReachesItsRootFromEveryNode(t *testing.T) {
	for _, digitBits := range []int{2, 4} {
		space := newSpace(t, 8, digitBits)
		t.Run(fmt.Sprintf("radix%d", space.Radix()), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				net := newNetwork(space, tinyNodes.Draw(t, "nodes"), source.Draw(t, "rtt"))
				for b := range 256 {
					key := idspace.ID{byte(b)}
					want := surrogate.Root(space, net.nodes, key)
					for _, start := range net.nodes {
						if got, _ := net.route(t, start, key, surrogate.Skip{}); got != want {
							t.Fatalf("key %v from %v ends at %v, root is %v", key, start, got, want)
						}
					}
				}
			})
		})
	}
}

func TestExcludedNodesAreRoutedAsIfTheyDidNotExist(t *testing.T) {
	for _, digitBits := range []int{2, 4} {
		space := newSpace(t, 8, digitBits)
		t.Run(fmt.Sprintf("radix%d", space.Radix()), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				net := newNetwork(space, tinyNodes.Draw(t, "nodes"), source.Draw(t, "rtt"))
				excluded := rapid.SampledFrom(net.nodes).Draw(t, "excluded")
				others := slices.DeleteFunc(slices.Clone(net.nodes), func(id idspace.ID) bool { return id == excluded })
				skip := surrogate.Skip{Excluded: []idspace.ID{excluded}}
				for b := range 256 {
					key := idspace.ID{byte(b)}
					for _, start := range others {
						if got, _ := net.route(t, start, key, skip); got != surrogate.Root(space, others, key) {
							t.Fatalf("key %v from %v ends at %v", key, start, got)
						}
					}
				}
			})
		})
	}
}

func TestRandomHexKeysReachTheirRoot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := source.Draw(t, "network")
		nodes := randomIDs(r, rapid.IntRange(1, 40).Draw(t, "nodes"))
		net := newNetwork(idspace.Hex, nodes, r)
		for range 50 {
			// Keys that share digits with a node lead deep into the maps.
			key := randomID(r)
			like := nodes[r.IntN(len(nodes))]
			for l := range r.IntN(4) {
				key = idspace.Hex.WithDigit(key, l, idspace.Hex.Digit(like, l))
			}
			start := nodes[r.IntN(len(nodes))]
			if got, _ := net.route(t, start, key, surrogate.Skip{}); got != surrogate.Root(idspace.Hex, nodes, key) {
				t.Fatalf("key %v from %v ends at %v", key, start, got)
			}
		}
	})
}

func TestRootIsTheSmallestDelta(t *testing.T) {
	for _, digitBits := range []int{2, 4, 8} {
		space := newSpace(t, 8, digitBits)
		rapid.Check(t, func(t *rapid.T) {
			nodes, key := tinyNodes.Draw(t, "nodes"), idspace.ID{rapid.Byte().Draw(t, "key")}
			want := slices.MinFunc(nodes, func(a, b idspace.ID) int {
				return strings.Compare(deltaString(space, a, key), deltaString(space, b, key))
			})
			if got := surrogate.Root(space, nodes, key); got != want {
				t.Fatalf("root %v, want %v", got, want)
			}
		})
	}
	if got := surrogate.Root(idspace.Hex, nil, idspace.ID{1}); !got.IsZero() {
		t.Errorf("root of no nodes is %v", got)
	}
}

// thousand is the network that the paper tests share.
var thousand = sync.OnceValue(func() *network {
	r := rand.New(rand.NewPCG(1, 2))
	return newNetwork(idspace.Hex, randomIDs(r, 1000), r)
})

// JSAC §III-A: surrogate routing maps a key to a unique live node, wherever one starts.
func TestPaper_IIIA_SurrogateRootIsUnique(t *testing.T) {
	net, r := thousand(), rand.New(rand.NewPCG(3, 4))
	for range 20 {
		key := randomID(r)
		want := surrogate.Root(net.space, net.nodes, key)
		for _, start := range net.nodes {
			if got, _ := net.route(t, start, key, surrogate.Skip{}); got != want {
				t.Fatalf("key %v from %v ends at %v, root is %v", key, start, got, want)
			}
		}
	}
}

// JSAC §III-A: a message reaches its root in O(log_β N) hops; surrogate routing adds
// less than two.
func TestPaper_IIIA_HopsAreAboutLog16OfN(t *testing.T) {
	net, r := thousand(), rand.New(rand.NewPCG(3, 4))
	const routes = 20000
	total, most := 0, 0
	for range routes {
		_, hops := net.route(t, net.nodes[r.IntN(len(net.nodes))], randomID(r), surrogate.Skip{})
		total += hops
		most = max(most, hops)
	}
	mean, log := float64(total)/routes, math.Log(1000)/math.Log(16)
	t.Logf("%.3f hops on average, %d at most; log16(1000) = %.3f", mean, most, log)
	if math.Abs(mean-log) > 0.5 || most > 6 {
		t.Errorf("%.3f hops on average, %d at most; want about %.2f", mean, most, log)
	}
}

// JSAC §III-B: when a root fails, its keys map to another node; which one is known beforehand.
func TestPaper_IIIB_HeirsBecomeRootInTheirOrder(t *testing.T) {
	for _, digitBits := range []int{2, 4} {
		space := newSpace(t, 8, digitBits)
		rapid.Check(t, func(t *rapid.T) {
			nodes := rapid.Map(tinyNodes, func(n []idspace.ID) []idspace.ID { return n[:min(len(n), perSide)] }).Draw(t, "nodes")
			net := newNetwork(space, nodes, source.Draw(t, "rtt"))
			key, k := idspace.ID{rapid.Byte().Draw(t, "key")}, rapid.IntRange(0, 5).Draw(t, "k")
			root := surrogate.Root(space, nodes, key)
			heirs := net.tables[root].Heirs(key, k)
			left := slices.Clone(nodes)
			for _, heir := range heirs {
				left = slices.DeleteFunc(left, func(id idspace.ID) bool { return id == root })
				if root = surrogate.Root(space, left, key); root != heir {
					t.Fatalf("heirs %v: %v is next", heirs, root)
				}
			}
			if len(heirs) != min(k, len(nodes)-1) {
				t.Fatalf("%d heirs of %d among %d nodes", len(heirs), k, len(nodes))
			}
		})
	}
}
