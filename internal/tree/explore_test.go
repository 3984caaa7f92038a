package tree_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

// trouble is what rapid draws for a network.
type trouble struct {
	*net
	entered int
	objects []string
}

func (n *trouble) draw(t *rapid.T, what string) *host {
	all := n.living()
	return all[rapid.IntRange(0, len(all)-1).Draw(t, what)]
}

func (n *trouble) rtt(t *rapid.T) time.Duration {
	return time.Duration(rapid.SampledFrom([]int{2, 5, 8, 9, 15, 30, 60, 120}).Draw(t, "rtt")) * time.Millisecond
}

// within is a moment of the next two seconds: nodes hear of things one after the other.
func (n *trouble) within() time.Duration { return time.Duration(n.rng.Int64N(int64(2 * time.Second))) }

func (n *trouble) enter(t *rapid.T) {
	n.entered++
	h := n.add(fmt.Sprintf("n%d", n.entered), 1)
	for _, o := range n.living() {
		if o != h {
			n.rtts[pair(h, o)] = n.rtt(t)
			n.after(n.within(), func() { n.meet(o, h) })
			n.meet(h, o)
		}
	}
	n.trace("%v %s enters", n.now, h.name)
	h.step(func() { h.keeper.OnActivated(h) })
	if others := n.living(); len(others) > 1 && rapid.Bool().Draw(t, "handed") {
		n.handOver(others[n.rng.IntN(len(others)-1)], h.id)
	}
}

func (n *trouble) handOver(h *host, to idspace.ID) {
	if h.handed[to] == 0 {
		h.handed[to]++
		h.step(func() { h.keeper.OnHandOver(h, &env.HandOver{To: to}) })
	}
}

func (n *trouble) crash(t *rapid.T) {
	if len(n.living()) <= 2 {
		return
	}
	h := n.draw(t, "crashes")
	n.trace("%v %s crashes", n.now, h.name)
	h.dead, h.died = true, n.now
	for _, o := range n.living() {
		n.after(n.within(), func() { n.miss(o, h) })
	}
	if rapid.IntRange(0, 2).Draw(t, "starts anew") == 0 {
		n.after(2*time.Second+n.within(), func() { n.again(h) })
	}
}

// again starts a node anew that has crashed. It knows nothing of what it served.
func (n *trouble) again(old *host) {
	h := n.add(old.name, old.generation+1)
	for _, o := range n.living() {
		if o != h {
			n.rtts[pair(h, o)] = n.rtts[pair(old, o)]
			n.after(n.within(), func() { n.meet(o, h) })
			n.meet(h, o)
		}
	}
	n.trace("%v %s starts anew", n.now, h.name)
	h.step(func() { h.keeper.OnActivated(h) })
}

// part cuts the way between two nodes for a while; they may find each other dead meanwhile.
func (n *trouble) part(t *rapid.T) {
	a, b := n.draw(t, "parted"), n.draw(t, "from")
	if a == b {
		return
	}
	n.trace("%v %s and %s are parted", n.now, a.name, b.name)
	n.cut[pair(a, b)] = true
	lasts := time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second
	if lasts > 8*time.Second && rapid.Bool().Draw(t, "missed") {
		n.after(2*time.Second, func() { n.miss(a, b); n.miss(b, a) })
	}
	n.after(lasts, func() {
		delete(n.cut, pair(a, b))
		n.meet(a, b)
		n.meet(b, a)
	})
}

func (n *trouble) publishes(t *rapid.T) {
	h := n.draw(t, "server")
	if rapid.Bool().Draw(t, "as a batch") {
		objects := rapid.SliceOfNDistinct(rapid.SampledFrom(n.objects), 2, len(n.objects), rapid.ID).Draw(t, "objects")
		served := func(object string) bool {
			return h.served[pointers.Key{GUID: n.net.names.ID(object), App: "app"}] != nil
		}
		withdrawn := !slices.ContainsFunc(objects, func(o string) bool { return !served(o) }) && rapid.IntRange(0, 2).Draw(t, "withdrawn") == 0
		h.publishBatch(objects, withdrawn)
		return
	}
	for range rapid.IntRange(1, 4).Draw(t, "objects") {
		object := rapid.SampledFrom(n.objects).Draw(t, "object")
		withdrawn := h.served[pointers.Key{GUID: n.net.names.ID(object), App: "app"}] != nil && rapid.IntRange(0, 2).Draw(t, "withdrawn") == 0
		h.publish(object, withdrawn)
	}
}

// renews has a server sign one of its batches anew.
func (n *trouble) renews(t *rapid.T) {
	if h := n.draw(t, "renewing"); len(h.batches) > 0 {
		h.renewBatch(rapid.SampledFrom(h.batches).Draw(t, "batch"))
	}
}

