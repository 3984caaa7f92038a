package smallworld

import (
	"fmt"
	"runtime/debug"

	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Result is what an exploration has seen.
type Result struct {
	Depth   int // every order of so many choices was tried
	States  int // that differ, within that depth
	Merged  int // choices that led to a state seen before
	Settled int // states from which the overlay was let become whole, in all
	Problem *Problem
}

// Problem is an order of events after which something is not as it has to be.
type Problem struct {
	Why   string
	Steps []string
}

// Error tells the whole story.
func (p *Problem) Error() string {
	text := p.Why
	for i, s := range p.Steps {
		text += fmt.Sprintf("\n  %2d %s", i+1, s)
	}
	return text
}

// choice is what happens next: an act of the plan, the first message of a link, or, in
// silence, the next timer.
type choice struct {
	kind kind
	arg  int
}

type kind uint8

const (
	actNow kind = iota
	deliverFirst
	tickOn
)

// explorer walks all orders up to a depth, depth first.
type explorer struct {
	plan   Plan
	bounds Bounds
	seen   map[uint64]struct{}
	path   []choice
	result Result
}

// stride is how much deeper each walk goes than the one before.
const stride = 2

// Explore tries every order of a plan, deeper and deeper within bounds, up to the first
// problem.
func Explore(p Plan, b Bounds) (r Result, err error) {
	settled := 0
	for depth := min(stride, b.Depth); ; depth = min(depth+stride, b.Depth) {
		before := r.States
		if r, err = walk(p, Bounds{Depth: depth, Patience: b.Patience}); err != nil {
			return r, err
		}
		settled += r.Settled
		r.Settled = settled
		// What comes next would have about as many times more states as this had.
		growth := r.States / max(1, before)
		if r.Problem != nil || depth == b.Depth || r.States == before || before > 0 && growth*r.States > b.States {
			return r, nil
		}
	}
}

func walk(p Plan, b Bounds) (Result, error) {
	x := &explorer{plan: p, bounds: b, seen: make(map[uint64]struct{})}
	x.result.Depth = b.Depth
	s, err := newScene(&x.plan)
	if err != nil {
		return Result{}, err
	}
	x.visit(s)
	return x.result, nil
}

// visit goes on from a scene that is the outcome of the path. It uses the scene up.
func (x *explorer) visit(s *scene) {
	h := s.hash()
	if _, again := x.seen[h]; again {
		x.result.Merged++
		return
	}
	x.seen[h] = struct{}{}
	x.result.States++
	choices := s.choices()
	if len(x.path) == x.bounds.Depth || len(choices) == 0 {
		x.settle(s)
		return
	}
	for i, c := range choices {
		if x.result.Problem != nil {
			return
		}
		if i > 0 {
			s = x.again()
		}
		x.path = append(x.path, c)
		if x.guarded(func() error { s.apply(c); return nil }) {
			x.visit(s)
		}
		x.path = x.path[:len(x.path)-1]
	}
}

// settle lets the overlay become whole.
func (x *explorer) settle(s *scene) {
	x.result.Settled++
	x.guarded(func() error { return s.settle(x.bounds.Patience) })
}

// again plays the path once more.
func (x *explorer) again() *scene {
	s, err := newScene(&x.plan)
	if err != nil {
		panic("smallworld: " + err.Error()) // the first scene of the plan could be made
	}
	for _, c := range x.path {
		s.apply(c)
	}
	return s
}

// guarded does something and keeps what went wrong; it reports whether nothing did.
func (x *explorer) guarded(do func() error) bool {
	why := caught(do)
	if why == nil {
		return true
	}
	x.result.Problem = &Problem{Why: why.Error(), Steps: x.tell()}
	return false
}

// caught makes an error of a panic.
func caught(do func() error) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("panic: %v\n%s", why, debug.Stack())
		}
	}()
	return do()
}

// tell describes the path.
func (x *explorer) tell() (steps []string) {
	s, err := newScene(&x.plan)
	if err != nil {
		return nil
	}
	for _, c := range x.path {
		steps = append(steps, s.describe(c))
		if caught(func() error { s.apply(c); return nil }) != nil {
			break
		}
	}
	return steps
}

// choices lists what may happen next.
func (s *scene) choices() (all []choice) {
	for i, done := range s.done {
		if !done && !s.machines[s.plan.Acts[i].Who].down {
			all = append(all, choice{actNow, i})
		}
	}
	silent := true
	for i := range s.links {
		if len(s.links[i].queue) > 0 {
			silent = false
			all = append(all, choice{deliverFirst, i})
		}
	}
	if silent && s.next() != nil {
		all = append(all, choice{kind: tickOn})
	}
	return all
}

func (s *scene) apply(c choice) {
	switch c.kind {
	case actNow:
		s.act(c.arg)
	case deliverFirst:
		s.deliver(c.arg)
	case tickOn:
		s.tick()
	}
}

func (s *scene) describe(c choice) string {
	switch c.kind {
	case actNow:
		a := s.plan.Acts[c.arg]
		return fmt.Sprintf("%d %s", a.Who, a.What)
	case deliverFirst:
		from, to, what := c.arg/len(s.machines), c.arg%len(s.machines), "dial"
		if m := s.links[c.arg].queue[0]; m != nil {
			what = wire.Describe(m)
		}
		return fmt.Sprintf("%d > %d %s", from, to, what)
	}
	return fmt.Sprintf("timer %v of %d", s.next().due().key.Room, s.next().number)
}
