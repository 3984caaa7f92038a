package links_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

func id(b byte) idspace.ID { return idspace.ID{0: b} }

// TestTimeoutsAreTCPs follows Jacobson's estimator with Bamboo's constants
// (references [4], Timeouts): 4 × the first sample, then srtt + 4·var + slack.
func TestTimeoutsAreTCPs(t *testing.T) {
	table := links.New(links.Config{}.WithDefaults())
	if got := table.Timeout(id(1)); got != 500*time.Millisecond {
		t.Errorf("without a link: %v", got)
	}
	table.Open(id(1)).Mine = wire.Use_USE_LEAF
	table.Sample(id(1), 100*time.Millisecond)
	if got := table.Timeout(id(1)); got != 410*time.Millisecond {
		t.Errorf("after one sample of 100 ms: %v, want 4 × 100 ms and 10 ms of slack", got)
	}
	for range 100 {
		table.Sample(id(1), 100*time.Millisecond)
	}
	if got := table.Timeout(id(1)); got < 110*time.Millisecond || got > 112*time.Millisecond {
		t.Errorf("after many samples of 100 ms: %v, want close to 110 ms", got)
	}
	table.Lost(id(1))
	table.Lost(id(1))
	if got := table.Timeout(id(1)); got < 440*time.Millisecond || got > 448*time.Millisecond {
		t.Errorf("after two losses: %v, want four times as long", got)
	}
	if got := table.Patience(id(1)); got > 112*time.Millisecond {
		t.Errorf("patience of a probe after two losses: %v, want no doubling", got)
	}
	for range 100 {
		table.Lost(id(1))
	}
	if got := table.Timeout(id(1)); got != 5*time.Second {
		t.Errorf("after very many losses: %v, want the cap", got)
	}
	table.Sample(id(1), 100*time.Millisecond)
	if got := table.Timeout(id(1)); got > 112*time.Millisecond {
		t.Errorf("a sample did not end the doubling: %v", got)
	}
}

// TestTheLeastUsefulGivesWay compares Room with a plain search, under a random history.
func TestTheLeastUsefulGivesWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := links.New(links.Config{Cap: 8}.WithDefaults())
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			who := id(byte(rapid.IntRange(1, 20).Draw(t, "who")))
			use := wire.Use(rapid.IntRange(1, 3).Draw(t, "use"))
			victim, ok := table.Room(who, use)
			if want := roomSlow(table, who, use); ok != want {
				t.Fatalf("Room(%s, %s) = %v, plain search says %v", who.Short(), use.Name(), ok, want)
			}
			if !ok {
				continue
			}
			if victim != nil {
				for _, l := range table.All() {
					if l.Worth() < victim.Worth() {
						t.Fatalf("%s gives way, %s is worth less", victim.ID.Short(), l.ID.Short())
					}
				}
				table.Close(victim.ID)
			}
			l := table.Open(who)
			if rapid.Bool().Draw(t, "mine") {
				l.Mine = use
			} else {
				l.Theirs, l.Until = use, mono.Time(1)
			}
			if err := table.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func roomSlow(table *links.Table, who idspace.ID, use wire.Use) bool {
	if table.Linked(who) || table.Count() < table.Cap() {
		return true
	}
	for _, l := range table.All() {
		if max(l.Mine, l.Asked, l.Theirs) < use {
			return true
		}
	}
	return false
}

func TestExpiredBackpointersAreListed(t *testing.T) {
	table := links.New(links.Config{}.WithDefaults())
	for b := range byte(4) {
		l := table.Open(id(b))
		l.Theirs, l.Until = wire.Use_USE_LEAF, mono.Time(b)
	}
	if late := table.Expired(mono.Time(2)); len(late) != 2 || late[0].ID != id(0) || late[1].ID != id(1) {
		t.Errorf("%d links listed as late at 2, want those of 0 and 1", len(late))
	}
}

func TestConfigNamesTheFieldThatIsWrong(t *testing.T) {
	for _, c := range []links.Config{{Cap: 3}, {Cap: 9, Slack: -1}, {Cap: 9, MinTimeout: time.Minute}} {
		if c.WithDefaults().Validate() == nil {
			t.Errorf("%+v passed", c)
		}
	}
}

// TestLinksAreFound compares the table with a map, under a random history of neighbors
// many of whose IDs begin alike.
func TestLinksAreFound(t *testing.T) {
	named := func(b byte) idspace.ID { return idspace.ID{0: b % 3, 15: b} }
	rapid.Check(t, func(t *rapid.T) {
		table, plain := links.New(links.Config{}.WithDefaults()), map[byte]bool{}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			who := rapid.ByteRange(0, 20).Draw(t, "who")
			if plain[who] = rapid.Bool().Draw(t, "open"); plain[who] {
				table.Open(named(who)).Mine = wire.Use_USE_LEAF
			} else {
				table.Close(named(who))
			}
			if err := table.Check(); err != nil {
				t.Fatal(err)
			}
			for b := range byte(21) {
				if l := table.Link(named(b)); (l != nil) != plain[b] || l != nil && l.ID != named(b) {
					t.Fatalf("link %d: %v, want %v", b, l, plain[b])
				}
			}
		}
	})
}
