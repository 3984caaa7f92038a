package membership

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
	"pgregory.net/rapid"
)

// fataler is a test of either kind.
type fataler interface{ Fatal(args ...any) }

// village is a member among nodes that come, go and turn out nearer or farther, and what
// heartbeat knows from the uses that it was told.
type village struct {
	*envtest.Env
	member *Member
	links  *links.Table
	known  map[idspace.ID]env.Use
}

func (v *village) Post(m env.Local) {
	if u, ok := m.(*env.Use); ok {
		if u.Use == wire.Use_USE_NONE {
			delete(v.known, u.Peer)
		} else {
			v.known[u.Peer] = *u
		}
	}
}

func newVillage(tb fataler, side, slot int) *village {
	e := envtest.New("me")
	v := &village{Env: e, links: links.New(links.Config{}.WithDefaults()), known: make(map[idspace.ID]env.Use)}
	tables := &surrogate.Tables{
		Space: idspace.Hex, Self: e.Self,
		Map: neighbormap.New(idspace.Hex, e.Self, slot), Leaves: leafset.New(e.Self, side),
	}
	m, err := New(Config{}.WithDefaults(), Deps{
		Tables: tables, Links: v.links, Own: envtest.Node("me", 1),
		Router: routing.New(routing.Config{}.WithDefaults(), tables, v.links),
	})
	if err != nil {
		tb.Fatal(err)
	}
	v.member = m
	m.phase = Active
	return v
}

func (v *village) anyName(t *rapid.T) string {
	return fmt.Sprintf("n%d", rapid.IntRange(0, 60).Draw(t, "node"))
}

// come has a node pass the gate.
func (v *village) come(t *rapid.T) {
	name := v.anyName(t)
	id := v.ID(name)
	if v.member.holds(id) {
		return
	}
	rtt := time.Duration(rapid.IntRange(1, 40).Draw(t, "ms")) * time.Millisecond
	v.member.OnHello(v, id, &wire.Hello{Record: envtest.Node(name, 1)})
	v.links.Open(id).Mine = wire.Use_USE_SPARE
	v.links.Sample(id, rtt)
	v.member.gate.probing[id] = wire.Use_USE_SPARE
	v.member.OnVerdict(v, &env.Verdict{Peer: id, For: env.Membership, Alive: true, RTT: rtt})
	v.release()
}

func (v *village) leave(t *rapid.T) {
	id := v.ID(v.anyName(t))
	v.links.Close(id)
	v.member.OnDown(v, &env.Down{Peer: id, Why: rapid.SampledFrom([]env.DownReason{env.Dead, env.Left, env.Unlinked}).Draw(t, "why")})
	v.release()
}

// measure changes the distance of a neighbor, which the next exchange of rows notices.
func (v *village) measure(t *rapid.T) {
	id := v.ID(v.anyName(t))
	for range 30 {
		v.links.Sample(id, time.Duration(rapid.IntRange(1, 40).Draw(t, "ms"))*time.Millisecond)
	}
	v.member.exchangeRow(v)
	v.release()
}

func (v *village) suspect(t *rapid.T) {
	id := v.ID(v.anyName(t))
	if rapid.Bool().Draw(t, "suspect") {
		v.member.OnSuspect(v, &env.Suspect{Peer: id})
	} else {
		v.member.OnUp(v, &env.Up{Peer: id})
	}
}

// release closes, as heartbeat does, the links that nobody uses.
func (v *village) release() {
	for _, l := range append([]*links.Link(nil), v.links.All()...) {
		if _, used := v.known[l.ID]; !used {
			v.links.Close(l.ID)
		}
	}
	v.Drain()
}

// What settle keeps up to date by looking only at who has moved is what looking at
// everybody gives.
func TestSettlingWhoMovedIsSettlingEverybody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := newVillage(t, rapid.IntRange(1, 4).Draw(t, "side"), rapid.IntRange(1, 3).Draw(t, "slot"))
		t.Repeat(map[string]func(*rapid.T){
			"come": v.come, "come2": v.come, "leave": v.leave, "measure": v.measure, "suspect": v.suspect,
			"": func(t *rapid.T) { v.check(t) },
		})
	})
}

func (v *village) check(t *rapid.T) {
	if err := v.member.Check(); err != nil {
		t.Fatal(err)
	}
	uses := v.member.uses()
	for _, u := range uses {
		if v.known[u.Peer] != u {
			t.Fatalf("%s is used as %v, heartbeat was told %v", v.Of(u.Peer), u, v.known[u.Peer])
		}
	}
	if len(uses) != len(v.known) {
		t.Fatalf("heartbeat was told of %d, %d are in the tables", len(v.known), len(uses))
	}
}
