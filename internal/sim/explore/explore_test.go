package explore

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestAFewScenariosHold(t *testing.T) {
	told := 0
	r, err := Run(Options{Runs: 3, Seed: 1, Progress: func(Progress) { told++ }})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Failures {
		t.Errorf("%s: %s\n%s", f.Oracle, f.Command, strings.Join(f.Violations, "\n"))
	}
	if told != 3 || r.Events == 0 {
		t.Errorf("told of %d scenarios, %d events", told, r.Events)
	}
}

func TestDrawingIsRepeatableAndReachesEveryFault(t *testing.T) {
	seen := map[string]bool{}
	for i := range 300 {
		s := Draw(7, i)
		if !reflect.DeepEqual(s, Draw(7, i)) {
			t.Fatalf("scenario %d is drawn in two ways", i)
		}
		cfg, err := s.Config()
		if err != nil {
			t.Fatalf("%s: %v", s.Command(), err)
		}
		if err := cfg.Validate(); err != nil {
			t.Fatalf("%s: %v", s.Command(), err)
		}
		for _, f := range s.Faults {
			seen[f.Name] = true
		}
	}
	for _, k := range faults {
		if !seen[k.name] {
			t.Errorf("%s was never drawn", k.name)
		}
	}
	if reflect.DeepEqual(Draw(7, 0), Draw(8, 0)) {
		t.Error("two seeds draw the same")
	}
}

// TestAFailureShrinks lets an oracle object to what has a kill and at least 13 nodes:
// that is what has to be left.
func TestAFailureShrinks(t *testing.T) {
	killed := func(s Scenario) bool {
		return slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.Name == "kill" })
	}
	broken := func(s Scenario) (v verdict, err error) {
		if s.Nodes >= 13 && killed(s) {
			v.oracles = []string{"one_root"}
		}
		return v, nil
	}
	r, err := run(Options{Runs: 60, Seed: 3}, broken)
	if err != nil || len(r.Failures) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, f := range r.Failures {
		if !strings.Contains(f.Command, "--nodes=13 --duration=5s") || !strings.Contains(f.Command, "--objects=0 --warm=always --kill=") ||
			strings.Count(f.Command, "--") != 7 {
			t.Errorf("%s, after %d tries, is left of %s", f.Command, f.Tries, f.Drawn)
		}
	}
}

// TestARealFailureIsToldWithItsCommand plays a network that loses so much that an oracle
// has to object.
func TestARealFailureIsToldWithItsCommand(t *testing.T) {
	s := Scenario{Seed: 1, Nodes: 20, Seconds: 90, Objects: 5, Faults: []Fault{
		{"loss", []Flag{{"transport", "datagram"}, {"loss", "0.6"}}},
	}}
	v, err := play(s)
	if err != nil || len(v.oracles) == 0 || !strings.Contains(strings.Join(v.texts, "\n"), s.Command()) {
		t.Errorf("%+v, %v", v, err)
	}
}
