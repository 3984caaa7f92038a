package surrogate_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/surrogate"
	"pgregory.net/rapid"
)

// slow is the root rule in plain words over lists: the oracle beside Next.
type slow struct {
	space  idspace.Space
	self   idspace.ID
	inMap  []neighbormap.Neighbor
	leaves []idspace.ID
	down   []idspace.ID // suspected
	skip   surrogate.Skip
}

func slowForm(t *surrogate.Tables, skip surrogate.Skip) *slow {
	s := &slow{space: t.Space, self: t.Self, inMap: t.Map.All(), leaves: t.Leaves.All(), skip: skip}
	for _, n := range s.inMap {
		if n.Suspect {
			s.down = append(s.down, n.ID)
		}
	}
	for _, id := range s.leaves {
		if t.Leaves.Suspected(id) {
			s.down = append(s.down, id)
		}
	}
	return s
}

func (s *slow) exists(id idspace.ID) bool { return !slices.Contains(s.skip.Excluded, id) }

func (s *slow) usable(id idspace.ID) bool {
	return s.exists(id) && !slices.Contains(s.skip.Tried, id) && !slices.Contains(s.down, id)
}

// slot lists the existing nodes of a slot, nearest first.
func (s *slow) slot(level int, d idspace.Digit) []idspace.ID {
	var in []neighbormap.Neighbor
	for _, n := range s.inMap {
		if s.exists(n.ID) && s.space.CommonPrefix(n.ID, s.self) == level && s.space.Digit(n.ID, level) == d {
			in = append(in, n)
		}
	}
	slices.SortFunc(in, func(a, b neighbormap.Neighbor) int {
		return cmp.Or(cmp.Compare(a.RTT, b.RTT), idspace.Compare(a.ID, b.ID))
	})
	ids := make([]idspace.ID, len(in))
	for i, n := range in {
		ids[i] = n.ID
	}
	return ids
}

// next is the first slot in order of δ before self, then a detour if it is blocked.
func (s *slow) next(key idspace.ID) surrogate.Hop {
	last := 0
	for _, n := range s.inMap {
		last = max(last, s.space.CommonPrefix(n.ID, s.self))
	}
	for level := range s.space.Digits() {
		for i := range s.space.Radix() {
			d := idspace.Digit((int(s.space.Digit(key, level)) + i) % s.space.Radix())
			if d == s.space.Digit(s.self, level) {
				break
			}
			in := s.slot(level, d)
			if len(in) == 0 {
				continue
			}
			at := slices.IndexFunc(in, s.usable)
			switch {
			case at < 0:
				return s.detour(key, level, d)
			case at == 0:
				return surrogate.Hop{To: in[0], Rule: wire.Rule_RULE_SLOT, Level: level, Digit: d}
			}
			return surrogate.Hop{To: in[at], Rule: wire.Rule_RULE_BACKUP, Level: level, Digit: d}
		}
	}
	if len(s.nearer(key)) > 0 {
		return s.detour(key, last, s.space.Digit(s.self, last))
	}
	return surrogate.Hop{To: s.self, Rule: wire.Rule_RULE_ROOT, Level: last, Digit: s.space.Digit(s.self, last)}
}

// nearer lists all existing nodes known whose δ is smaller than self's.
func (s *slow) nearer(key idspace.ID) (ids []idspace.ID) {
	mine := deltaString(s.space, s.self, key)
	for _, n := range s.inMap {
		ids = append(ids, n.ID)
	}
	ids = append(ids, s.leaves...)
	return slices.DeleteFunc(ids, func(id idspace.ID) bool {
		return !s.exists(id) || deltaString(s.space, id, key) >= mine
	})
}

func (s *slow) detour(key idspace.ID, level int, d idspace.Digit) surrogate.Hop {
	hop := surrogate.Hop{Level: level, Digit: d}
	able := slices.DeleteFunc(s.nearer(key), func(id idspace.ID) bool { return !s.usable(id) })
	if len(able) == 0 {
		hop.Wait = true
		return hop
	}
	hop.To, hop.Rule = surrogate.Root(s.space, able, key), wire.Rule_RULE_CLOSER
	return hop
}

// scene is one node's tables, gaps and suspects included, and a question.
type scene struct {
	tables *surrogate.Tables
	key    idspace.ID
	skip   surrogate.Skip
	nodes  []idspace.ID
}

// some draws a sublist.
func some(t *rapid.T, from []idspace.ID, name string) []idspace.ID {
	return slices.DeleteFunc(slices.Clone(from), func(idspace.ID) bool { return rapid.IntRange(0, 2).Draw(t, name) > 0 })
}

