package tree_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/tree"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// a dozen nodes, and the names of many objects.
func dozen(t *testing.T) (n *net, objects []string) { return dozenWith(t, pointers.Limits{}) }

func dozenWith(t *testing.T, limits pointers.Limits) (n *net, objects []string) {
	n = newNet(t, idspace.Hex, 5)
	n.large, n.limits = true, limits
	for i := range 12 {
		n.join(fmt.Sprintf("n%d", i), time.Duration(10+3*i)*time.Millisecond)
	}
	n.run(3 * time.Second)
	for i := range 400 {
		objects = append(objects, fmt.Sprint("object ", i))
	}
	return n, objects
}

// TestABatchIsKnownToHaveArrived serves a batch, and says as much as soon as each object lies at all of its roots.
func TestABatchIsKnownToHaveArrived(t *testing.T) {
	n, objects := dozen(t)
	clear(n.sent)
	n.hosts[0].publishBatch(objects, false)
	n.run(time.Second)
	if v := *n.hosts[0].verdicts[1]; v.placed != roots*len(objects) || v.missing != 0 {
		t.Fatalf("after a second %+v", v)
	}
	if deposits := n.sent[wire.KindDeposit.String()]; deposits > len(objects) {
		t.Errorf("%d deposits for %d objects", deposits, len(objects))
	}
	n.run(5 * time.Second)
	n.demand(t)
	n.hosts[0].publishBatch(objects[:100], true)
	n.run(5 * time.Second)
	if v := *n.hosts[0].verdicts[2]; v.placed != roots*100 {
		t.Errorf("taken back %+v", v)
	}
	n.demand(t)
	n.demandVerdicts(n.hosts[0])
}

// TestABatchIsRenewedByItsHeaderAlone signs a batch anew: within a second all holders have the new header, which went once over each
// link, and no object with it.
func TestABatchIsRenewedByItsHeaderAlone(t *testing.T) {
	n, objects := dozen(t)
	h := n.hosts[0]
	h.publishBatch(objects, false)
	n.run(5 * time.Second)
	clear(n.sent)
	before := n.bytes[wire.KindDeposit.String()]
	h.renewBatch(h.batches[0])
	n.run(time.Second)
	n.demand(t)
	deposits, bytes := n.sent[wire.KindDeposit.String()], n.bytes[wire.KindDeposit.String()]-before
	t.Logf("%d deposits of %d bytes for %d objects", deposits, bytes, len(objects))
	if links := len(n.hosts) * (len(n.hosts) - 1); deposits > links || bytes > 700*deposits {
		t.Errorf("%d deposits of %d bytes over %d links", deposits, bytes, links)
	}
	if p := n.hosts[3].store.At(0); p.Sequence().Counter != 2 || p.Expires() < h.net.now.Add(recordS*time.Second-2*time.Second) {
		t.Errorf("held on as %v until %v", p, p.Expires())
	}
}

// TestAServerIsIntroducedOnce publishes one object after the other: that its record is left out of the deposits once it is known saves a
// fifth of their bytes, and who has lost everything meanwhile is told again.
func TestAServerIsIntroducedOnce(t *testing.T) {
	n, objects := dozen(t)
	h := n.hosts[0]
	each := func(objects []string) int {
		before, deposits := n.bytes[wire.KindDeposit.String()], n.sent[wire.KindDeposit.String()]
		for _, object := range objects {
			h.publishBatch([]string{object, object + " too"}, false)
			n.run(3 * time.Second)
		}
		return (n.bytes[wire.KindDeposit.String()] - before) / (n.sent[wire.KindDeposit.String()] - deposits)
	}
	first, then := each(objects[:1]), each(objects[1:30])
	t.Logf("%d bytes of a deposit before the server is known, %d after", first, then)
	if then > first*4/5 {
		t.Errorf("deposits of %d bytes, of %d at first", then, first)
	}
	for _, o := range n.hosts[1:4] { // they forget, and nobody knows
		for o.store.Len() > 0 {
			o.store.TakeOff(o.store.At(o.store.Len() - 1).Laid()[0])
		}
		o.store.Emptied()
	}
	each(objects[30:40])
	n.run(2 * lease.Period)
	n.demand(t)
}

// TestARenewalThatGetsLostIsFoundOut loses half of all messages while a batch is renewed: those who have missed it ask for the header,
// not for the objects.
func TestARenewalThatGetsLostIsFoundOut(t *testing.T) {
	n, objects := dozen(t)
	h := n.hosts[0]
	h.publishBatch(objects, false)
	n.run(5 * time.Second)
	before := n.bytes[wire.KindDeposit.String()]
	n.loss = 0.5
	h.renewBatch(h.batches[0])
	n.run(time.Second)
	n.loss = 0
	n.run(2 * lease.Period)
	n.demand(t)
	deposits, bytes := n.sent[wire.KindDeposit.String()], n.bytes[wire.KindDeposit.String()]-before
	t.Logf("%d bytes of %d deposits for %d objects", bytes, deposits, len(objects))
	if each := 60 * len(objects); bytes > each {
		t.Errorf("%d bytes of deposits, as if the objects had gone along", bytes)
	}
}

