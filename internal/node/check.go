package node

import "fmt"

// part is a part of a node whose invariants can be checked.
type part interface {
	// Check returns the first broken invariant.
	Check() error
	// Changes counts what was done to what Check looks at.
	Changes() uint64
}

// guard remembers what a node's parts were when their invariants were last seen to hold,
// so that a step pays only for what it has changed.
type guard struct {
	steps uint64
	seen  []uint64 // Changes of each of parts
}

const (
	// large is from how many things on a part is not looked at for every change: with a thousand pointers that
	// would be most of what a node does.
	large = 256
	// perChange is how many of them a change may have looked at. Of more, several changes are looked at together.
	perChange = 64
)

// slack is how many changes of a part may go unseen.
func slack(p part) uint64 {
	if many, ok := p.(interface{ Len() int }); ok {
		return uint64(max(many.Len()-large, 0) / perChange)
	}
	return 0
}

// wholeEvery is how many steps lie between two looks at all parts, whatever they say of
// their changes: one that was not counted is found a little later.
const wholeEvery = 64

// parts lists what is checked.
func (n *Node) parts() []part {
	return []part{n.tables.Map, n.tables.Leaves, linkage{n}, n.store, n.served, n.membership}
}

// Check returns the first broken invariant of the node's tables.
func (n *Node) Check() error {
	for _, p := range n.parts() {
		if err := p.Check(); err != nil {
			return err
		}
	}
	return n.links.Check()
}

// mustHold panics on a broken invariant: our own fault, never a peer's. Links are looked at
// in every step: heartbeat writes their uses where they are.
func (n *Node) mustHold() {
	g := &n.guard
	if g.seen == nil {
		g.seen = make([]uint64, len(n.parts()))
	}
	g.steps++
	for i, p := range n.parts() {
		changes := p.Changes()
		if g.steps > 1 && changes-g.seen[i] <= slack(p) && g.steps%wholeEvery != 0 {
			continue
		}
		g.seen[i] = changes
		must(p.Check())
	}
	must(n.links.Check())
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// linkage is what the neighbor map and the links owe each other.
type linkage struct{ n *Node }

// Changes counts what can leave a neighbor without its link.
func (l linkage) Changes() uint64 { return l.n.tables.Map.Changes() + l.n.links.Closed() }

// Check returns a neighbor that has no link.
func (l linkage) Check() error {
	for _, nb := range l.n.tables.Map.All() {
		if !l.n.links.Linked(nb.ID) {
			return fmt.Errorf("node: %s is in the map without a link", nb.ID.Short())
		}
	}
	return nil
}