func drawScene(t *rapid.T, space idspace.Space) *scene {
	nodes, r := tinyNodes.Draw(t, "nodes"), source.Draw(t, "rtt")
	s := &scene{nodes: nodes[1:], key: idspace.ID{rapid.Byte().Draw(t, "key")}}
	s.tables = know(space, nodes[0], s.nodes, r)
	// A hole that a leaf could fill must not happen, but if it does the answer must hold.
	for _, id := range some(t, s.nodes, "not in map") {
		s.tables.Map.Remove(id)
	}
	for _, id := range some(t, s.nodes, "no leaf") {
		s.tables.Leaves.Remove(id)
	}
	for _, id := range some(t, s.nodes, "suspect") {
		s.tables.Map.SetState(id, neighbormap.Suspect)
		s.tables.Leaves.SetState(id, leafset.Suspect)
	}
	s.skip = surrogate.Skip{Excluded: some(t, s.nodes, "excluded"), Tried: some(t, s.nodes, "tried")}
	return s
}

func checkScenes(t *testing.T, check func(*rapid.T, *scene)) {
	for _, digitBits := range []int{2, 4, 8} {
		space := newSpace(t, 8, digitBits)
		rapid.Check(t, func(t *rapid.T) { check(t, drawScene(t, space)) })
	}
}

func TestNextEqualsTheRuleInPlainWords(t *testing.T) {
	checkScenes(t, func(t *rapid.T, s *scene) {
		want := slowForm(s.tables, s.skip).next(s.key)
		if got := s.tables.Next(s.key, s.skip); got != want {
			t.Fatalf("next %+v, want %+v\nmap %v\nleaves %v", got, want, s.tables.Map, s.tables.Leaves)
		}
	})
}

// Design §3, §5: no loop, nobody excluded or tried, no early "I am the root".
func TestNextIsSafeWhateverTheTables(t *testing.T) {
	checkScenes(t, func(t *rapid.T, s *scene) {
		hop := s.tables.Next(s.key, s.skip)
		slow := slowForm(s.tables, s.skip)
		nearer := slow.nearer(s.key)
		switch {
		case hop.Rule == wire.Rule_RULE_ROOT:
			if hop.To != s.tables.Self || len(nearer) > 0 {
				t.Fatalf("root, but %v are nearer", nearer)
			}
		case hop.Wait:
			if hop.Rule != wire.Rule_RULE_NONE || len(nearer) == 0 || slices.ContainsFunc(nearer, slow.usable) {
				t.Fatalf("waits, nearer are %v", nearer)
			}
		case !slow.usable(hop.To):
			t.Fatalf("goes to %v, which is excluded, tried or suspected", hop.To)
		case !s.tables.Space.Closer(hop.To, s.tables.Self, s.key):
			t.Fatalf("goes to %v, which is not closer to %v than %v", hop.To, s.key, s.tables.Self)
		}
	})
}

func TestExcludingIsForgetting(t *testing.T) {
	checkScenes(t, func(t *rapid.T, s *scene) {
		got := s.tables.Next(s.key, s.skip)
		for _, id := range s.skip.Excluded {
			s.tables.Map.Remove(id)
			s.tables.Leaves.Remove(id)
		}
		want := s.tables.Next(s.key, surrogate.Skip{Tried: s.skip.Tried})
		if want.Rule == wire.Rule_RULE_ROOT || got.Level != want.Level && want.Wait {
			// The map may have fewer levels now, which only the explanation shows.
			got.Level, got.Digit = want.Level, want.Digit
		}
		if got.To != want.To || got.Rule != want.Rule || got.Wait != want.Wait {
			t.Fatalf("with exclusions %+v, without the nodes %+v", got, want)
		}
	})
}

func TestCourseIsNextWithoutSuspicion(t *testing.T) {
	checkScenes(t, func(t *rapid.T, s *scene) {
		course := s.tables.Course(s.key)
		for _, n := range s.tables.Map.All() {
			s.tables.Map.SetState(n.ID, neighbormap.Alive)
		}
		for _, id := range s.tables.Leaves.All() {
			s.tables.Leaves.SetState(id, leafset.Alive)
		}
		if next := s.tables.Next(s.key, surrogate.Skip{}); course != next {
			t.Fatalf("course %+v, next without suspicion %+v", course, next)
		}
	})
}

func TestTryingIsSuspecting(t *testing.T) {
	checkScenes(t, func(t *rapid.T, s *scene) {
		got := s.tables.Next(s.key, s.skip)
		for _, id := range s.skip.Tried {
			s.tables.Map.SetState(id, neighbormap.Suspect)
			s.tables.Leaves.SetState(id, leafset.Suspect)
		}
		if want := s.tables.Next(s.key, surrogate.Skip{Excluded: s.skip.Excluded}); got != want {
			t.Fatalf("tried %+v, suspected %+v", got, want)
		}
	})
}

