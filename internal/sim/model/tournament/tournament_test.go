package tournament_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/rivals"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/tournament"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

func scenario(protocol string) sim.Config {
	c := sim.Default()
	c.Protocol, c.Nodes, c.Duration, c.Objects = protocol, 150, 20*time.Second, 30
	return c
}

func play(t *testing.T, c sim.Config) report.Report {
	t.Helper()
	r, err := tournament.Run(c)
	if err != nil {
		t.Fatal(err)
	}
	r.WallS, r.SettleWallS = 0, 0
	return r
}

func TestQuietWorldSatisfiesEveryRival(t *testing.T) {
	for _, p := range rivals.All() {
		r := play(t, scenario(p.Name))
		t.Logf("%s: lookups %d, %.0f ms, stretch %.1f; locates %d, first %.0f ms, once %.1f; %.0f B/s, %.0f links; publish %.0f messages",
			p.Name, r.Lookups.Total, r.Lookups.LatencyMs.P50, r.Lookups.Stretch.P50, r.Locates.Total,
			r.Locates.FirstAnswerMs.P50, r.Locates.DeliveryStretch.P50, r.Traffic.BytesPerNodeS, r.State.LinksMean, r.Publish.MessagesPerObject)
		if p.Root != nil && (r.Lookups.Total != 1000 || r.Lookups.CompletedRatio != 1 || r.Lookups.TrueRatio != 1 || r.Lookups.ConsistentRatio != 1) {
			t.Errorf("%s: lookups %+v", p.Name, r.Lookups)
		}
		if r.Locates.Total != 200 || r.Locates.FoundRatio != 1 {
			t.Errorf("%s: found %v of %d", p.Name, r.Locates.FoundRatio, r.Locates.Total)
		}
		if len(r.Timeline) != 4 || r.Timeline[3].Live != 150 || r.Traffic.BytesPerNodeS <= 0 || r.Events == 0 {
			t.Errorf("%s: %+v, %+v", p.Name, r.Timeline, r.Traffic)
		}
		if q := r.Locates.DeliveryStretch; q.P50 < 0.99 {
			t.Errorf("%s: delivers faster than the network: %+v", p.Name, q)
		}
	}
}

// TestSameSeedIsTheSameRun, with all that can happen to a node.
func TestSameSeedIsTheSameRun(t *testing.T) {
	for _, p := range rivals.All() {
		c := scenario(p.Name)
		c.SessionMedian, c.Loss, c.Jitter, c.Bandwidth, c.Nontransitive = 30*time.Second, 0.02, 0.3, 1e6, 0.01
		c.Kill, c.Join, c.Leave = sim.Moments{{Share: 0.1, At: 5 * time.Second}}, sim.Moments{{Share: 0.2, At: 8 * time.Second}}, sim.Moments{{Share: 0.1, At: 9 * time.Second}}
		c.Partition = sim.Spans{{Share: 0.3, From: 10 * time.Second, To: 14 * time.Second}}
		c.Stall = sim.Stall{Share: 0.1, Min: time.Second, Max: 2 * time.Second}
		a, b := play(t, c), play(t, c)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: two runs of one seed differ: %s and %s", p.Name, a.TraceHash, b.TraceHash)
		}
		c.Seed = 2
		if other := play(t, c); other.TraceHash == a.TraceHash {
			t.Errorf("%s: another seed, the same hash", p.Name)
		}
	}
}

// TestMassKillShows: what is asked right after takes long, for the dead are tried.
func TestMassKillShows(t *testing.T) {
	c := scenario("chord")
	quiet := play(t, c)
	c.Kill = sim.Moments{{Share: 0.3, At: 6 * time.Second}}
	r := play(t, c)
	if r.Detector.Deaths != 45 || r.Timeline[0].Live != 150 || r.Timeline[1].Live != 105 {
		t.Errorf("%d deaths, %+v", r.Detector.Deaths, r.Timeline)
	}
	if before, after := quiet.Lookups.LatencyMs.P99, r.Lookups.LatencyMs.P99; after < 1.3*before {
		t.Errorf("99 of 100 lookups take %v ms, with dead nodes %v ms", before, after)
	}
}

