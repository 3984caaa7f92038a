package wire_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

func TestBranchesSurvivePacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(anyBranch).Draw(t, "branches")
		var packed []byte
		for i, b := range want {
			if packed = wire.AppendBranch(packed, b); len(packed) != 67*(i+1) {
				t.Fatalf("%d branches in %d bytes", i+1, len(packed))
			}
		}
		if got := wire.Branches(packed); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestTheAgeOfATokenIsRoundedToWhatTheWireCanSay(t *testing.T) {
	for age, want := range map[time.Duration]time.Duration{
		-time.Hour:             0,
		-1:                     0,
		99 * time.Millisecond:  0,
		199 * time.Millisecond: 100 * time.Millisecond,
		105 * time.Second:      105 * time.Second,
		2 * time.Hour:          6553500 * time.Millisecond,
		math.MaxInt64:          6553500 * time.Millisecond,
	} {
		if got := wire.Branches(wire.AppendBranch(nil, wire.Branch{Age: age})); len(got) != 1 || got[0].Age != want {
			t.Errorf("%v became %v, want %v", age, got, want)
		}
	}
}

func TestNamesOfBranchesSurvivePacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(anyBranchName).Draw(t, "names")
		var packed []byte
		for i, n := range want {
			if packed = wire.AppendBranchName(packed, n); len(packed) != 9*(i+1) {
				t.Fatalf("%d names in %d bytes", i+1, len(packed))
			}
		}
		if got := wire.BranchNames(packed); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestABranchBeginsWithItsName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := anyBranch.Draw(t, "branch")
		names := wire.BranchNames(wire.AppendBranch(nil, b)[:9])
		if len(names) != 1 || names[0] != (wire.BranchName{Server: b.Server, Copy: b.Copy}) {
			t.Fatalf("%v begins with %v", b, names)
		}
	})
}

func TestPrintsAndServersSurvivePacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prints, servers := rapid.SliceOf(rapid.Uint64()).Draw(t, "prints"), rapid.SliceOf(anyServerRef).Draw(t, "servers")
		var packedPrints, packedServers []byte
		for _, p := range prints {
			packedPrints = wire.AppendPrint(packedPrints, p)
		}
		for _, s := range servers {
			packedServers = append(packedServers, s[:]...)
		}
		if got := wire.Prints(packedPrints); !slices.Equal(got, prints) || len(packedPrints) != 8*len(prints) {
			t.Fatalf("prints %v, want %v", got, prints)
		}
		if got := wire.ServerRefs(packedServers); !slices.Equal(got, servers) {
			t.Fatalf("servers %v, want %v", got, servers)
		}
	})
}

// A digest of a set can be kept while it changes: in any order, and as if what has gone had never been.
func TestASumIsOfWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stay, gone := rapid.SliceOf(anySum).Draw(t, "stay"), rapid.SliceOf(anySum).Draw(t, "gone")
		var want, sum wire.Sum
		for _, s := range stay {
			want = want.Plus(s)
		}
		for _, s := range rapid.Permutation(slices.Concat(stay, gone)).Draw(t, "order") {
			sum = sum.Plus(s)
		}
		for _, s := range gone {
			sum = sum.Minus(s)
		}
		if sum != want {
			t.Fatalf("%v, want %v", sum, want)
		}
	})
}

func TestASumCarriesIntoItsUpperHalf(t *testing.T) {
	low, one := wire.Sum{Lo: math.MaxUint64}, wire.Sum{Lo: 1}
	if got := low.Plus(one); got != (wire.Sum{Hi: 1}) {
		t.Errorf("plus: %v", got)
	}
	if got := (wire.Sum{Hi: 1}).Minus(one); got != low {
		t.Errorf("minus: %v", got)
	}
	if got := (wire.Sum{}).Minus(one); got != (wire.Sum{Hi: math.MaxUint64, Lo: math.MaxUint64}) {
		t.Errorf("below zero: %v", got)
	}
}