// TestAfterTroubleEverythingLiesWhereItShould lets networks of some nodes suffer, and then rest:
// what lies where is then what an oracle says that sees all, and next to nothing is sent.
func TestAfterTroubleEverythingLiesWhereItShould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { explore(t) })
}

func explore(t *rapid.T) {
	space, err := idspace.NewSpace(160, rapid.SampledFrom([]int{1, 2, 4}).Draw(t, "digit bits"))
	if err != nil {
		t.Fatal(err)
	}
	n := &trouble{net: newNet(t, space, rapid.Uint64().Draw(t, "seed")), objects: []string{"x", "y", "z", "u", "v", "w"}}
	n.window = rapid.SampledFrom([]int{1, 3, 256}).Draw(t, "window")
	if *tracing {
		n.trace = t.Logf
	}
	for range rapid.IntRange(2, 5).Draw(t, "nodes") {
		n.enter(t)
	}
	n.run(3 * time.Second)
	n.loss = rapid.SampledFrom([]float64{0, 0.02, 0.2}).Draw(t, "loss")
	n.twice = rapid.SampledFrom([]float64{0, 0.1}).Draw(t, "twice")
	actions := []func(*rapid.T){n.publishes, n.publishes, n.publishes, n.renews, n.renews, n.enter, n.crash, n.part, n.move, n.leave}
	for range rapid.IntRange(1, 25).Draw(t, "actions") {
		actions[rapid.IntRange(0, len(actions)-1).Draw(t, "action")](t)
		n.run(time.Duration(rapid.SampledFrom([]int{1, 100, 900, 4000, 20000}).Draw(t, "ms")) * time.Millisecond)
	}
	n.rest(t)
}

var tracing = flag.Bool("narrate", false, "write down what a network of Keepers does")

// move changes the distance of two nodes.
func (n *trouble) move(t *rapid.T) {
	if a, b := n.draw(t, "moves"), n.draw(t, "off"); a != b {
		n.trace("%v %s and %s move", n.now, a.name, b.name)
		n.setRTT(a, b, n.rtt(t))
	}
}

// leave has a node hand over to its heirs, and join again soon.
func (n *trouble) leave(t *rapid.T) {
	h := n.draw(t, "leaves")
	n.handOver(h, idspace.ID{})
	n.after(5*time.Second, func() { h.step(func() { h.keeper.OnActivated(h) }) })
}

// rest lets a network be quiet, and demands what has to be so then.
func (n *trouble) rest(t *rapid.T) {
	n.loss, n.twice = 0, 0
	n.run(45 * time.Second) // partitions end
	n.trace("%v quiet", n.now)
	n.run(3*lease.Life + 5*time.Second)
	clear(n.sent)
	n.run(2 * lease.Period)
	if differences := n.compare(); len(differences) > 0 {
		t.Fatalf("%d differences, %v", len(differences), differences)
	}
	for _, h := range n.living() {
		for to, left := range h.handed { // unordered: any will do
			if left != 0 {
				t.Fatalf("%s has not handed over to %s", h.name, n.net.names.Of(to))
			}
		}
	}
	for _, h := range n.living() {
		if links := h.keeper.LinkCount(); links >= len(n.living()) {
			t.Fatalf("%s has %d links in a network of %d", h.name, links, len(n.living()))
		}
	}
	for _, h := range n.living() {
		n.demandVerdicts(h)
	}
	n.demandQuiet(t)
}

// demandVerdicts demands that a host was told once of each object and salt of its batches what came of it, and owes nobody anything.
func (n *net) demandVerdicts(h *host) {
	for batch, v := range h.verdicts { // unordered: any will do
		if v.placed+v.missing != roots*v.objects {
			n.t.Fatalf("%s was told of batch %d: %+v", h.name, batch, *v)
		}
	}
	if duties, asks := h.keeper.Owed(); duties+asks > 0 {
		n.t.Fatalf("%s owes %d answers, waits for %d", h.name, duties, asks)
	}
}

// demandQuiet demands that only tokens were told within the last two periods: twice a period each
// neighbor may tell another some, and nobody has to answer.
func (n *trouble) demandQuiet(t *rapid.T) {
	for what, count := range n.sent { // unordered: any will do
		switch what {
		case wire.KindRefreshReply.String(), wire.KindListing.String(), wire.KindWanted.String(), wire.KindDeposit.String():
			t.Fatalf("%d of %s in a quiet network", count, what)
		case wire.KindRefresh.String():
		default:
			if count > 5 {
				t.Fatalf("%d messages %s in two periods", count, what)
			}
		}
	}
}
