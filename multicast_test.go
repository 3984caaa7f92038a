package tapestry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapestry-dolr/tapestry"
	"pgregory.net/rapid"
)

func TestAPrefixIsItsDigits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var id tapestry.ID
		copy(id[:], rapid.SliceOfN(rapid.Byte(), len(id), len(id)).Draw(t, "id"))
		digits := rapid.IntRange(0, 40).Draw(t, "digits")
		p, err := tapestry.PrefixOf(id, digits)
		if err != nil || p.String() != id.String()[:digits] || !p.Covers(id) {
			t.Fatalf("%v, %v", p, err)
		}
		if again, err := tapestry.ParsePrefix(strings.ToUpper(p.String())); err != nil || again != p {
			t.Fatalf("%v reads as %v, %v", p, again, err)
		}
		var other tapestry.ID
		copy(other[:], rapid.SliceOfN(rapid.Byte(), len(id), len(id)).Draw(t, "other"))
		if p.Covers(other) != strings.HasPrefix(other.String(), p.String()) {
			t.Fatalf("%v covers %v: %v", p, other, p.Covers(other))
		}
	})
	for _, bad := range []string{"xyz", "3-", strings.Repeat("0", 41)} {
		if _, err := tapestry.ParsePrefix(bad); err == nil {
			t.Errorf("%q is no prefix", bad)
		}
	}
	for _, digits := range []int{-1, 41} {
		if _, err := tapestry.PrefixOf(tapestry.ID{}, digits); err == nil {
			t.Errorf("%d digits are no prefix", digits)
		}
	}
	if !tapestry.Everybody.Covers(tapestry.ID{1}) || tapestry.Everybody.String() != "" {
		t.Error("everybody is not everybody")
	}
}

func TestAMulticastReachesEveryNodeUnderThePrefixOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := world(t, 6)
		handlers := echoes(nodes[1:]) // the first node handles nothing
		for _, to := range []tapestry.Prefix{tapestry.Everybody, prefixOf(t, nodes[0], 1), prefixOf(t, nodes[3], 1), prefixOf(t, nodes[5], 40)} {
			for i, from := range nodes {
				before := make([]int, len(handlers))
				for j, h := range handlers {
					before[j] = h.count()
				}
				r, err := from.Multicast(t.Context(), to, app, []byte(to.String()))
				want := tapestry.MulticastReport{}
				for j, n := range nodes {
					if !to.Covers(n.ID()) {
						continue
					}
					want.Reached++
					if j == 0 {
						continue
					}
					want.Handled++
					m := handlers[j-1].last()
					if handlers[j-1].count() != before[j-1]+1 || !m.Multicast || m.From != from.ID() || string(m.Payload) != to.String() || !to.Covers(m.Key) {
						t.Errorf("%q from %d: node %d got %d messages, the last %+v", to, i, j, handlers[j-1].count()-before[j-1], m)
					}
				}
				if err != nil || r != want {
					t.Errorf("%q from %d: %+v, %v; want %+v", to, i, r, err, want)
				}
			}
		}
	})
}

func prefixOf(t *testing.T, n *tapestry.Node, digits int) tapestry.Prefix {
	t.Helper()
	p, err := tapestry.PrefixOf(n.ID(), digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAMulticastSaysWhatWentWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := world(t, 3)
		echoes(nodes)
		n := nodes[0]
		if r, err := n.Multicast(t.Context(), tapestry.Everybody, app, []byte("fail")); err != nil || r.Reached != 3 || r.Handled != 0 {
			t.Errorf("handlers that fail: %+v, %v", r, err)
		}
		if _, err := n.Multicast(t.Context(), tapestry.Everybody, "", nil); !errors.Is(err, tapestry.ErrOption) {
			t.Errorf("no application: %v", err)
		}
		if _, err := n.Multicast(t.Context(), tapestry.Everybody, app, make([]byte, tapestry.MaxPayload+1)); !errors.Is(err, tapestry.ErrPayloadTooLarge) {
			t.Errorf("too much: %v", err)
		}
		nodes[2].Handle(app, tapestry.HandlerFunc(func(ctx context.Context, _ tapestry.Message) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if r, err := n.Multicast(ctx, tapestry.Everybody, app, nil); err != nil || r.Handled != 2 {
			t.Errorf("a handler that takes for ever: %+v, %v", r, err)
		}
	})
}
