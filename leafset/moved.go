package leafset

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Moved returns, and forgets, who came and went since this was last asked. Each once, in
// no order.
func (s *Set) Moved() []idspace.ID {
	moved := s.moved
	s.moved = nil
	return moved
}

// note remembers that id has moved.
func (s *Set) note(id idspace.ID) {
	if !slices.Contains(s.moved, id) {
		s.moved = append(s.moved, id)
	}
}