// TestWhatDoesNotArriveIsLaidAgain loses every twentieth message: what is missing is laid again until all is there.
func TestWhatDoesNotArriveIsLaidAgain(t *testing.T) {
	n, objects := dozen(t)
	n.loss = 0.05
	n.hosts[0].publishBatch(objects, false)
	n.run(30 * time.Second)
	if v := *n.hosts[0].verdicts[1]; v.placed != roots*len(objects) {
		t.Errorf("%+v", v)
	}
	n.demandVerdicts(n.hosts[0])
}

// TestWhatComesTwiceIsAnsweredOnce has every message come twice: nothing is taken for missing on account of that, and laid again.
func TestWhatComesTwiceIsAnsweredOnce(t *testing.T) {
	n, objects := dozen(t)
	n.hosts[0].publishBatch(objects, false)
	n.run(time.Second)
	once := n.sent[wire.KindDeposit.String()]

	n, objects = dozen(t)
	n.twice = 1
	n.hosts[0].publishBatch(objects, false)
	n.run(time.Second)
	if v := *n.hosts[0].verdicts[1]; v.placed != roots*len(objects) {
		t.Errorf("after a second %+v", v)
	}
	if deposits := n.sent[wire.KindDeposit.String()]; deposits > once*5/4 {
		t.Errorf("%d deposits, %d if they come once", deposits, once)
	}
	n.demandVerdicts(n.hosts[0])
}

// TestWhatIsRefusedIsKnownAtOnce gives each node room for a part of a batch: what came of every object is known within a second, and what
// was refused is not laid over and over.
func TestWhatIsRefusedIsKnownAtOnce(t *testing.T) {
	n, objects := dozenWith(t, pointers.Limits{PerNode: 100})
	n.hosts[0].publishBatch(objects, false)
	n.run(time.Second)
	v := *n.hosts[0].verdicts[1]
	if v.placed == 0 || v.missing == 0 || v.placed+v.missing != roots*len(objects) {
		t.Errorf("after a second %+v", v)
	}
	once := n.sent[wire.KindDeposit.String()]
	n.run(20 * time.Second)
	if again := n.sent[wire.KindDeposit.String()] - once; again > once {
		t.Errorf("%d deposits in the first second, %d later", once, again)
	}
	n.demandVerdicts(n.hosts[0])
}

// TestWhatCannotArriveIsSaidToBeMissing cuts the server off: it is told so when its patience is over, and nothing is owed any more.
func TestWhatCannotArriveIsSaidToBeMissing(t *testing.T) {
	n, objects := dozen(t)
	for _, o := range n.hosts[1:] {
		n.cut[pair(n.hosts[0], o)] = true
	}
	n.hosts[0].publishBatch(objects[:20], false)
	n.run(5 * time.Minute)
	if v := *n.hosts[0].verdicts[1]; v.missing < roots*20/2 {
		t.Errorf("%+v", v)
	}
	n.demandVerdicts(n.hosts[0])
}

// TestWhatIsScatteredGoesInSeveralParts sends every fifth object of a large batch: each needs hashes of its own, and no message may be larger
// than a frame.
func TestWhatIsScatteredGoesInSeveralParts(t *testing.T) {
	n := newNet(t, idspace.Hex, 3)
	n.large = true
	for i := range 2 {
		n.join(fmt.Sprintf("n%d", i), 10*time.Millisecond)
	}
	n.run(time.Second)
	var objects []string
	for i := range 10_000 {
		objects = append(objects, fmt.Sprint("object ", i))
	}
	h := n.hosts[0]
	h.publishBatch(objects, false)
	n.run(30 * time.Second)
	branch := h.store.Server(wire.ServerRefTo(h.id)).Branch(n.hosts[1].id, wire.Copy_COPY_PATH, true)
	var scattered []*pointers.Laid
	for i := 0; i < branch.Len(); i += 5 {
		scattered = append(scattered, branch.At(i))
	}
	parts, leaves := h.keeper.Pack(h, scattered), 0
	for _, part := range parts {
		rec, err := part.Header.Batch()
		if err != nil {
			t.Fatal(err)
		}
		opened, err := batch.Open(n.space, rec, part.Lists)
		if err != nil {
			t.Fatal(err)
		}
		leaves += opened.Len()
		if size := len(wire.Pack(part)); size > tree.MaxPart {
			t.Errorf("a part of %d bytes", size)
		}
	}
	if leaves != len(scattered) || len(scattered) < 1000 || len(parts) < 2 {
		t.Errorf("%d of %d pointers in %d parts", leaves, len(scattered), len(parts))
	}
}
