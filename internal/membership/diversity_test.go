package membership_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/membership"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
	"pgregory.net/rapid"
)

const (
	crowdSide = 8
	crowdSlot = 3
)

// crowd is a member that candidates come to, each from the network before the first dot
// of its name.
type crowd struct {
	*envtest.Env
	member *membership.Member
	tables *surrogate.Tables
	links  *links.Table
}

// networkOf is the label of a node's network in these tests.
func networkOf(name string) string {
	network, _, _ := strings.Cut(name, ".")
	return network
}

func newCrowd(t testing.TB, group func(name string) string) *crowd {
	t.Helper()
	e := envtest.New("me")
	c := &crowd{Env: e, links: links.New(links.Config{Cap: 4096}.WithDefaults())}
	c.tables = &surrogate.Tables{
		Space: idspace.Hex, Self: e.Self,
		Map: neighbormap.New(idspace.Hex, e.Self, crowdSlot), Leaves: leafset.New(e.Self, crowdSide),
	}
	deps := membership.Deps{
		Tables: c.tables, Links: c.links, Own: envtest.Node("me", 1),
		Router: routing.New(routing.Config{}.WithDefaults(), c.tables, c.links),
	}
	if group != nil {
		deps.Group = func(id idspace.ID, _ *wire.SignedRecord) string { return group(c.Of(id)) }
	}
	m, err := membership.New(membership.Config{}.WithDefaults(), deps)
	if err != nil {
		t.Fatal(err)
	}
	c.member = m
	c.links.SetLifetime(time.Hour) // slots take backups
	m.OnJoin(c, &env.JoinRequest{Call: 1})
	return c
}

// arrive has a node call, and answer whatever probe it is sent.
func (c *crowd) arrive(name string, rtt time.Duration) {
	id := c.ID(name)
	c.links.Open(id).Mine = wire.Use_USE_LEAF
	c.links.Sample(id, rtt)
	c.member.OnHello(c, id, &wire.Hello{Record: envtest.Node(name, 1)})
	for range 2 { // measured first, if it is only wanted when it is near
		c.member.OnVerdict(c, &env.Verdict{Peer: id, For: env.Membership, Alive: true, RTT: rtt})
	}
	c.Drain()
}

// count is how many of ids are in a network.
func (c *crowd) count(ids []idspace.ID, network string) (n int) {
	for _, id := range ids {
		if networkOf(c.Of(id)) == network {
			n++
		}
	}
	return n
}

func (c *crowd) slots() (slots [][]idspace.ID) {
	for level := range c.tables.Map.Levels() {
		for d := range idspace.Digit(16) {
			var ids []idspace.ID
			for _, n := range c.tables.Map.Slot(level, d) {
				ids = append(ids, n.ID)
			}
			slots = append(slots, ids)
		}
	}
	return slots
}

func TestOneNetworkTakesNoMoreThanItsShareAway(t *testing.T) {
	c := newCrowd(t, networkOf)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 100 {
		c.arrive(fmt.Sprintf("net%d.node", i), time.Duration(50+rng.IntN(50))*time.Millisecond)
	}
	// Ten times as many, all of one network, all nearer than anybody.
	var evil []idspace.ID
	for i := range 1000 {
		name := fmt.Sprintf("evil.%d", i)
		c.arrive(name, time.Duration(1+rng.IntN(20))*time.Millisecond)
		evil = append(evil, c.ID(name))
	}
	for side, ids := range map[string][]idspace.ID{"clockwise": c.tables.Leaves.CW(), "counterclockwise": c.tables.Leaves.CCW()} {
		if len(ids) != crowdSide || c.count(ids, "evil") != crowdSide/2 {
			t.Errorf("%s: %d of %d are of one network, want half: %s", side, c.count(ids, "evil"), len(ids), c.List(ids))
		}
	}
	crowded := 0
	for _, slot := range c.slots() {
		if had := c.count(slot, "evil"); len(slot) == crowdSlot && had < crowdSlot {
			crowded++
		} else if had > 2 && c.others(slot[0], evil) >= crowdSlot {
			t.Errorf("a slot for which there were others is all of one network: %s", c.List(slot))
		}
	}
	if crowded < 10 {
		t.Errorf("only %d slots hold somebody else", crowded)
	}
	// Of the network's own, the nearest on the ring are there.
	slices.SortFunc(evil, func(a, b idspace.ID) int {
		return idspace.Compare(idspace.Clockwise(c.Self, a), idspace.Clockwise(c.Self, b))
	})
	for _, id := range evil[:crowdSide/2] {
		if !c.tables.Leaves.Has(id) {
			t.Errorf("%s is next on the ring and not in the leaf set", c.Of(id))
		}
	}
	if err := c.tables.Leaves.Check(); err != nil {
		t.Error(err)
	}
	if err := c.tables.Map.Check(); err != nil {
		t.Error(err)
	}
}