func TestHeirsAreTheKnownNodesInOrderOfDelta(t *testing.T) {
	checkScenes(t, func(t *rapid.T, s *scene) {
		space, k := s.tables.Space, rapid.IntRange(0, 30).Draw(t, "k")
		var want []idspace.ID
		mine := deltaString(space, s.tables.Self, s.key)
		for _, id := range s.nodes {
			known := s.tables.Map.Has(id) || s.tables.Leaves.Has(id)
			if known && deltaString(space, id, s.key) > mine {
				want = append(want, id)
			}
		}
		slices.SortFunc(want, func(a, b idspace.ID) int {
			return cmp.Compare(deltaString(space, a, s.key), deltaString(space, b, s.key))
		})
		want = want[:min(k, len(want))]
		if got := s.tables.Heirs(s.key, k); !slices.Equal(got, want) {
			t.Fatalf("heirs %v, want %v", got, want)
		}
	})
}

func hexID(t testing.TB, digits string) idspace.ID {
	t.Helper()
	id, err := idspace.Parse((digits + idspace.ID{}.String())[:2*idspace.Size])
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// blocked is node 0… with two nodes in slot 0/5, one in slot 0/7 and one leaf.
func blocked(t testing.TB) *surrogate.Tables {
	tables := know(idspace.Hex, hexID(t, "0"), nil, nil)
	for i, digits := range []string{"51", "52", "71"} {
		tables.Map.Insert(neighbormap.Neighbor{ID: hexID(t, digits), RTT: time.Duration(i + 1)})
	}
	tables.Leaves.Insert(hexID(t, "58"))
	return tables
}

func TestRulesInTheirOrder(t *testing.T) {
	ids := func(digits ...string) (out []idspace.ID) {
		for _, d := range digits {
			out = append(out, hexID(t, d))
		}
		return out
	}
	for _, c := range []struct {
		name string
		skip surrogate.Skip
		to   string
		rule wire.Rule
	}{
		{"primary", surrogate.Skip{}, "51", wire.Rule_RULE_SLOT},
		{"primary tried: backup", surrogate.Skip{Tried: ids("51")}, "52", wire.Rule_RULE_BACKUP},
		{"primary excluded: the next is primary", surrogate.Skip{Excluded: ids("51")}, "52", wire.Rule_RULE_SLOT},
		{"slot tried: a leaf with smaller δ than the next slot", surrogate.Skip{Tried: ids("51", "52")}, "58", wire.Rule_RULE_CLOSER},
		{"leaf tried too: the next slot", surrogate.Skip{Tried: ids("51", "52", "58")}, "71", wire.Rule_RULE_CLOSER},
		{"all tried: wait", surrogate.Skip{Tried: ids("51", "52", "58", "71")}, "", wire.Rule_RULE_NONE},
		{"map excluded: the leaf knows better", surrogate.Skip{Excluded: ids("51", "52", "71")}, "58", wire.Rule_RULE_CLOSER},
		{"all excluded: root", surrogate.Skip{Excluded: ids("51", "52", "58", "71")}, "0", wire.Rule_RULE_ROOT},
	} {
		t.Run(c.name, func(t *testing.T) {
			hop := blocked(t).Next(hexID(t, "50"), c.skip)
			if hop.To != hexID(t, c.to) || hop.Rule != c.rule || hop.Wait != (c.rule == wire.Rule_RULE_NONE) {
				t.Errorf("got %+v", hop)
			}
		})
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	tables := blocked(t)
	key := hexID(t, "50")
	all := []idspace.ID{hexID(t, "51"), hexID(t, "52"), hexID(t, "58"), hexID(t, "71")}
	for i := range all {
		for _, skip := range []surrogate.Skip{{Tried: all[:i+1]}, {Excluded: all[:i+1]}} {
			if n := testing.AllocsPerRun(100, func() { tables.Next(key, skip) }); n > 0 {
				t.Errorf("%v allocations with %+v", n, skip)
			}
		}
	}
}

// BenchmarkNextHop asks one node of 10 000 for the next hop.
func BenchmarkNextHop(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	nodes := randomIDs(r, 10_000)
	tables := know(idspace.Hex, nodes[0], nodes[1:], r)
	random, deep, rooted := make([]idspace.ID, 512), make([]idspace.ID, 512), make([]idspace.ID, 512)
	for i := range random {
		random[i] = randomID(r)
		deep[i] = randomID(r)
		for l := range i % 5 {
			deep[i] = idspace.Hex.WithDigit(deep[i], l, idspace.Hex.Digit(nodes[0], l))
		}
		rooted[i] = randomID(r)
		for l := 0; surrogate.Root(idspace.Hex, nodes, rooted[i]) != nodes[0]; l++ {
			rooted[i] = idspace.Hex.WithDigit(rooted[i], l, idspace.Hex.Digit(nodes[0], l))
		}
	}
	for _, c := range []struct {
		name string
		keys []idspace.ID
	}{{"keys=random", random}, {"keys=sharing0to4digits", deep}, {"keys=rootedhere", rooted}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				tables.Next(c.keys[i%len(c.keys)], surrogate.Skip{})
				i++
			}
		})
	}
}
