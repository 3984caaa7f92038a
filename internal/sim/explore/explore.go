package explore

import (
	"fmt"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/sim"
)

// Options say how much to explore.
type Options struct {
	Runs int    // scenarios to draw
	Seed uint64 // of the drawing; scenario i of a seed is always the same
	// Progress is told before each scenario and each step of shrinking, if not nil.
	Progress func(Progress)
}

// Progress is how far an exploration is.
type Progress struct {
	Done, Runs int
	Scenario   Scenario // about to be played
	Shrinking  bool
}

// Result is what was found.
type Result struct {
	Seed     uint64         `json:"seed"`
	Runs     int            `json:"runs"`
	Events   uint64         `json:"events"` // messages and timers of all measured parts
	Faults   map[string]int `json:"faults"` // how many scenarios had each
	Failures []Failure      `json:"failures"`
}

// Failure is a scenario that an oracle objects to.
type Failure struct {
	Run        int      `json:"run"`
	Oracle     string   `json:"oracle"`
	Command    string   `json:"command"`    // repeats the shrunk scenario
	Drawn      string   `json:"drawn"`      // repeats the one that was drawn
	Tries      int      `json:"tries"`      // scenarios played to shrink it
	Violations []string `json:"violations"` // of the shrunk scenario
}

// verdict is what the oracles say of one scenario.
type verdict struct {
	oracles []string // that object, in order
	texts   []string
	events  uint64
}

func (v verdict) breaks(oracle string) bool { return slices.Contains(v.oracles, oracle) }

// judge plays one scenario. A variable for the sake of the tests of shrinking.
type judge func(Scenario) (verdict, error)

// Run draws and plays scenarios. It fails only where a scenario cannot be played; what
// the oracles find is in the result.
func Run(o Options) (Result, error) { return run(o, play) }

func run(o Options, try judge) (Result, error) {
	r := Result{Seed: o.Seed, Runs: o.Runs, Faults: map[string]int{}, Failures: []Failure{}}
	for i := range o.Runs {
		s := Draw(o.Seed, i)
		o.tell(Progress{Done: i, Runs: o.Runs, Scenario: s})
		v, err := try(s)
		if err != nil {
			return r, fmt.Errorf("scenario %d: %s: %w", i, s.Command(), err)
		}
		r.Events += v.events
		for _, f := range s.Faults {
			r.Faults[f.Name]++
		}
		if len(v.oracles) == 0 {
			continue
		}
		small := shrinking{oracle: v.oracles[0], try: try, best: s, verdict: v, tell: func(s Scenario) {
			o.tell(Progress{Done: i, Runs: o.Runs, Scenario: s, Shrinking: true})
		}}
		small.shrink()
		r.Failures = append(r.Failures, Failure{
			Run: i, Oracle: small.oracle, Command: small.best.Command(), Drawn: s.Command(),
			Tries: small.tries, Violations: small.verdict.texts,
		})
	}
	return r, nil
}

func (o *Options) tell(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

// play asks the simulator. A machine that panics breaks an oracle of its own.
func play(s Scenario) (v verdict, err error) {
	cfg, err := s.Config()
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return v, err
	}
	defer func() {
		if why := recover(); why != nil {
			v = verdict{oracles: []string{panicked}, texts: []string{fmt.Sprintf("panic: %v\n%s", why, debug.Stack())}}
		}
	}()
	r, err := sim.Run(cfg)
	if err != nil {
		return verdict{oracles: []string{growth}, texts: []string{err.Error()}}, nil
	}
	v.texts, v.events = r.Violations, r.Events
	for _, oracle := range slices.Sorted(maps.Keys(r.Oracles)) {
		if r.Oracles[oracle] > 0 {
			v.oracles = append(v.oracles, oracle)
		}
	}
	return v, nil
}

// Oracles of this room, beside those of sim.
const (
	panicked = "panic"  // a machine panicked
	growth   = "growth" // the overlay did not come about
)
