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
		Seed: rng.Uint64N(1_000_000), Nodes: 10 + rng.IntN(51), Seconds: 30 + rng.IntN(121),
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
type kind struct {
	name  string
	flags func(*rand.Rand, *Scenario) []Flag
}

var faults = []kind{
	{"loss", func(rng *rand.Rand, _ *Scenario) []Flag { return one("loss", share(rng, 1, 5)) }},
	{"jitter", func(rng *rand.Rand, _ *Scenario) []Flag { return one("jitter", share(rng, 10, 80)) }},
	{"reorder", func(rng *rand.Rand, _ *Scenario) []Flag {
		return []Flag{{"transport", "datagram"}, {"reorder", share(rng, 1, 30)}}
	}},
	{"duplicate", func(rng *rand.Rand, _ *Scenario) []Flag {
		return []Flag{{"transport", "datagram"}, {"duplicate", share(rng, 1, 30)}}
	}},
	{"kill", func(rng *rand.Rand, s *Scenario) []Flag { return one("kill", moment(rng, s, 30)) }},
	{"join", func(rng *rand.Rand, s *Scenario) []Flag { return one("join", moment(rng, s, 100)) }},
	{"leave", func(rng *rand.Rand, s *Scenario) []Flag { return one("leave", moment(rng, s, 30)) }},
	{"stall", func(rng *rand.Rand, s *Scenario) []Flag {
		low := 50 + rng.IntN(350)
		return one("stall", fmt.Sprintf("%s:%dms-%dms", share(rng, 5, 30), low, low+rng.IntN(200)))
	}},
	{"churn", func(rng *rand.Rand, _ *Scenario) []Flag {
		return one("session-median", fmt.Sprintf("%ds", 60+rng.IntN(60)))
	}},
	{"partition", func(rng *rand.Rand, s *Scenario) []Flag { return one("partition", span(rng, s)) }},
	{"shuffle", func(rng *rand.Rand, _ *Scenario) []Flag {
		return one("shuffle-every", fmt.Sprintf("%dms", 100+rng.IntN(900)))
	}},
}

func one(name, value string) []Flag { return []Flag{{name, value}} }

func share(rng *rand.Rand, low, high int) string {
	return fmt.Sprintf("%.2f", float64(low+rng.IntN(high-low+1))/100)
}

func moment(rng *rand.Rand, s *Scenario, most int) string {
	return fmt.Sprintf("%s@%ds", share(rng, 5, most), 1+rng.IntN(s.Seconds/2))
}

// span is a partition of up to half a minute. The overlay may take two minutes to become
// one again (sim's mergeTime): the run goes on for long enough to see that it does.
func span(rng *rand.Rand, s *Scenario) string {
	from := 1 + rng.IntN(s.Seconds/2)
	to := from + 1 + rng.IntN(30)
	s.Seconds = max(s.Seconds, to+150)
	return fmt.Sprintf("%s@%ds-%ds", share(rng, 10, 50), from, to)
}
