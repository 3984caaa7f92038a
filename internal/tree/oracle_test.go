package tree_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// join adds a node that everybody knows at once.
func (n *net) join(name string, rtt time.Duration) *host {
	h := n.add(name, 1)
	for _, o := range n.living() {
		if o != h {
			n.rtts[pair(h, o)] = rtt
			n.meet(o, h)
			n.meet(h, o)
		}
	}
	h.step(func() { h.keeper.OnActivated(h) })
	return h
}

// oracle says what has to lie where, from what is served and from the tables of all nodes.
type oracle struct {
	net   *net
	lines map[string]bool
}

func (o *oracle) lay(at *host, from idspace.ID, copy wire.Copy, of *host, key pointers.Key, salt int) {
	s := of.served[key]
	state := pointers.Live
	if s.withdrawn {
		state = pointers.Withdrawn
	}
	o.lines[describe(o.net, at, from, copy, of.id, key, s.sequence, state, salt)] = true
}

func describe(n *net, at *host, from idspace.ID, copy wire.Copy, server idspace.ID, key pointers.Key,
	sequence pointers.Sequence, state pointers.State, salt int,
) string {
	return fmt.Sprintf("%s: %s of %s %v %v %s#%d from %s", at.name, n.names.Of(key.GUID), n.names.Of(server), sequence, state,
		copy.Name(), salt, n.names.Of(from))
}

// walk lays a pointer along the path of one salt.
func (o *oracle) walk(of *host, key pointers.Key, salt int) {
	target := o.net.space.Salted(key.GUID, salt, roots)
	from, at := of.id, of
	for {
		o.lay(at, from, wire.Copy_COPY_PATH, of, key, salt)
		hop := at.tables.Course(target)
		if at == of {
			o.beside(of, key, salt, target)
		}
		if hop.To == at.id {
			for _, heir := range at.tables.Heirs(target, 2) {
				o.lay(o.net.host(heir), at.id, wire.Copy_COPY_HEIR, of, key, salt)
			}
			return
		}
		from, at = at.id, o.net.host(hop.To)
	}
}

func (o *oracle) beside(of *host, key pointers.Key, salt int, target idspace.ID) {
	if hop := of.tables.Course(target); hop.Rule == wire.Rule_RULE_SLOT {
		if slot := of.tables.Map.Slot(hop.Level, hop.Digit); len(slot) > 1 {
			for _, backup := range slot[1:min(len(slot), 1+backups)] {
				o.lay(o.net.host(backup.ID), of.id, wire.Copy_COPY_BACKUP, of, key, salt)
			}
		}
	}
	if salt == 0 {
		for _, id := range router(of.tables, of.links).Near(target) {
			o.lay(o.net.host(id), of.id, wire.Copy_COPY_NEAR, of, key, salt)
		}
	}
}

// expected is what has to lie anywhere.
func (n *net) expected() map[string]bool {
	o := &oracle{n, make(map[string]bool)}
	for _, h := range n.living() {
		for key := range h.served { // unordered: they become a set
			for salt := range roots {
				o.walk(h, key, salt)
			}
		}
	}
	return o.lines
}

// lines is what lies anywhere.
func (n *net) lines() (lines []string) {
	for _, h := range n.living() {
		for i := range h.store.Len() {
			p := h.store.At(i)
			for _, l := range p.Laid() {
				if b := l.Branch(); !b.Out {
					lines = append(lines, describe(n, h, b.Peer, b.Copy, p.Server.ID, p.Key, p.Sequence(), p.State, l.Salt))
				}
			}
		}
	}
	return lines
}

// compare says how what lies there differs from what ought to, and which branches differ at
// their two ends.
func (n *net) compare() (differences []string) {
	expected := n.expected()
	for _, line := range n.lines() {
		if !expected[line] {
			differences = append(differences, "too much: "+line)
		}
		delete(expected, line)
	}
	for line := range expected { // sorted below
		differences = append(differences, "missing: "+line)
	}
	for _, h := range n.living() {
		differences = append(differences, n.compareBranches(h)...)
	}
	slices.Sort(differences)
	return differences
}

// compareBranches compares the two ends of all branches that leave a node.
func (n *net) compareBranches(h *host) (differences []string) {
	seen := make(map[*pointers.Server]bool)
	for i := range h.store.Len() {
		sv := h.store.At(i).Server
		if seen[sv] {
			continue
		}
		seen[sv] = true
		for _, b := range sv.Branches() {
			if b.Out && !n.sameThere(h, sv, b) {
				differences = append(differences, fmt.Sprintf("ends of a %s branch of %s from %s to %s differ",
					b.Copy.Name(), n.names.Of(sv.ID), h.name, n.names.Of(b.Peer)))
			}
		}
	}
	return differences
}

func (n *net) sameThere(h *host, sv *pointers.Server, b *pointers.Branch) bool {
	there := n.host(b.Peer)
	if there == nil {
		return false
	}
	count, sum := b.Digest()
	other := there.store.Server(wire.ServerRefTo(sv.ID))
	if other == nil || other.Branch(h.id, b.Copy, false) == nil {
		return false
	}
	otherCount, otherSum := other.Branch(h.id, b.Copy, false).Digest()
	return count == otherCount && sum == otherSum
}

func TestANetworkOfKeepersLaysWhatRulesSay(t *testing.T) {
	n := newNet(t, idspace.Hex, 1)
	for i := range 5 {
		n.join(fmt.Sprintf("n%d", i), time.Duration(5+7*i)*time.Millisecond)
	}
	n.run(time.Second)
	for i := range 20 {
		n.hosts[i%5].publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(2 * time.Minute)
	if missing := n.compare(); len(missing) > 0 {
		t.Fatalf("%d differences: %v", len(missing), missing)
	}
	if got := len(n.lines()); got < 20*roots {
		t.Fatalf("%d copies of 20 objects", got)
	}
}
