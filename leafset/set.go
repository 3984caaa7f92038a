package leafset

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// State is whether a member may be used as a next hop.
type State uint8

// The states.
const (
	Alive   State = iota
	Suspect       // routed around until heartbeat has decided (design §7)
)

// Set is one node's leaf set. It is not safe for concurrent use.
type Set struct {
	self    idspace.ID
	perSide int

	// Invariant: of all members, the perSide nearest clockwise (cw) and the perSide
	// nearest counterclockwise (ccw), nearest first. A member is on one side at least.
	cw, ccw []idspace.ID
	// The covered span: the first up members of cw and the first down of ccw. Invariant: not
	// more than there are; nobody else lives between the ends (see Vouch).
	up, down int
	// Invariant: members, each once.
	suspects []idspace.ID

	moved   []idspace.ID // see Moved
	changes uint64       // see Changes
}

// New returns the empty leaf set of node self with room for perSide (at least 1)
// members on either side.
func New(self idspace.ID, perSide int) *Set {
	if perSide < 1 {
		panic("leafset: a side needs room for a member")
	}
	return &Set{self: self, perSide: perSide}
}

// CW returns the members clockwise (upward) from self, nearest first: a view, not
// to be kept or changed.
func (s *Set) CW() []idspace.ID { return s.cw }

// CCW returns the members counterclockwise (downward) from self, nearest first: a
// view, not to be kept or changed.
func (s *Set) CCW() []idspace.ID { return s.ccw }

// All returns every member once: clockwise nearest first, then those that are only
// on the other side, nearest first.
func (s *Set) All() []idspace.ID { return s.Nearest(s.perSide) }

// Nearest returns the n nearest members of each side, each once, in the order of All.
func (s *Set) Nearest(n int) []idspace.ID {
	all := make([]idspace.ID, 0, 2*min(n, s.perSide))
	all = append(all, s.cw[:min(n, len(s.cw))]...)
	for _, id := range s.ccw[:min(n, len(s.ccw))] {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

// Has reports whether id is a member.
func (s *Set) Has(id idspace.ID) bool { return slices.Contains(s.cw, id) || slices.Contains(s.ccw, id) }

// Len returns how many members there are; one on both sides counts once.
func (s *Set) Len() int {
	n := len(s.cw)
	for _, id := range s.ccw {
		if !slices.Contains(s.cw, id) {
			n++
		}
	}
	return n
}

// Suspected reports whether id is a member under suspicion.
func (s *Set) Suspected(id idspace.ID) bool { return slices.Contains(s.suspects, id) }

// Wraps reports whether every member is on both sides: no more are known than one
// side has room for. A node that knows nobody wraps.
func (s *Set) Wraps() bool { return s.Len() == len(s.cw) }

// Covers reports whether id lies on the arc from the farthest member of one side
// over self to the farthest of the other. Sides that meet, or that know nobody, have
// the whole ring between them. Whether nobody else lives on that arc, Covered tells.
func (s *Set) Covers(id idspace.ID) bool {
	n := len(s.cw)
	if s.Len() < 2*s.perSide {
		return true
	}
	return s.clockwise(id, s.cw[n-1]) <= 0 || s.counterclockwise(id, s.ccw[n-1]) <= 0
}
