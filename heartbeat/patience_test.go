package heartbeat_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Lifeguard §IV-A: a node that is slow itself allows others more time; here its router, too.
func TestASuspectWaitsLongerEverywhere(t *testing.T) {
	w := newTown()
	other, third := w.settle("other"), w.settle("third")
	before := w.links.Timeout(third)
	for told := 1; told <= 2; told++ {
		w.monitor.OnBeacon(w, other, &wire.Beacon{Seq: uint64(told), Use: wire.Use_USE_SOLE, LifeS: 60, Suspected: true})
		want := time.Duration(1+told) * before
		if after := w.links.Timeout(third); after != want {
			t.Errorf("told %d times that it is suspected, it waits %v, want %v", told, after, want)
		}
	}
}
