package links_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// TestFreshIsWhoIsHardlyDead: heard within a hundredth of the time that neighbors live.
func TestFreshIsWhoIsHardlyDead(t *testing.T) {
	id, heard := idspace.Hash([]byte("x")), mono.Time(0).Add(time.Hour)
	table := links.New(links.Config{}.WithDefaults())
	if table.Fresh(id, heard) {
		t.Error("a stranger is fresh")
	}
	l := table.Open(id)
	l.Heard = heard
	if table.Fresh(id, heard) {
		t.Error("one that was never measured is fresh")
	}
	table.Sample(id, time.Millisecond)
	for _, c := range []struct {
		lifetime, since time.Duration
		suspect, want   bool
	}{
		{0, time.Hour, false, true}, // nobody has died yet
		{0, time.Hour, true, false},
		{100 * time.Minute, time.Minute, false, true},
		{100 * time.Minute, time.Minute + 1, false, false},
		{100 * time.Minute, 0, true, false},
	} {
		table.SetLifetime(c.lifetime)
		l.Suspect = c.suspect
		if got := table.Fresh(id, heard.Add(c.since)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
