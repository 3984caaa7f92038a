package leafset

import (
	"fmt"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// The covered span is the arc around self on which every node is a member (design §3,
// findings A.9). Members alone do not make it: of two that came from elsewhere nobody
// knows who lives between them. What other nodes say of their spans makes it longer.

// Claim is what another node says of its own span.
type Claim struct {
	Of idspace.ID // who says so
	// Up and Down are the last nodes of its span, clockwise and counterclockwise; Of itself
	// if it vouches for nothing on that side.
	Up, Down idspace.ID
	Named    []idspace.ID // all that live on the span, but Of; others may be among them
}

// Vouch extends the covered span by what a node vouches for: over gaps between members
// that lie on its span, and in which it names nobody.
func (s *Set) Vouch(c *Claim) {
	for s.up < len(s.cw) && c.empty(s.end(s.cw, s.up), s.cw[s.up]) {
		s.up++
		s.changes++
	}
	for s.down < len(s.ccw) && c.empty(s.ccw[s.down], s.end(s.ccw, s.down)) {
		s.down++
		s.changes++
	}
}

// end is the last node of one side's part of the span.
func (s *Set) end(side []idspace.ID, reach int) idspace.ID {
	if reach == 0 {
		return s.self
	}
	return side[reach-1]
}

// empty reports whether c vouches that nobody lives between a and b, clockwise.
func (c *Claim) empty(a, b idspace.ID) bool {
	if !onArc(c.Down, c.Of, a, b) && !onArc(c.Of, c.Up, a, b) {
		return false
	}
	for _, id := range c.Named {
		if id != a && id != b && onArc(a, b, id, id) {
			return false
		}
	}
	return true
}

// Denies reports whether c vouches that id does not live: its place is on the span, and it is not named.
func (c *Claim) Denies(id idspace.ID) bool {
	covered := onArc(c.Down, c.Of, id, id) || onArc(c.Of, c.Up, id, id)
	return covered && id != c.Of && !slices.Contains(c.Named, id)
}

// onArc reports whether the way from a clockwise to b lies on that from lo to hi.
func onArc(lo, hi, a, b idspace.ID) bool {
	toA, toB, length := idspace.Clockwise(lo, a), idspace.Clockwise(lo, b), idspace.Clockwise(lo, hi)
	return idspace.Compare(toA, toB) <= 0 && idspace.Compare(toB, length) <= 0
}

// Doubt ends the span before id: somebody who is no member may live there.
func (s *Set) Doubt(id idspace.ID) {
	for s.up > 0 && s.clockwise(s.cw[s.up-1], id) >= 0 {
		s.up--
		s.changes++
	}
	for s.down > 0 && s.counterclockwise(s.ccw[s.down-1], id) >= 0 {
		s.down--
		s.changes++
	}
}

// VouchAll puts every member on the covered span, for a world that has filled the set from
// perfect knowledge.
func (s *Set) VouchAll() {
	s.up, s.down = len(s.cw), len(s.ccw)
	s.changes++
}

// Span returns how many members of each side are on the covered span: those nearest to self.
func (s *Set) Span() (up, down int) { return s.up, s.down }

// Complete reports whether every member is on the covered span.
func (s *Set) Complete() bool { return s.up == len(s.cw) && s.down == len(s.ccw) }

// Edge returns a member who can say what comes after the covered span, of a set that is not
// complete: the last one on it, or the first beyond if there is none, of the shorter side.
func (s *Set) Edge() idspace.ID {
	side, reach := s.cw, s.up
	if s.up == len(s.cw) || s.down < s.up && s.down < len(s.ccw) {
		side, reach = s.ccw, s.down
	}
	return side[max(reach, 1)-1]
}

// Covered reports whether the arc from lo clockwise to hi, on which self is not, lies on
// the covered span: all who live there are members.
func (s *Set) Covered(lo, hi idspace.ID) bool {
	up, down := s.end(s.cw, s.up), s.end(s.ccw, s.down)
	return s.around() || s.clockwise(hi, up) <= 0 || s.clockwise(lo, down) >= 0 && s.down > 0
}

// around reports whether the two ends of the span meet, so that it is the whole ring.
func (s *Set) around() bool {
	return s.up > 0 && s.down > 0 && s.clockwise(s.cw[s.up-1], s.ccw[s.down-1]) >= 0
}

// reach sets the span to all members from self up to and down to the given ends.
func (s *Set) reach(up, down idspace.ID) {
	s.up, s.down = 0, 0
	for s.up < len(s.cw) && s.clockwise(s.cw[s.up], up) <= 0 {
		s.up++
	}
	for s.down < len(s.ccw) && s.counterclockwise(s.ccw[s.down], down) <= 0 {
		s.down++
	}
}

// checkSpan is Check for the span.
func (s *Set) checkSpan() error {
	if s.up < 0 || s.up > len(s.cw) || s.down < 0 || s.down > len(s.ccw) {
		return fmt.Errorf("span of %d up and %d down, of %d members on a side", s.up, s.down, len(s.cw))
	}
	return nil
}

// Reach sets Up and Down to the last of so many named nodes clockwise and counterclockwise
// from Of. A node that vouches for no more than itself still speaks for its next neighbor
// on either side to that neighbor, reader.
func (c *Claim) Reach(up, down int, reader idspace.ID) {
	all := slices.Clone(c.Named)
	slices.SortFunc(all, func(a, b idspace.ID) int {
		return idspace.Compare(idspace.Clockwise(c.Of, a), idspace.Clockwise(c.Of, b))
	})
	if len(all) == 0 {
		return
	}
	if up == 0 && all[0] == reader {
		up = 1
	}
	if down == 0 && all[len(all)-1] == reader {
		down = 1
	}
	if up > 0 {
		c.Up = all[min(up, len(all))-1]
	}
	if down > 0 {
		c.Down = all[len(all)-min(down, len(all))]
	}
}