// others is how many of the diverse nodes belong into the slot of id.
func (c *crowd) others(id idspace.ID, evil []idspace.ID) (n int) {
	level := idspace.Hex.CommonPrefix(c.Self, id)
	for i := range 100 {
		if idspace.Hex.CommonPrefix(c.ID(fmt.Sprintf("net%d.node", i)), id) > level {
			n++
		}
	}
	return n
}

// With one network for all, or none for anybody, the tables are what they are without any;
// and whatever the networks, nobody is kept out of a hole.
func TestLabelsChangeNothingWhereThereIsNoChoice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		one := newCrowd(t, func(string) string { return "one" })
		none := newCrowd(t, func(string) string { return "" })
		plain := newCrowd(t, nil)
		some := newCrowd(t, networkOf)
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, 400), 0, 150).Draw(rt, "nodes") {
			name := fmt.Sprintf("%d.%d", i%3, i)
			rtt := time.Duration(1+i*7919%97) * time.Millisecond
			for _, c := range []*crowd{one, none, plain, some} {
				c.arrive(name, rtt)
			}
			if some.tables.Map.FillsHole(some.ID(name)) {
				rt.Fatalf("%s is kept out of a hole", name)
			}
			if !slices.Equal(some.tables.Leaves.All(), plain.tables.Leaves.All()) && plain.tables.Leaves.Len() < 2*crowdSide {
				rt.Fatalf("%s is kept out of a leaf set that is not full", name)
			}
		}
		for _, c := range []*crowd{one, none} {
			if !slices.Equal(c.tables.Leaves.All(), plain.tables.Leaves.All()) || !slices.Equal(c.tables.Map.All(), plain.tables.Map.All()) {
				rt.Fatalf("leaves %s, without labels %s", c.List(c.tables.Leaves.All()), plain.List(plain.tables.Leaves.All()))
			}
		}
	})
}

// TestASlotThatTakesFewerNowKeepsItsTables: slots with more than they would take, in an overlay
// whose neighbors no longer last, give one for each that is nearer, and heartbeat is told.
func TestASlotThatTakesFewerNowKeepsItsTables(t *testing.T) {
	c := newCrowd(t, networkOf)
	rng := rand.New(rand.NewPCG(2, 2))
	for i := range 200 {
		c.arrive(fmt.Sprintf("net%d.node%d", i%7, i), time.Duration(50+rng.IntN(50))*time.Millisecond)
	}
	full := c.tables.Map.Len()
	c.tables.Map.Bound(1)
	for i := range 400 {
		name := fmt.Sprintf("net%d.later%d", i%3, i)
		id, rtt := c.ID(name), time.Duration(1+rng.IntN(80))*time.Millisecond
		c.links.Open(id).Mine = wire.Use_USE_SPARE
		c.links.Sample(id, rtt)
		c.member.OnNamed(c, &env.Named{Record: envtest.Node(name, 1)})
		c.member.OnVerdict(c, &env.Verdict{Peer: id, For: env.Membership, Alive: true, RTT: rtt})
		c.Drain()
		if err := c.member.Check(); err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
	}
	if n := c.tables.Map.Len(); n < full {
		t.Errorf("%d neighbors of %d are left, and nobody has gone", n, full)
	}
}
