package links_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

const ms = time.Millisecond

// neighbors are n links of which each has been measured once, with a round trip of 20 ms.
func neighbors(n byte, now mono.Time) *links.Table {
	table := links.New(links.Config{}.WithDefaults())
	for i := range n {
		table.Open(id(i + 1)).Mine = wire.Use_USE_SPARE
		table.Took(id(i+1), 20*ms, now)
	}
	return table
}

// TestTheUplinkIsBehindAsFarAsTheQuickestAnswersAreLate: answers of all neighbors say so, not those of
// most of them, nor old ones.
func TestTheUplinkIsBehindAsFarAsTheQuickestAnswersAreLate(t *testing.T) {
	now := mono.Time(time.Hour)
	table := neighbors(10, now)
	for i := range byte(7) {
		table.Took(id(i+1), 620*ms, now)
	}
	if got := table.Queued(now); got != 0 {
		t.Errorf("after seven late answers: %v, want 0: too few are known", got)
	}
	table.Took(id(8), 720*ms, now)
	if got := table.Queued(now); got < 500*ms || got > 600*ms {
		t.Errorf("after eight late answers: %v, want some 600 ms", got)
	}
	if got := table.Queued(now.Add(3 * time.Second)); got != 0 {
		t.Errorf("three seconds later: %v, want 0", got)
	}
	table.Took(id(9), 20*ms, now)
	if got := table.Queued(now); got < 500*ms {
		t.Errorf("after one quick answer, which may be of a link whose best is not known: %v", got)
	}
	table.Took(id(10), 20*ms, now)
	if got := table.Queued(now); got != 0 {
		t.Errorf("after two quick answers: %v, want 0: it is the neighbors that are slow", got)
	}
}

// TestALinkThatIsUsedSeldomWaitsAsLongAsTheOthersHaveTo, for its own samples do not tell.
func TestALinkThatIsUsedSeldomWaitsAsLongAsTheOthersHaveTo(t *testing.T) {
	now := mono.Time(time.Hour)
	table := neighbors(10, now)
	table.Open(id(99)).Mine = wire.Use_USE_SPARE // never measured
	calm, unknown := table.Patience(id(10)), table.Patience(id(99))
	for range 10 {
		for i := range byte(9) {
			table.Took(id(i+1), 20*ms+time.Duration(i)*200*ms, now)
		}
	}
	if got := table.Patience(id(10)); got < 1600*ms || got <= calm {
		t.Errorf("%v, %v before; others have waited for up to 1.6 s", got, calm)
	}
	if got := table.Patience(id(99)); got < 1600*ms || got <= unknown {
		t.Errorf("%v for one never measured, %v before", got, unknown)
	}
}

// TestALongerWayIsNoQueueForEver: a route that has changed for good is taken for a queue at first.
func TestALongerWayIsNoQueueForEver(t *testing.T) {
	now := mono.Time(time.Hour)
	table := neighbors(10, now)
	for range 200 {
		for i := range byte(10) {
			table.Took(id(i+1), 700*ms, now)
		}
	}
	if got := table.Queued(now); got > 100*ms {
		t.Errorf("%v after 200 answers of each", got)
	}
}
