package explore

import "slices"

// maxTries bounds how many scenarios are played to shrink one.
const maxTries = 60

// shrinking makes a scenario small that breaks an oracle.
type shrinking struct {
	oracle  string
	try     judge
	tell    func(Scenario)
	best    Scenario
	verdict verdict // on best
	tries   int
}

// shrink takes faults away one by one, then nodes, time and objects, until nothing can
// go any more.
func (s *shrinking) shrink() {
	for again := true; again; {
		again = s.fewerFaults()
		for _, number := range []struct {
			of    func(*Scenario) *int
			least int
		}{
			{func(x *Scenario) *int { return &x.Nodes }, 2},
			{func(x *Scenario) *int { return &x.Seconds }, 5},
			{func(x *Scenario) *int { return &x.Objects }, 0},
		} {
			again = s.less(number.of, number.least) || again
		}
	}
	settled := s.best
	settled.Grown = false
	s.accept(settled)
}

func (s *shrinking) fewerFaults() (changed bool) {
	for i := 0; i < len(s.best.Faults); {
		less := s.best
		less.Faults = slices.Delete(slices.Clone(less.Faults), i, i+1)
		if s.accept(less) {
			changed = true
		} else {
			i++
		}
	}
	return changed
}

// less lowers a number: to the least, else by a half, a quarter, an eighth.
func (s *shrinking) less(of func(*Scenario) *int, least int) (changed bool) {
	for part := 1; part <= 8; {
		smaller := s.best
		n := of(&smaller)
		by := (*n - least) / part
		if by <= 0 {
			return changed
		}
		*n -= by
		if s.accept(smaller) {
			changed = true
		} else {
			part *= 2
		}
	}
	return changed
}

// accept plays a smaller scenario and keeps it if it fails in the same way.
func (s *shrinking) accept(x Scenario) bool {
	if s.tries >= maxTries || x.same(s.best) {
		return false
	}
	s.tries++
	s.tell(x)
	v, err := s.try(x)
	if err != nil || !v.breaks(s.oracle) {
		return false // one that cannot be played says nothing
	}
	s.best, s.verdict = x, v
	return true
}

func (s Scenario) same(x Scenario) bool { return s.Command() == x.Command() }
