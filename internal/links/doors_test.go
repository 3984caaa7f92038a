package links_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// TestDoorsAreTheNearestThatBothEndsUse: who uses the link at one end only may not know how long it takes, or
// whether the other lives.
func TestDoorsAreTheNearestThatBothEndsUse(t *testing.T) {
	table := links.New(links.Config{}.WithDefaults())
	open := func(name string, ms int, mine, theirs wire.Use, suspect bool) wire.ServerRef {
		l := table.Open(idspace.Hash([]byte(name)))
		l.Mine, l.Theirs, l.Suspect = mine, theirs, suspect
		if ms > 0 {
			table.Sample(l.ID, time.Duration(ms)*time.Millisecond)
		}
		return wire.ServerRefTo(l.ID)
	}
	far, near := open("far", 30, wire.Use_USE_SPARE, wire.Use_USE_LEAF, false), open("near", 10, wire.Use_USE_SOLE, wire.Use_USE_SPARE, false)
	open("suspect", 1, wire.Use_USE_SOLE, wire.Use_USE_SOLE, true)
	open("mine", 2, wire.Use_USE_SOLE, wire.Use_USE_NONE, false)
	open("theirs", 3, wire.Use_USE_NONE, wire.Use_USE_SOLE, false)
	open("unmeasured", 0, wire.Use_USE_SOLE, wire.Use_USE_SOLE, false)
	if got := wire.ServerRefs(table.Doors(8)); !slices.Equal(got, []wire.ServerRef{near, far}) {
		t.Errorf("%x, want %x and %x", got, near, far)
	}
	for i := range 20 {
		open(fmt.Sprint(i), 20, wire.Use_USE_SPARE, wire.Use_USE_SPARE, false)
	}
	if got := wire.ServerRefs(table.Doors(8)); len(got) != 8 || got[0] != near {
		t.Errorf("%d, the first %x, want 8 and %x", len(got), got[0], near)
	}
	id, ok := table.Begins(near)
	if _, stranger := table.Begins(wire.ServerRefTo(idspace.Hash([]byte("stranger")))); !ok || stranger || id != idspace.Hash([]byte("near")) {
		t.Errorf("%v %v, of a stranger %v", id, ok, stranger)
	}
}
