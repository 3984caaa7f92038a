package membership

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// correspondent is a member that writes down the lists it sends.
type correspondent struct {
	*village
	leaves []*wire.LeafSet
	rows   []*wire.Row
}

func (c *correspondent) Send(_ idspace.ID, m wire.Message) {
	switch m := m.(type) {
	case *wire.LeafSet:
		c.leaves = append(c.leaves, m)
	case *wire.Row:
		c.rows = append(c.rows, m)
	}
}

// newCorrespondent knows the named ones.
func newCorrespondent(t *testing.T, names ...string) *correspondent {
	c := &correspondent{village: newVillage(t, 4, 3)}
	for _, name := range names {
		c.meet(name)
	}
	return c
}

func (c *correspondent) meet(name string) {
	id := c.ID(name)
	c.member.OnHello(c, id, &wire.Hello{Record: envtest.Node(name, 1)})
	c.links.Open(id).Mine = wire.Use_USE_SPARE
	c.links.Sample(id, 10*time.Millisecond)
	c.member.gate.probing[id] = wire.Use_USE_SPARE
	c.member.OnVerdict(c, &env.Verdict{Peer: id, For: env.Membership, Alive: true, RTT: 10 * time.Millisecond})
	c.leaves, c.rows = nil, nil
}

// hears has the peer send its leaf set, which holds names, and say what it has of this
// node's; it returns the answer.
func (c *correspondent) hears(peer string, have uint32, names ...string) *wire.LeafSet {
	var refs []byte
	for _, name := range names {
		refs = wire.AppendRef(refs, wire.RefTo(c.ID(name), 1))
	}
	c.leaves = nil
	c.member.OnLeafSet(c, c.ID(peer), &wire.LeafSet{Refs: refs, WantReply: true, Digest: wire.Digest(refs), Have: have})
	return c.leaves[0]
}

func TestAListThatTheOtherHasIsNotSentAgain(t *testing.T) {
	c := newCorrespondent(t, "amy", "bob")
	first := c.hears("amy", 0, "bob")
	if !first.Whole() || len(wire.Refs(first.Refs)) != 2 {
		t.Errorf("the first answer is %s", wire.Describe(first))
	}
	second := c.hears("amy", first.Digest, "bob")
	if second.Whole() || len(second.Refs) > 0 || second.Digest != first.Digest {
		t.Errorf("the second answer is %s", wire.Describe(second))
	}
	if second.Have != wire.Digest(wire.AppendRef(nil, wire.RefTo(c.ID("bob"), 1))) {
		t.Error("it does not say that it has the other's list")
	}
	c.meet("cid")
	if third := c.hears("amy", first.Digest, "bob"); !third.Whole() || len(wire.Refs(third.Refs)) != 3 {
		t.Errorf("after a change the answer is %s", wire.Describe(third))
	}
}

func TestAListThatWasLostIsSentAgain(t *testing.T) {
	c := newCorrespondent(t, "amy", "bob")
	c.hears("amy", 0, "bob")
	if again := c.hears("amy", 0, "bob"); !again.Whole() {
		t.Errorf("to one who has nothing the answer is %s", wire.Describe(again))
	}
}

// The asker learns from the answer that the other lacks what it was told by digest alone.
func TestADigestOfWhatTheOtherLacksIsFollowedByTheList(t *testing.T) {
	c := newCorrespondent(t, "amy")
	amy := c.ID("amy")
	own := c.hears("amy", 0).Digest
	c.hears("amy", own)
	c.leaves = nil
	c.member.exchangeLeaves(c)
	if len(c.leaves) != 1 || c.leaves[0].Whole() || !c.leaves[0].WantReply {
		t.Fatalf("it asks with %v", c.leaves)
	}
	c.member.OnLeafSet(c, amy, &wire.LeafSet{Digest: wire.Digest(nil), Have: 0})
	if len(c.leaves) != 2 || !c.leaves[1].Whole() || c.leaves[1].WantReply {
		t.Fatalf("it goes on with %v", c.leaves[1:])
	}
	c.member.OnLeafSet(c, amy, &wire.LeafSet{Digest: wire.Digest(nil), Have: 0})
	if len(c.leaves) != 2 {
		t.Error("what was not asked for is answered, without end")
	}
}

