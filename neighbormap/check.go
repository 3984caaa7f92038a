package neighbormap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Changes counts what was done to the map that Check looks at.
func (m *Map) Changes() uint64 { return m.changes }

// Check returns the first invariant that does not hold, nil if all do.
func (m *Map) Check() error {
	count := 0
	for level, row := range m.rows {
		for d, slot := range row {
			if err := m.checkSlot(level, idspace.Digit(d)); err != nil {
				return fmt.Errorf("slot %d/%x: %w", level, d, err)
			}
			count += len(slot)
		}
	}
	if n := len(m.rows); n > 0 && emptyRow(m.rows[n-1]) {
		return fmt.Errorf("last level %d is empty", n-1)
	}
	if count != m.count {
		return fmt.Errorf("%d neighbors counted as %d", count, m.count)
	}
	return nil
}

func (m *Map) checkSlot(level int, d idspace.Digit) error {
	slot := m.rows[level][d]
	if len(slot) > m.perSlot {
		return fmt.Errorf("%d neighbors, room for %d", len(slot), m.perSlot)
	}
	if !slices.IsSortedFunc(slot, compare) {
		return fmt.Errorf("not nearest first: %v", slot)
	}
	for i, n := range slot {
		if l, digit, ok := m.place(n.ID); !ok || l != level || digit != d {
			return fmt.Errorf("%v does not belong here", n.ID)
		}
		if i > 0 && slot[i-1].ID == n.ID {
			return fmt.Errorf("%v is there twice", n.ID)
		}
	}
	return nil
}

// String prints the map as one stable line: per level the digits that are known,
// nearest first, suspects with a question mark.
func (m *Map) String() string {
	var b strings.Builder
	for level, row := range m.rows {
		fmt.Fprintf(&b, "[%d]", level)
		for d, slot := range row {
			for i, n := range slot {
				sep := ","
				if i == 0 {
					sep = fmt.Sprintf(" %x=", d)
				}
				b.WriteString(sep + n.ID.Short())
				if n.Suspect {
					b.WriteByte('?')
				}
			}
		}
	}
	return b.String()
}
