package surrogate_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

const (
	perSlot = 3
	perSide = 8
)

func newSpace(t testing.TB, idBits, digitBits int) idspace.Space {
	t.Helper()
	s, err := idspace.NewSpace(idBits, digitBits)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func randomID(r *rand.Rand) (id idspace.ID) {
	for i := 0; i < len(id); i += 4 {
		binary.BigEndian.PutUint32(id[i:], r.Uint32())
	}
	return id
}

func randomIDs(r *rand.Rand, n int) []idspace.ID {
	ids := make([]idspace.ID, n)
	for i := range ids {
		ids[i] = randomID(r)
	}
	return ids
}

// know returns the tables of self when it has been offered all of nodes, at random distances.
func know(space idspace.Space, self idspace.ID, nodes []idspace.ID, r *rand.Rand) *surrogate.Tables {
	t := &surrogate.Tables{
		Space: space, Self: self,
		Map:    neighbormap.New(space, self, perSlot),
		Leaves: leafset.New(self, perSide),
	}
	for _, id := range nodes {
		t.Map.Insert(neighbormap.Neighbor{ID: id, RTT: time.Duration(1 + r.IntN(100))})
	}
	ring := slices.Clone(nodes)
	if !slices.Contains(ring, self) {
		ring = append(ring, self)
	}
	slices.SortFunc(ring, idspace.Compare)
	at := slices.Index(ring, self)
	for i := range min(perSide, len(ring)) {
		t.Leaves.Insert(ring[(at+1+i)%len(ring)])
		t.Leaves.Insert(ring[(at-1-i+len(ring))%len(ring)])
	}
	return t
}

// network is a set of nodes with perfect tables: no hole in any map that a node could fill.
type network struct {
	space  idspace.Space
	nodes  []idspace.ID
	tables map[idspace.ID]*surrogate.Tables
}

func newNetwork(space idspace.Space, nodes []idspace.ID, r *rand.Rand) *network {
	n := &network{space: space, nodes: nodes, tables: map[idspace.ID]*surrogate.Tables{}}
	for _, self := range nodes {
		n.tables[self] = know(space, self, nodes, r)
	}
	return n
}

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// route follows Next from start until somebody says root, and returns that node and
// the number of hops. Every hop must bring δ closer to zero.
func (n *network) route(t fataler, start, key idspace.ID, skip surrogate.Skip) (root idspace.ID, hops int) {
	t.Helper()
	at := start
	for {
		hop := n.tables[at].Next(key, skip)
		switch {
		case hop.Rule == wire.Rule_RULE_ROOT && hop.To == at:
			return at, hops
		case hop.Wait || n.tables[hop.To] == nil:
			t.Fatalf("key %v at %v after %d hops: %+v", key, at, hops, hop)
		case !n.space.Closer(hop.To, at, key):
			t.Fatalf("key %v: the hop from %v to %v does not shrink δ", key, at, hop.To)
		}
		at = hop.To
		hops++
	}
}

// deltaString is the slow, obvious form of the surrogate distance.
func deltaString(s idspace.Space, v, k idspace.ID) string {
	out := make([]byte, s.Digits())
	for l := range out {
		out[l] = byte((int(s.Digit(v, l)) - int(s.Digit(k, l)) + s.Radix()) % s.Radix())
	}
	return string(out)
}