// Who lost somebody wants to be named candidates again, though the other's list is as before.
func TestWhoLostSomebodyHasNothing(t *testing.T) {
	c := newCorrespondent(t, "amy", "bob", "cid")
	own := c.hears("amy", 0, "bob").Digest
	if a := c.hears("amy", own, "bob"); a.Have == 0 {
		t.Error("it has taken the list and says that it has not")
	}
	bob := c.ID("bob")
	c.links.Close(bob)
	c.member.OnDown(c, &env.Down{Peer: bob, Why: env.Dead})
	c.leaves = nil
	c.member.OnLeafSet(c, c.ID("amy"), &wire.LeafSet{WantReply: true, Digest: wire.Digest(wire.AppendRef(nil, wire.RefTo(bob, 1)))})
	if a := c.leaves[0]; a.Have != 0 {
		t.Error("it claims to have a list that it took before it lost somebody")
	}
}

// A list with strangers in it, whose records were asked for, is wanted again: they may be lost.
func TestAListIsNotTakenBeforeItsStrangersAreKnown(t *testing.T) {
	c := newCorrespondent(t, "amy")
	if a := c.hears("amy", 0, "stranger"); a.Have != 0 {
		t.Error("it has taken a list whose records have not come")
	}
}

func TestRowsAreExchangedLikeLeafSets(t *testing.T) {
	c := newCorrespondent(t, "amy", "bob", "cid", "dan")
	amy := c.ID("amy")
	level := uint32(idspace.Hex.CommonPrefix(c.Self, amy))
	ask := func(have uint32) *wire.Row {
		c.rows = nil
		c.member.OnRow(c, amy, &wire.Row{Level: level, WantReply: true, Digest: wire.Digest(nil), Have: have})
		return c.rows[0]
	}
	first := ask(0)
	if second := ask(first.Digest); !first.Whole() || second.Whole() || second.Have != wire.Digest(nil) {
		t.Errorf("answers %s, %s", wire.Describe(first), wire.Describe(second))
	}
	c.rows = nil
	c.member.OnRow(c, amy, &wire.Row{Level: level + 1, WantReply: true})
	if r := c.rows[0]; r.Digest != 0 {
		t.Error("rows of another level than the peer's are remembered")
	}
}

func TestStrangersMakeNobodyRemember(t *testing.T) {
	c := newCorrespondent(t, "amy")
	if a := c.hears("zoe", 7); a.Have != 0 || len(c.member.swaps) > 1 {
		t.Errorf("%d peers are remembered", len(c.member.swaps))
	}
	c.links.Close(c.ID("amy"))
	c.member.forgetSwaps()
	if len(c.member.swaps) > 0 {
		t.Error("who has no link any more is remembered")
	}
}

// Design §6: 4 s, stretching to 12 s when calm; lengthened on loss.
func TestExchangesAreLessFrequentWhenNothingChangesOrNobodyAnswers(t *testing.T) {
	const period = 4 * time.Second
	now := mono.Time(time.Hour)
	for _, tc := range []struct {
		quiet  time.Duration
		missed int
		want   time.Duration
	}{
		{0, 0, period}, {calm / 2, 0, period * 3 / 2}, {calm, 0, 2 * period}, {time.Hour - 1, 0, 3 * period},
		{0, 1, 2 * period}, {0, 2, 3 * period}, {0, 3, 3 * period}, {calm, 1, 2 * period},
	} {
		u := upkeep{changed: now.Add(-tc.quiet), missed: tc.missed}
		if got := u.stretch(now, period, 3); got != tc.want {
			t.Errorf("after %v of calm and %d unanswered: %v, want %v", tc.quiet, tc.missed, got, tc.want)
		}
	}
}

func TestUnansweredExchangesAreCountedUntilOneIsAnswered(t *testing.T) {
	c := newCorrespondent(t, "amy")
	for range 3 {
		c.member.exchangeLeaves(c)
	}
	if n := c.member.lists[leafList].missed; n != 2 {
		t.Errorf("%d counted, want the two before the last", n)
	}
	c.member.OnLeafSet(c, c.ID("amy"), &wire.LeafSet{})
	c.member.exchangeLeaves(c)
	if n := c.member.lists[leafList].missed; n != 0 {
		t.Errorf("%d counted after an answer", n)
	}
}
