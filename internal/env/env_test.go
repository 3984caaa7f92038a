package env_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

// seeded is an Env that has randomness and nothing else.
type seeded struct {
	env.Env
	r *rand.Rand
}

func (s seeded) Rand() *rand.Rand { return s.r }

func TestJitterStaysWithinHalfOfTheMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := seeded{r: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))}
		mean := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "mean"))
		if d := env.Jitter(e, mean); d < mean/2 || d > mean/2+mean {
			t.Fatalf("%v for a mean of %v", d, mean)
		}
	})
}

func TestJitterHasTheMeanAskedFor(t *testing.T) {
	e := seeded{r: rand.New(rand.NewPCG(1, 2))}
	var sum time.Duration
	const draws = 10000
	for range draws {
		sum += env.Jitter(e, time.Second)
	}
	if mean := sum / draws; mean < 990*time.Millisecond || mean > 1010*time.Millisecond {
		t.Errorf("mean %v", mean)
	}
}

func TestEveryRefusalHasAStatus(t *testing.T) {
	want := map[wire.Refusal]env.Status{
		wire.Refusal_REFUSAL_NONE:       env.OK,
		wire.Refusal_REFUSAL_NO_ROUTE:   env.NoRoute,
		wire.Refusal_REFUSAL_NO_HANDLER: env.NoHandler,
		wire.Refusal_REFUSAL_BUSY:       env.Busy,
		wire.Refusal_REFUSAL_STALE:      env.NoRoute,
		wire.Refusal_REFUSAL_TOO_LARGE:  env.TooLarge,
		wire.Refusal_REFUSAL_NOT_JOINED: env.Unknown, // the root could not be asked
		wire.Refusal_REFUSAL_UNSURE:     env.Unknown,
		wire.Refusal_REFUSAL_LIMIT:      env.Limit,
		wire.Refusal_REFUSAL_DUPLICATE:  env.MaybeDelivered, // another copy was
		wire.Refusal_REFUSAL_INVALID:    env.Invalid,
	}
	for number, name := range wire.Refusal_name {
		r := wire.Refusal(number)
		if status, ok := want[r]; !ok || env.StatusOf(r) != status {
			t.Errorf("%s is told as %v", name, env.StatusOf(r))
		}
	}
	if got := env.StatusOf(99); got != env.NoRoute {
		t.Errorf("a refusal of a later version is told as %v", got)
	}
}

func TestEveryLimitIsTold(t *testing.T) {
	want := map[wire.Limit]env.LimitKind{
		wire.Limit_LIMIT_UNSAID: env.LimitUnsaid, wire.Limit_LIMIT_SERVER: env.LimitServer, wire.Limit_LIMIT_OBJECT: env.LimitObject,
		wire.Limit_LIMIT_NODE: env.LimitNode, wire.Limit_LIMIT_BYTES: env.LimitBytes, wire.Limit_LIMIT_PEER: env.LimitPeer,
	}
	for number, name := range wire.Limit_name {
		l := wire.Limit(number)
		if kind, ok := want[l]; !ok || env.LimitOf(l) != kind {
			t.Errorf("%s is told as %v", name, env.LimitOf(l))
		}
	}
	for _, later := range []wire.Limit{-1, 6, 256, 1 << 30} { // 6 is LimitServed, which no peer can say
		if got := env.LimitOf(later); got != env.LimitUnsaid {
			t.Errorf("limit %d of a later version is told as %v", later, got)
		}
	}
}

func TestEveryStatusAndStateHasAName(t *testing.T) {
	seen := map[string]bool{}
	take := func(name string) {
		if name == "" || seen[name] || strings.ToLower(name) != name {
			t.Errorf("name %q", name)
		}
		seen[name] = true
	}
	for s := env.OK; s <= env.Invalid; s++ {
		take(s.String())
	}
	for s := env.NeighborJoined; s <= env.NeighborRenewed; s++ {
		take(s.String())
	}
}

func TestObserversAreToldWhyANeighborWent(t *testing.T) {
	for reason, want := range map[env.DownReason]env.NeighborState{
		env.Dead: env.NeighborDead, env.Left: env.NeighborLeft, env.Unlinked: env.NeighborUnlinked,
	} {
		if got := reason.State(); got != want {
			t.Errorf("reason %d is told as %v", reason, got)
		}
	}
}
