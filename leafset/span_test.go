package leafset_test

import (
	"slices"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/leafset"
	"pgregory.net/rapid"
)

// town is a ring of 256 places and who lives there, as one node's leaf set gets to know it.
type town struct {
	set   *leafset.Set
	lives [256]bool
}

const home = 100

func place(n int) idspace.ID { return idspace.ID{byte(n)} }

// anyone draws an inhabitant other than the node itself.
func (w *town) anyone(t *rapid.T) (int, bool) {
	var all []int
	for n, lives := range w.lives {
		if lives && n != home {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	return rapid.SampledFrom(all).Draw(t, "who"), true
}

// claim is what an inhabitant who knows everybody says of so many places up and down.
func (w *town) claim(of, up, down int) *leafset.Claim {
	c := &leafset.Claim{Of: place(of), Up: place(of), Down: place(of)}
	for i := 1; i <= up; i++ {
		if n := (of + i) % 256; w.lives[n] {
			c.Up, c.Named = place(n), append(c.Named, place(n))
		}
	}
	for i := 1; i <= down; i++ {
		if n := (of - i + 256) % 256; w.lives[n] {
			c.Down, c.Named = place(n), append(c.Named, place(n))
		}
	}
	return c
}

// covered is Covered, place by place: the slow way.
func (w *town) covered(t *rapid.T) (all []int) {
	for n := range 256 {
		if n != home && w.set.Covered(place(n), place(n)) {
			all = append(all, n)
		}
	}
	lo := rapid.IntRange(1, 255).Draw(t, "lo")
	hi := rapid.IntRange(lo, 255).Draw(t, "hi")
	want := true
	for i := lo; i <= hi; i++ {
		want = want && slices.Contains(all, (home+i)%256)
	}
	if got := w.set.Covered(place(home+lo), place(home+hi)); got && !want {
		t.Fatalf("%v covers from %d to %d, and not all that is between: %v", w.set, lo, hi, all)
	}
	return all
}

// Whoever lives on the covered span is a member, whatever comes and goes: as long as
// newcomers tell, those who are told dead are, and claims are true.
func TestAllOnTheCoveredSpanAreMembers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &town{set: leafset.New(place(home), rapid.IntRange(1, 5).Draw(t, "side"))}
		w.lives[home] = true
		t.Repeat(map[string]func(*rapid.T){
			"somebody comes and tells": func(t *rapid.T) {
				n := rapid.IntRange(0, 255).Draw(t, "place")
				w.lives[n] = true
				w.set.Insert(place(n))
			},
			"somebody dies": func(t *rapid.T) {
				if n, ok := w.anyone(t); ok {
					w.lives[n] = false
					w.set.Bury(place(n))
				}
			},
			"somebody is let go": func(t *rapid.T) {
				if n, ok := w.anyone(t); ok {
					w.set.Remove(place(n))
				}
			},
			"somebody comes and does not tell": func(t *rapid.T) {
				n := rapid.IntRange(0, 255).Draw(t, "place")
				if n != home && !w.lives[n] {
					w.lives[n] = true
					w.set.Doubt(place(n)) // it is named by others
				}
			},
			"somebody is found elsewhere": func(t *rapid.T) {
				if n, ok := w.anyone(t); ok {
					w.set.Insert(place(n))
				}
			},
			"somebody vouches": func(t *rapid.T) {
				if n, ok := w.anyone(t); ok {
					w.set.Vouch(w.claim(n, rapid.IntRange(0, 100).Draw(t, "up"), rapid.IntRange(0, 100).Draw(t, "down")))
				}
			},
			"": func(t *rapid.T) {
				if err := w.set.Check(); err != nil {
					t.Fatal(err)
				}
				for _, n := range w.covered(t) {
					if w.lives[n] && !w.set.Has(place(n)) {
						t.Fatalf("%d lives on the covered span of %v and is no member", n, w.set)
					}
				}
			},
		})
	})
}

// One true claim that reaches beyond all members covers them all, those alone.
func TestAClaimCoversTheMembersThatItNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &town{set: leafset.New(place(home), rapid.IntRange(1, 4).Draw(t, "side"))}
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 255), 1, 12, rapid.ID).Draw(t, "lives") {
			w.lives[n] = true
			w.set.Insert(place(n))
		}
		w.lives[home] = true
		for _, id := range w.set.All() {
			w.set.Vouch(w.claim(int(id[0]), 255, 255))
		}
		if !w.set.Complete() {
			up, down := w.set.Span()
			t.Fatalf("%v is covered %d up and %d down", w.set, up, down)
		}
	})
}

// A leaf set that was filled from elsewhere has gaps: only what is vouched for is covered.
func TestMembersAloneCoverNothing(t *testing.T) {
	s := leafset.New(place(home), 2)
	for _, n := range []int{90, 95, 105, 110} {
		s.Insert(place(n))
	}
	span := func() [2]int {
		up, down := s.Span()
		return [2]int{up, down}
	}
	claim := func(of, up, down int, named ...int) *leafset.Claim {
		c := &leafset.Claim{Of: place(of), Up: place(up), Down: place(down)}
		for _, n := range named {
			c.Named = append(c.Named, place(n))
		}
		return c
	}
	for _, step := range []struct {
		name string
		do   func()
		want [2]int
	}{
		{"at first", func() {}, [2]int{0, 0}},
		{"a claim that does not touch", func() { s.Vouch(claim(110, 120, 105, 105, 120)) }, [2]int{0, 0}},
		{"the next one's", func() { s.Vouch(claim(105, 105, 100, 100)) }, [2]int{1, 0}},
		{"now it touches", func() { s.Vouch(claim(110, 120, 105, 105, 120)) }, [2]int{2, 0}},
		{"with somebody unknown", func() { s.Vouch(claim(95, 100, 80, 100, 92, 90, 80)) }, [2]int{2, 1}},
		{"somebody unknown is named", func() { s.Doubt(place(107)) }, [2]int{1, 1}},
		{"who turns out to be dead", func() { s.Vouch(claim(105, 110, 100, 100, 110)) }, [2]int{2, 1}},
		{"the first one dies", func() { s.Bury(place(105)) }, [2]int{1, 1}},
		{"the next one is let go", func() { s.Remove(place(110)) }, [2]int{0, 1}},
	} {
		if step.do(); span() != step.want {
			t.Fatalf("%s: %v, want %v", step.name, span(), step.want)
		}
	}
}

// A claim denies whom it does not name on its span, and says nothing of others.
func TestAClaimDeniesWhomItDoesNotName(t *testing.T) {
	around := &leafset.Claim{Of: place(100), Up: place(110), Down: place(95), Named: []idspace.ID{place(95), place(104), place(110), place(120)}}
	edge := &leafset.Claim{Of: place(100), Up: place(100), Down: place(100)}
	for n, denied := range map[int]bool{90: false, 95: false, 97: true, 100: false, 102: true, 104: false, 109: true, 110: false, 112: false, 120: false} {
		if around.Denies(place(n)) != denied {
			t.Errorf("%d, around 95 to 110 but 104: denied %v", n, !denied)
		}
		if edge.Denies(place(n)) {
			t.Errorf("%d is denied by who claims nothing", n)
		}
	}
}
