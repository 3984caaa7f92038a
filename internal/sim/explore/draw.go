package explore

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Draw returns scenario i of a seed.
func Draw(seed uint64, i int) Scenario {
	rng := rand.New(rand.NewPCG(seed, uint64(i)))
	s := Scenario{
		Seed: rng.Uint64N(1_000_000), Nodes: 10 + rng.IntN(51), Seconds: 20 + rng.IntN(41),
		Objects: 5 + rng.IntN(26), Grown: rng.IntN(3) > 0,
	}
	kinds := slices.Clone(faults)
	rng.Shuffle(len(kinds), func(a, b int) { kinds[a], kinds[b] = kinds[b], kinds[a] })
	for _, k := range kinds[:rng.IntN(4)] {
		f := Fault{Name: k.name, Flags: k.flags(rng, &s)}
		s.Faults = append(s.Faults, f)
	}
	return s
}

// kind is a fault that can be drawn. Times are early enough for the harm to be seen.
// Loss and jitter stay below what looks like a death: the oracles forgive no hole that a false
// death leaves where nobody has come or gone for long.
type kind struct {
	name  string
	flags func(*rand.Rand, *Scenario) []Flag
}

var faults = []kind{
	{"loss", func(rng *rand.Rand, _ *Scenario) []Flag { return one("loss", share(rng, 1, 2)) }},
	{"jitter", func(rng *rand.Rand, _ *Scenario) []Flag { return one("jitter", share(rng, 10, 50)) }},
	{"reorder", func(rng *rand.Rand, _ *Scenario) []Flag {
		return []Flag{{"transport", "datagram"}, {"reorder", share(rng, 1, 30)}}
	}},
	{"duplicate", func(rng *rand.Rand, _ *Scenario) []Flag {
		return []Flag{{"transport", "datagram"}, {"duplicate", share(rng, 1, 30)}}
	}},
	{"kill", func(rng *rand.Rand, s *Scenario) []Flag { return one("kill", moment(rng, s, 30)) }},
	{"join", func(rng *rand.Rand, s *Scenario) []Flag { return one("join", joining(rng, s)) }},
	{"leave", func(rng *rand.Rand, s *Scenario) []Flag { return one("leave", moment(rng, s, 30)) }},
	{"stall", func(rng *rand.Rand, s *Scenario) []Flag {
		// A false death leaves holes, which are forgiven for graceTime after somebody came.
		s.Seconds = min(s.Seconds, 50)
		low := 50 + rng.IntN(350)
		return []Flag{{"stall", fmt.Sprintf("%s:%dms-%dms", share(rng, 5, 30), low, low+rng.IntN(200))}, {"join", "0.10@1s"}}
	}},
	{"churn", func(rng *rand.Rand, s *Scenario) []Flag {
		s.Grown = true // see joining: the first to come would come into an old overlay
		return one("session-median", fmt.Sprintf("%ds", 60+rng.IntN(60)))
	}},
	{"partition", func(rng *rand.Rand, s *Scenario) []Flag {
		s.Objects = 0 // a side that has buried the other rightly knows none of its objects
		return one("partition", span(rng, s, 20))
	}},
}

func one(name, value string) []Flag { return []Flag{{name, value}} }

func share(rng *rand.Rand, low, high int) string {
	return fmt.Sprintf("%.2f", float64(low+rng.IntN(high-low+1))/100)
}

func moment(rng *rand.Rand, s *Scenario, most int) string {
	return fmt.Sprintf("%s@%ds", share(rng, 5, most), 1+rng.IntN(s.Seconds/2))
}

// joining is right after an audit (sim's auditEvery): a node that is about to join is
// routed to before it is a member, which an audit forgives only once somebody has joined.
func joining(rng *rand.Rand, s *Scenario) string {
	return fmt.Sprintf("%s@%ds", share(rng, 10, 100), 1+5*rng.IntN(s.Seconds/10))
}

// span is a partition in the first half. Findings of its time count 50 s after they were
// first made (sim's graceTime), and mending begins only when it is over: so it begins
// late enough for the run to end before.
func span(rng *rand.Rand, s *Scenario, most int) string {
	from := max(1, s.Seconds-45) + rng.IntN(s.Seconds/4)
	return fmt.Sprintf("%s@%ds-%ds", share(rng, 10, 50), from, from+1+rng.IntN(most))
}
