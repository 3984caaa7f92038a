package leafset

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Contest is a full side that a node would enter at the cost of a member.
type Contest struct {
	Side []idspace.ID // its members, nearest first: a view, not to be kept or changed
	At   int          // the place where the node would stand
}

// Contests returns the sides that Insert would put id on, if the set is full. Before that
// nobody is lost: who leaves one side stays on the other.
func (s *Set) Contests(id idspace.ID) (all []Contest) {
	if id == s.self || s.Has(id) || s.Len() < 2*s.perSide {
		return nil
	}
	if at, _ := slices.BinarySearchFunc(s.cw, id, s.clockwise); at < s.perSide {
		all = append(all, Contest{s.cw, at})
	}
	if at, _ := slices.BinarySearchFunc(s.ccw, id, s.counterclockwise); at < s.perSide {
		all = append(all, Contest{s.ccw, at})
	}
	return all
}
