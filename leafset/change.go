package leafset

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// clockwise and counterclockwise compare two nodes by their distance from self.
func (s *Set) clockwise(a, b idspace.ID) int {
	return idspace.Compare(idspace.Clockwise(s.self, a), idspace.Clockwise(s.self, b))
}

func (s *Set) counterclockwise(a, b idspace.ID) int {
	return idspace.Compare(idspace.Clockwise(a, s.self), idspace.Clockwise(b, s.self))
}

// Wants reports whether Insert would take id.
func (s *Set) Wants(id idspace.ID) bool {
	if id == s.self || s.Has(id) {
		return false
	}
	return len(s.cw) < s.perSide || len(s.ccw) < s.perSide ||
		s.clockwise(id, s.cw[len(s.cw)-1]) < 0 || s.counterclockwise(id, s.ccw[len(s.ccw)-1]) < 0
}

// Insert takes id in if it is nearer than a member or there is room; evicted are
// the members that are on neither side any more.
func (s *Set) Insert(id idspace.ID) (evicted []idspace.ID, ok bool) {
	if !s.Wants(id) {
		return nil, false
	}
	before, up, down := s.All(), s.end(s.cw, s.up), s.end(s.ccw, s.down)
	s.arrange(append(before, id))
	s.reach(up, down) // who has come in between is known
	s.note(id)
	for _, member := range before {
		if !s.Has(member) {
			evicted = append(evicted, member)
			s.note(member)
			s.SetState(member, Alive)
		}
	}
	return evicted, true
}

// Remove takes id out and reports whether it was there. A member of the other side
// takes the place if no nearer one is known. The covered span ends before it: it may live.
func (s *Set) Remove(id idspace.ID) bool {
	s.Doubt(id)
	return s.Bury(id)
}

// Bury is Remove of a node that is no more: the span stays what it was without it.
func (s *Set) Bury(id idspace.ID) bool {
	if !s.Has(id) {
		return false
	}
	up, down := s.end(s.cw, s.up), s.end(s.ccw, s.down)
	s.SetState(id, Alive)
	s.note(id)
	members := s.All()
	s.arrange(slices.DeleteFunc(members, func(m idspace.ID) bool { return m == id }))
	s.reach(up, down)
	return true
}

// arrange fills both sides from members.
func (s *Set) arrange(members []idspace.ID) {
	n := min(len(members), s.perSide)
	s.changes++
	members = slices.Clone(members)
	slices.SortFunc(members, s.clockwise)
	s.cw = slices.Clone(members[:n])
	slices.Reverse(members)
	s.ccw = slices.Clone(members[:n])
}

// SetState sets whether a member is under suspicion; it keeps its place.
func (s *Set) SetState(id idspace.ID, state State) {
	at := slices.Index(s.suspects, id)
	switch {
	case state == Suspect && at < 0 && s.Has(id):
		s.suspects = append(s.suspects, id)
		s.changes++
	case state == Alive && at >= 0:
		s.suspects = slices.Delete(s.suspects, at, at+1)
		s.changes++
	}
}

// Changes counts what was done to the set that Check looks at.
func (s *Set) Changes() uint64 { return s.changes }

// Check returns the first invariant that does not hold, nil if all do.
func (s *Set) Check() error {
	members := s.All()
	n := min(len(members), s.perSide)
	if len(s.cw) != n || len(s.ccw) != n {
		return fmt.Errorf("%d members, but %d clockwise and %d counterclockwise, want %d", len(members), len(s.cw), len(s.ccw), n)
	}
	if s.Has(s.self) {
		return fmt.Errorf("%v is a member of its own leaf set", s.self)
	}
	for i, id := range s.suspects {
		if !s.Has(id) || slices.Contains(s.suspects[:i], id) {
			return fmt.Errorf("suspect %v is no member or twice there", id)
		}
	}
	slices.SortFunc(members, s.clockwise)
	if !slices.Equal(s.cw, members[:n]) {
		return fmt.Errorf("clockwise %v, want %v", s.cw, members[:n])
	}
	slices.Reverse(members)
	if !slices.Equal(s.ccw, members[:n]) {
		return fmt.Errorf("counterclockwise %v, want %v", s.ccw, members[:n])
	}
	return s.checkSpan()
}

// String prints the set as one stable line in the order of the ring, suspects with
// a question mark: farthest counterclockwise … nearest | nearest … clockwise.
func (s *Set) String() string {
	var b strings.Builder
	for _, id := range slices.Backward(s.ccw) {
		b.WriteString(s.name(id) + " ")
	}
	b.WriteByte('|')
	for _, id := range s.cw {
		b.WriteString(" " + s.name(id))
	}
	return b.String()
}

func (s *Set) name(id idspace.ID) string {
	if s.Suspected(id) {
		return id.Short() + "?"
	}
	return id.Short()
}
