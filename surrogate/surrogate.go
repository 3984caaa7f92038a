package surrogate

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
)

// Hop is the next step of a route.
type Hop struct {
	To    idspace.ID    // the next node; Self if Rule is root; zero if Wait
	Rule  wire.Rule     // why this one; none if Wait
	Level int           // the level of the map that decided
	Digit idspace.Digit // the digit of the slot that decided
	Wait  bool          // only suspected nodes stand between here and the root: neither forward nor answer yet
}

// Skip names nodes that a step must not use.
type Skip struct {
	Excluded []idspace.ID // as if they did not exist (design §6, activation)
	Tried    []idspace.ID // they exist, but not usable now: like suspects

	trusting bool // suspicion counts for nothing
}

// Tables are what one node knows of the others.
type Tables struct {
	Space  idspace.Space
	Self   idspace.ID
	Map    *neighbormap.Map
	Leaves *leafset.Set
	// Away are nodes that live and that this one cannot reach: they are in no table, and a slot
	// where one of them stands is a hole to ask about.
	Away []idspace.ID
}

// Next returns the step that a route to key takes from here (JSAC Fig. 3, NEXTHOP):
// the primary of the first slot in order of δ that has a node, else a backup of that
// slot, else any usable node with a smaller δ than Self. Self is the root if no such
// slot and no such leaf exists.
func (t *Tables) Next(key idspace.ID, skip Skip) Hop {
	var at cursor
	for {
		slot := t.nextSlot(key, &at)
		if slot == nil {
			return t.last(key, &skip)
		}
		rule := wire.Rule_RULE_SLOT
		for i := range slot {
			switch skip.judge(&slot[i]) {
			case usable:
				return Hop{To: slot[i].ID, Rule: rule, Level: at.level, Digit: at.digit}
			case unusable:
				rule = wire.Rule_RULE_BACKUP
			}
		}
		if rule == wire.Rule_RULE_BACKUP {
			return t.around(key, &skip, at)
		}
	}
}

// Course returns the step that a route to key takes while nobody is suspected: where a
// path runs, whoever happens to be slow. Suspicion comes and goes; what is laid along a
// path must not move with it.
func (t *Tables) Course(key idspace.ID) Hop {
	var at cursor
	if slot := t.nextSlot(key, &at); slot != nil {
		return Hop{To: slot[0].ID, Rule: wire.Rule_RULE_SLOT, Level: at.level, Digit: at.digit}
	}
	return t.last(key, &Skip{trusting: true})
}

// cursor walks the slots of a map in order of δ.
type cursor struct {
	level  int
	offset idspace.Digit // of the slot after this one from the key's digit
	digit  idspace.Digit
}

// nextSlot moves c to the next slot that is not empty and returns it, nil if there
// is none. At each level it begins with the key's digit and ends at Self's: whoever
// comes later has a larger δ than Self.
func (t *Tables) nextSlot(key idspace.ID, c *cursor) []neighbormap.Neighbor {
	mask := idspace.Digit(t.Space.Radix() - 1)
	for c.level < t.Map.Levels() {
		c.digit = (t.Space.Digit(key, c.level) + c.offset) & mask
		if c.digit == t.Space.Digit(t.Self, c.level) {
			c.level, c.offset = c.level+1, 0
			continue
		}
		c.offset++
		if slot := t.Map.Slot(c.level, c.digit); len(slot) > 0 {
			return slot
		}
	}
	return nil
}

// verdict is what a step thinks of a node it could go to.
type verdict uint8

const (
	absent   verdict = iota // excluded, or not there
	unusable                // suspected, or tried without an answer: the root may be behind it
	usable
)

func (s *Skip) judge(n *neighbormap.Neighbor) verdict {
	switch {
	case slices.Contains(s.Excluded, n.ID):
		return absent
	case n.Suspect && !s.trusting || slices.Contains(s.Tried, n.ID):
		return unusable
	}
	return usable
}
