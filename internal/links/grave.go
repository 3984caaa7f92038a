package links

import (
	"math/bits"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Dead hints (design §7; findings A.6): who was lately found dead is named to others, who
// probe it if they point at it, before they believe.

const (
	// mourned is for how long a death is told.
	mourned = time.Minute
	// graves is how many deaths are remembered.
	graves = 32
	// kin is how many bits of a dead node's ID agree with those of a reader that is likely
	// to point at it: a level up most nodes point at a few of very many.
	kin = 4
	// others is how many are named in one message if fewer are kin.
	others = 2
)

// grave is one death. At most graves of them are kept, the latest last.
type grave struct {
	ref    wire.Ref
	at     mono.Time
	number uint64 // of all deaths found
}

// Bury notes that a neighbor was found dead, by this node itself.
func (t *Table) Bury(l *Link, now mono.Time) {
	t.Exhume(l.ID)
	if len(t.graves) == graves {
		t.graves = slices.Delete(t.graves, 0, 1)
	}
	t.deaths++
	t.graves = append(t.graves, grave{wire.RefTo(l.ID, l.Generation), now, t.deaths})
}

// Exhume takes back that a node is dead.
func (t *Table) Exhume(id idspace.ID) {
	t.graves = slices.DeleteFunc(t.graves, func(g grave) bool { return g.ref.Matches(id) })
}

// Mourned reports whether this node itself has lately found id dead.
func (t *Table) Mourned(id idspace.ID, now mono.Time) bool {
	return slices.ContainsFunc(t.graves, func(g grave) bool { return g.ref.Matches(id) && now.Sub(g.at) <= mourned })
}

// Hinted notes that reader has been told of all deaths so far.
func (t *Table) Hinted(reader idspace.ID) {
	if l := t.Link(reader); l != nil {
		l.Hinted = t.deaths
	}
}

// Hints names to reader those that were lately found dead and that it has not been told
// of, at most wire.MaxDead: those that it is likely to point at, and some others.
func (t *Table) Hints(reader idspace.ID, now mono.Time) (packed []byte) {
	fresh := t.fresh(reader, now)
	slices.SortStableFunc(fresh, func(a, b grave) int { return alike(b.ref, reader) - alike(a.ref, reader) })
	for i, g := range fresh {
		if i == wire.MaxDead || i >= others && alike(g.ref, reader) < kin {
			break
		}
		packed = wire.AppendRef(packed, g.ref)
	}
	return packed
}

// fresh lists the deaths that reader has not been told of, the latest first.
func (t *Table) fresh(reader idspace.ID, now mono.Time) (list []grave) {
	told := uint64(0)
	if l := t.Link(reader); l != nil {
		told = l.Hinted
	}
	for _, g := range slices.Backward(t.graves) {
		if g.number <= told || now.Sub(g.at) > mourned {
			break
		}
		list = append(list, g)
	}
	return list
}

// alike is how many bits of a reference and an ID agree from the left.
func alike(r wire.Ref, id idspace.ID) int {
	for i, b := range r.Prefix {
		if x := b ^ id[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return 8 * len(r.Prefix)
}