func TestScenarioThatCannotBeIsRefused(t *testing.T) {
	c := scenario("napster")
	if _, err := tournament.Run(c); err == nil || !strings.Contains(err.Error(), "--protocol") {
		t.Error(err)
	}
	c = scenario("chord")
	c.Loss = 2
	if _, err := tournament.Run(c); err == nil || !strings.Contains(err.Error(), "--loss") {
		t.Error(err)
	}
	c = scenario("chord")
	c.RTTMatrix = "nowhere.csv"
	var file *sim.FileError
	if _, err := tournament.Run(c); !errors.As(err, &file) || !strings.Contains(err.Error(), "nowhere.csv") {
		t.Error(err)
	}
}

// TestLookupsOfTheDeadDoNotCount: nobody waits for their answers.
func TestLookupsOfTheDeadDoNotCount(t *testing.T) {
	c := scenario("chord")
	c.Kill = sim.Moments{{Share: 0.9, At: 6*time.Second + time.Millisecond}} // just after ten have asked
	r := play(t, c)
	judged := 0
	for _, w := range r.Timeline {
		judged += w.Lookups
	}
	if r.Lookups.Total != judged || judged == 1000 {
		t.Errorf("%d lookups, %d judged", r.Lookups.Total, judged)
	}
}

// TestTraceSaysWhoIsUp: the infrastructure aside.
func TestTraceSaysWhoIsUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.csv")
	var b strings.Builder
	b.WriteString("node,start_s,end_s\n")
	for node := range 40 {
		fmt.Fprintf(&b, "%d,0,%d\n%d,%d,1000\n", node, 60+node, node, 120+node)
	}
	fmt.Fprintln(&b, "41,90,1000")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range rivals.All() {
		c := scenario(p.Name)
		c.Nodes, c.ChurnTrace, c.ChurnSpeedup, c.Duration, c.Objects, c.LookupEvery = 42, path, 10, 20*time.Second, 4, time.Second
		r := play(t, c)
		var live []int
		for _, w := range r.Timeline {
			live = append(live, w.Live)
		}
		if first, last := live[0], live[3]; first != 40 || last != 41 || r.Detector.Deaths != 40-p.Fixed {
			t.Errorf("%s: %v up, %d deaths", p.Name, live, r.Detector.Deaths)
		}
	}
}

// TestNothingOfTheWarmUpIsCounted, though nodes crash and come in it.
func TestNothingOfTheWarmUpIsCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.csv")
	var b strings.Builder
	b.WriteString("node,start_s,end_s\n")
	for node := range 39 {
		fmt.Fprintf(&b, "%d,0,%d\n", node, 1000-980*(node/34)) // five crash at 20 s
	}
	fmt.Fprintln(&b, "39,5,1000")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range rivals.All() {
		c := scenario(p.Name)
		c.Nodes, c.ChurnTrace, c.Objects, c.Warmup = 40, path, 4, 30*time.Second
		r := play(t, c)
		if r.Detector.Deaths != 0 || len(r.Timeline) != 4 || r.Timeline[0].Live != 35 || r.VirtualS != 20 || r.WarmupS != 30 {
			t.Errorf("%s: %d deaths, timeline %+v", p.Name, r.Detector.Deaths, r.Timeline)
		}
		if p.Root != nil && r.Lookups.Total != 1000 || r.Locates.Total > 200 {
			t.Errorf("%s: %d lookups, %d locates", p.Name, r.Lookups.Total, r.Locates.Total)
		}
		if again := play(t, c); !reflect.DeepEqual(r, again) {
			t.Errorf("%s: two runs of one seed differ: %s and %s", p.Name, r.TraceHash, again.TraceHash)
		}
		c.Kill = sim.Moments{{Share: 0.2, At: 6 * time.Second}}
		if r := play(t, c); r.Detector.Deaths == 0 || r.Timeline[0].Live != 35 || r.Timeline[1].Live != 35-r.Detector.Deaths {
			t.Errorf("%s: with a kill %d deaths, timeline %+v", p.Name, r.Detector.Deaths, r.Timeline)
		}
	}
}
