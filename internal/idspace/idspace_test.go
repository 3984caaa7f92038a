package idspace_test

import (
	"math/big"
	"slices"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"pgregory.net/rapid"
)

func anyID(s idspace.Space) *rapid.Generator[idspace.ID] {
	return rapid.Custom(func(t *rapid.T) idspace.ID {
		b := rapid.SliceOfN(rapid.Byte(), idspace.Size, idspace.Size).Draw(t, "bytes")
		return s.Truncate(idspace.ID(b))
	})
}

func spaces(t *testing.T) map[string]idspace.Space {
	t.Helper()
	all := map[string]idspace.Space{"hex": idspace.Hex}
	for name, p := range map[string][2]int{"tiny4": {8, 2}, "tiny16": {8, 4}, "quad": {160, 2}} {
		s, err := idspace.NewSpace(p[0], p[1])
		if err != nil {
			t.Fatal(err)
		}
		all[name] = s
	}
	return all
}

// deltaString is the slow, obvious form of the surrogate distance.
func deltaString(s idspace.Space, v, k idspace.ID) string {
	out := make([]byte, s.Digits())
	for l := range out {
		out[l] = byte((int(s.Digit(v, l)) - int(s.Digit(k, l)) + s.Radix()) % s.Radix())
	}
	return string(out)
}

func TestCloserIsLexicographicDelta(t *testing.T) {
	for name, s := range spaces(t) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				a, b, k := anyID(s).Draw(t, "a"), anyID(s).Draw(t, "b"), anyID(s).Draw(t, "k")
				want := deltaString(s, a, k) < deltaString(s, b, k)
				if got := s.Closer(a, b, k); got != want {
					t.Fatalf("Closer = %v, slow form says %v", got, want)
				}
			})
		})
	}
}

func TestDigitsRoundTrip(t *testing.T) {
	for name, s := range spaces(t) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				id := anyID(s).Draw(t, "id")
				l := rapid.IntRange(0, s.Digits()-1).Draw(t, "l")
				d := idspace.Digit(rapid.IntRange(0, s.Radix()-1).Draw(t, "d"))
				got := s.WithDigit(id, l, d)
				if s.Digit(got, l) != d || s.WithDigit(got, l, s.Digit(id, l)) != id {
					t.Fatalf("digit %d of %v set to %d gave %v", l, id, d, got)
				}
				if p := s.CommonPrefix(id, got); (p == s.Digits()) != (id == got) || p < l {
					t.Fatalf("common prefix %d", p)
				}
			})
		})
	}
}

func TestClockwiseIsSubtractionOnTheRing(t *testing.T) {
	ring := new(big.Int).Lsh(big.NewInt(1), 160)
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyID(idspace.Hex).Draw(t, "a"), anyID(idspace.Hex).Draw(t, "b")
		want := new(big.Int).Sub(new(big.Int).SetBytes(b[:]), new(big.Int).SetBytes(a[:]))
		want.Mod(want, ring)
		d := idspace.Clockwise(a, b)
		if new(big.Int).SetBytes(d[:]).Cmp(want) != 0 {
			t.Fatalf("got %v, want %x", d, want)
		}
	})
}

func TestApartIsTheShorterWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyID(idspace.Hex).Draw(t, "a"), anyID(idspace.Hex).Draw(t, "b")
		ways := []idspace.ID{idspace.Clockwise(a, b), idspace.Clockwise(b, a)}
		if d := idspace.Apart(a, b); d != slices.MinFunc(ways, idspace.Compare) || d != idspace.Apart(b, a) {
			t.Fatalf("%v and %v are %v apart, the ways are %v", a, b, d, ways)
		}
	})
}

func TestSaltedKeysStartApart(t *testing.T) {
	g := idspace.Hash([]byte("object"))
	seen := map[idspace.Digit]bool{}
	for i := range 4 {
		seen[idspace.Hex.Digit(idspace.Hex.Salted(g, i, 4), 0)] = true
	}
	if len(seen) != 4 {
		t.Fatalf("4 salts share first digits: %v", seen)
	}
}

func TestParseRejects(t *testing.T) {
	for _, s := range []string{"", "12", "zz", idspace.ID{}.String() + "00"} {
		if _, err := idspace.Parse(s); err == nil {
			t.Errorf("Parse(%q) succeeded", s)
		}
	}
	if _, err := idspace.FromBytes(make([]byte, 19)); err == nil {
		t.Error("FromBytes took 19 bytes")
	}
	if _, err := idspace.NewSpace(160, 3); err == nil {
		t.Error("NewSpace took digits of 3 bits")
	}
}

// An arc is all that begins alike, from the first to the last.
func TestArcIsAllThatBeginsAlike(t *testing.T) {
	for name, s := range spaces(t) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				id, other := anyID(s).Draw(t, "id"), anyID(s).Draw(t, "other")
				n := rapid.IntRange(0, s.Digits()).Draw(t, "digits")
				for l := range rapid.IntRange(0, s.Digits()).Draw(t, "alike") {
					other = s.WithDigit(other, l, s.Digit(id, l))
				}
				lo, hi := s.Arc(id, n)
				within := idspace.Compare(lo, other) <= 0 && idspace.Compare(other, hi) <= 0
				if shared := s.CommonPrefix(id, other); within != (shared >= n) {
					t.Fatalf("%v and %v share %d digits; on the arc of %d digits from %v to %v: %v", id, other, shared, n, lo, hi, within)
				}
			})
		})
	}
}
