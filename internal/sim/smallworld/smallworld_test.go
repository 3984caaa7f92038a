package smallworld

import (
	"flag"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var (
	depth  = flag.Int("depth", 40, "choices in a row at most")
	states = flag.Int("states", 2000, "states of a plan, about")
	salts  = flag.Uint64("salts", 1, "sets of identifiers")
)

// TestEveryOrderLeadsToAWholeOverlay can be made to go further:
//
//	go test ./internal/sim/smallworld -states 1000000 -salts 5 -v -timeout 0
func TestEveryOrderLeadsToAWholeOverlay(t *testing.T) {
	var total atomic.Int64
	t.Cleanup(func() { t.Logf("%d states", total.Load()) })
	for salt := range *salts {
		for _, p := range Plans(salt) {
			t.Run(fmt.Sprintf("%s, salt %d", p.Name, salt), func(t *testing.T) {
				t.Parallel()
				r, err := Explore(p, Bounds{Depth: *depth, States: *states, Patience: 2 * time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				total.Add(int64(r.States))
				t.Logf("all orders of %d choices: %d states, %d merged, %d settled", r.Depth, r.States, r.Merged, r.Settled)
				if r.Problem != nil {
					t.Error(r.Problem)
				}
			})
		}
	}
}

// TestADeathThatIsNotFoundOutIsAProblem gives an overlay no time to bury the dead.
func TestADeathThatIsNotFoundOutIsAProblem(t *testing.T) {
	p := Plan{Name: "one crashes", Members: 3, Acts: []Act{{What: Crash, Who: 1}}}
	b := Bounds{Depth: 3, States: 1000, Patience: time.Millisecond}
	r, err := Explore(p, b)
	if err != nil || r.Problem == nil || !strings.Contains(r.Problem.Error(), "stops at machine") {
		t.Errorf("%+v, %v", r, err)
	}
	if again, _ := Explore(p, b); !reflect.DeepEqual(r, again) {
		t.Errorf("%+v, then %+v", r, again)
	}
	b.Patience = 2 * time.Minute
	if r, err := Explore(p, b); err != nil || r.Problem != nil || r.States < 3 {
		t.Errorf("%+v, %v", r, err)
	}
}
