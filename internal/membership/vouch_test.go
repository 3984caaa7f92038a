package membership

import (
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// ring lists amy, bob, cid, dan and eve in the order of the ring from this node up.
func (c *correspondent) ring() []string {
	names := []string{"amy", "bob", "cid", "dan", "eve"}
	slices.SortFunc(names, func(a, b string) int {
		return idspace.Compare(idspace.Clockwise(c.Self, c.ID(a)), idspace.Clockwise(c.Self, c.ID(b)))
	})
	return names
}

// claims is a leaf set of the named, of whom the sender claims so many.
func (c *correspondent) claims(up, down uint32, names ...string) *wire.LeafSet {
	s := &wire.LeafSet{Up: up, Down: down}
	for _, name := range names {
		s.Refs = wire.AppendRef(s.Refs, wire.RefTo(c.ID(name), 1))
	}
	s.Digest = wire.Digest(s.Refs)
	return s
}

// brief is claims by digest alone.
func (c *correspondent) brief(up, down uint32, names ...string) *wire.LeafSet {
	s := c.claims(up, down, names...)
	s.Refs = nil
	return s
}

func TestLeafSetsVouchForTheCoveredSpan(t *testing.T) {
	c := newCorrespondent(t)
	ring := c.ring()
	first, second, third, fourth := ring[0], ring[1], ring[2], ring[3]
	for _, name := range []string{first, second, fourth} {
		c.meet(name)
	}
	leaves := c.member.tables.Leaves
	for _, step := range []struct {
		what string
		from string
		list *wire.LeafSet
		up   int
	}{
		{"one that is no member claims nothing", first, c.claims(0, 0, "me", second), 0},
		{"the next one knows nobody between", first, c.claims(1, 1, "me", second), 1},
		{"its span reaches one farther", first, c.claims(2, 1, "me", second), 2},
		{"a stranger is named before the last", second, c.claims(3, 1, "me", first, third, fourth), 2},
		{"and is not any more", second, c.claims(2, 1, "me", first, fourth), 3},
		{"a digest alone claims what its list does", second, c.brief(3, 1, "me", first, fourth), 3},
		{"the stranger again", fourth, c.claims(1, 1, "me", first, third), 2},
	} {
		c.member.OnLeafSet(c, c.ID(step.from), step.list)
		if up, _ := leaves.Span(); up != step.up {
			t.Fatalf("%s: %d are covered, want %d", step.what, up, step.up)
		}
	}
	c.member.OnDown(c, &env.Down{Peer: c.ID(first), Why: env.Dead})
	if up, _ := leaves.Span(); up != 1 {
		t.Errorf("when the first has died %d are covered, want 1", up)
	}
	c.member.OnDown(c, &env.Down{Peer: c.ID(second), Why: env.Unlinked})
	if up, _ := leaves.Span(); up != 0 {
		t.Errorf("when the next is let go alive %d are covered", up)
	}
}

// listener writes down what membership posts to the witness and to heartbeat.
type listener struct {
	*village
	probed []idspace.ID
	judged []env.Judged
	hints  []*env.Hints
}

func (l *listener) Post(m env.Local) {
	switch m := m.(type) {
	case *env.Probe:
		l.probed = append(l.probed, m.Peer)
	case *env.Judged:
		l.judged = append(l.judged, *m)
	case *env.Hints:
		l.hints = append(l.hints, m)
	}
	l.village.Post(m)
}

func TestWhoIsNamedByAWitnessGoesThroughTheGate(t *testing.T) {
	l := &listener{village: newVillage(t, 4, 3)}
	for _, name := range []string{"amy", "bob"} {
		l.member.OnNamed(l, &env.Named{Record: envtest.Node(name, 1)})
		l.member.OnNamed(l, &env.Named{Record: envtest.Node(name, 1)})
	}
	if len(l.probed) != 2 || len(l.judged) > 0 {
		t.Fatalf("probed %v, judged %v", l.probed, l.judged)
	}
	l.links.Open(l.ID("amy"))
	l.member.OnVerdict(l, &env.Verdict{Peer: l.ID("amy"), For: env.Membership, Alive: true, RTT: time.Millisecond})
	l.member.OnVerdict(l, &env.Verdict{Peer: l.ID("bob"), For: env.Membership})
	l.member.OnNamed(l, &env.Named{Record: envtest.Node("amy", 1)})
	l.member.OnNamed(l, &env.Named{Record: envtest.Node("bob", 1)})
	want := []env.Judged{{Peer: l.ID("amy"), Alive: true}, {Peer: l.ID("bob")}, {Peer: l.ID("amy"), Alive: true}, {Peer: l.ID("bob")}}
	if !slices.Equal(l.judged, want) || len(l.probed) != 2 {
		t.Errorf("judged %v, want %v; probed %v", l.judged, want, l.probed)
	}
	if !l.member.holds(l.ID("amy")) || l.member.holds(l.ID("bob")) {
		t.Error("the living one is not in the tables, or the dead one is")
	}
}

// Who lies on somebody's span and is not named there is looked after, though nobody says that it is dead.
func TestWhoIsNotNamedWhereItWouldBeIsLookedAfter(t *testing.T) {
	c := newCorrespondent(t)
	ring := c.ring()
	first, second, third := ring[0], ring[1], ring[2]
	for _, name := range ring[:3] {
		c.meet(name)
	}
	l := &listener{village: c.village}
	for _, step := range []struct {
		what   string
		list   *wire.LeafSet
		denied []string
	}{
		{"all are named", c.claims(3, 1, "me", second, third), nil},
		{"one is not", c.claims(2, 1, "me", third), []string{second}},
		{"nor is it where nothing is claimed", c.claims(1, 1, "me", third), nil},
		{"by who is no member", c.claims(0, 0, "me", third), nil},
	} {
		l.hints = nil
		l.member.OnLeafSet(l, c.ID(first), step.list)
		var denied []string
		for _, h := range l.hints {
			for _, r := range wire.Refs(h.Refs) {
				denied = append(denied, c.Of(l.member.book.resolve(r).id))
			}
			if h.From != c.ID(first) || !h.Silent {
				t.Errorf("%s: %+v", step.what, h)
			}
		}
		if !slices.Equal(denied, step.denied) {
			t.Errorf("%s: %v are looked after, want %v", step.what, denied, step.denied)
		}
	}
}

// Who was given up, as dead or as out of reach, and answers all the same is a candidate again.
func TestALateAnswerLiftsWhatWasConcludedFromSilence(t *testing.T) {
	for _, by := range []string{"-", "amy"} {
		l := &listener{village: newVillage(t, 4, 3)}
		for _, name := range []string{"amy", "bob"} {
			l.member.OnNamed(l, &env.Named{Record: envtest.Node(name, 1)})
		}
		bob, silent := l.ID("bob"), &env.Verdict{Peer: l.ID("bob"), For: env.Membership, By: l.ID(by)}
		l.links.Open(l.ID("amy"))
		l.member.OnVerdict(l, &env.Verdict{Peer: l.ID("amy"), For: env.Membership, Alive: true, RTT: time.Millisecond})
		l.member.OnVerdict(l, silent)
		l.probed = nil
		l.member.consider(l, bob)
		if len(l.probed) > 0 {
			t.Fatalf("silent, reached by %s: probed on hearsay", by)
		}
		l.member.OnMet(l, &env.Verdict{Peer: bob, For: env.Heartbeat, Alive: true})
		if !slices.Equal(l.probed, []idspace.ID{bob}) {
			t.Errorf("silent, reached by %s, and answers: probed %v", by, l.probed)
		}
	}
}
