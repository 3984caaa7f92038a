package surrogate

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/neighbormap"
)

// Hole is an empty slot of a map.
type Hole struct {
	Level int
	Digit idspace.Digit
}

// Holes appends to holes those that a route to key passes over at this node and of which
// it does not know for certain that nobody lives there: those outside the covered span of
// the leaf set, at levels where it knows of anybody at all (design §3, the witness). A slot with
// nobody but excluded nodes in it is one: others may live there of whom it has not heard.
func (t *Tables) Holes(holes []Hole, key idspace.ID, excluded []idspace.ID) []Hole {
	mask := idspace.Digit(t.Space.Radix() - 1)
	for l := range t.levels() {
		known := t.populated(l)
		for d := t.Space.Digit(key, l); known && d != t.Space.Digit(t.Self, l); d = (d + 1) & mask {
			if h := (Hole{l, d}); !t.serves(l, d, excluded) && !t.Leaves.Covered(t.Arc(h)) {
				holes = append(holes, h)
			}
		}
	}
	return holes
}

// serves reports whether a slot has anybody who is not excluded.
func (t *Tables) serves(level int, d idspace.Digit, excluded []idspace.ID) bool {
	return slices.ContainsFunc(t.Map.Slot(level, d), func(n neighbormap.Neighbor) bool { return !slices.Contains(excluded, n.ID) })
}

// levels is how many levels there may be anybody at, as far as this node knows.
func (t *Tables) levels() int {
	n := t.Map.Levels()
	for _, id := range t.Away {
		n = max(n, t.Space.CommonPrefix(t.Self, id)+1)
	}
	return n
}

// populated reports whether this node knows of anybody at a level.
func (t *Tables) populated(level int) bool {
	for d := range idspace.Digit(t.Space.Radix()) {
		if len(t.Map.Slot(level, d)) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(t.Away, func(id idspace.ID) bool { return t.Space.CommonPrefix(t.Self, id) == level })
}

// Arc returns the first and the last ID of a hole: the ring between them is all of it.
func (t *Tables) Arc(h Hole) (lo, hi idspace.ID) {
	return t.Space.Arc(t.Space.WithDigit(t.Self, h.Level, h.Digit), h.Level+1)
}

// Inside reports whether a node lives in a hole.
func (t *Tables) Inside(h Hole, id idspace.ID) bool {
	return t.Space.CommonPrefix(t.Self, id) == h.Level && t.Space.Digit(id, h.Level) == h.Digit
}

// Nearest returns the known node that is nearest on the ring to the arc from lo to hi, that
// is not suspected and not in skip.
func (t *Tables) Nearest(lo, hi idspace.ID, skip []idspace.ID) (nearest idspace.ID, ok bool) {
	var least idspace.ID
	t.each(func(id idspace.ID) {
		away := Away(id, lo, hi)
		if (!ok || idspace.Compare(away, least) < 0) && !t.suspected(id) && !slices.Contains(skip, id) {
			nearest, least, ok = id, away, true
		}
	})
	return nearest, ok
}

// Within lists up to most of those known to live on the arc from lo to hi, Self among them.
func (t *Tables) Within(lo, hi idspace.ID, most int) (ids []idspace.ID) {
	add := func(id idspace.ID) {
		if len(ids) < most && Away(id, lo, hi).IsZero() && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	add(t.Self)
	t.each(add)
	return ids
}

// each calls f with every node in a table, with some twice.
func (t *Tables) each(f func(idspace.ID)) {
	for l := range t.Map.Levels() {
		for d := range idspace.Digit(t.Space.Radix()) {
			for _, n := range t.Map.Slot(l, d) {
				f(n.ID)
			}
		}
	}
	for _, side := range [...][]idspace.ID{t.Leaves.CW(), t.Leaves.CCW()} {
		for _, id := range side {
			f(id)
		}
	}
}

func (t *Tables) suspected(id idspace.ID) bool {
	return t.Leaves.Suspected(id) || t.Map.Suspected(id)
}

// Away is how far id is on the ring from the arc from lo to hi, zero on it.
func Away(id, lo, hi idspace.ID) idspace.ID {
	if idspace.Compare(idspace.Clockwise(lo, id), idspace.Clockwise(lo, hi)) <= 0 {
		return idspace.ID{}
	}
	above, below := idspace.Clockwise(hi, id), idspace.Clockwise(id, lo)
	if idspace.Compare(above, below) < 0 {
		return above
	}
	return below
}
