package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

// earlyTrace is a churn trace of 40 nodes of which five crash at 28 s, and one comes at 5 s.
func earlyTrace(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "early.csv")
	var b strings.Builder
	b.WriteString("node,start_s,end_s\n")
	for node := range 39 {
		fmt.Fprintf(&b, "%d,0,%d\n", node, 1000-972*(node/34))
	}
	b.WriteString("39,5,1000\n")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNothingOfTheWarmUpIsCounted: nodes crash two seconds before the measured part, so
// that their neighbors find out in it, and a share is killed in it.
func TestNothingOfTheWarmUpIsCounted(t *testing.T) {
	t.Parallel()
	c := small(40)
	c.Warmup, c.ChurnTrace, c.Check = 30*time.Second, earlyTrace(t), true
	r := played(t, c)
	demandNoViolation(t, r)
	if d := r.Detector; d.Deaths != 0 || d.DetectionS != (report.Ends{}) || r.Joins.Total != 0 {
		t.Errorf("detector %+v, joins %+v", d, r.Joins)
	}
	if r.Lookups.Total != 1000 || r.Lookups.CompletedRatio != 1 {
		t.Errorf("lookups %+v", r.Lookups)
	}
	if n := len(r.Timeline); n != 4 || r.Timeline[0].Live != 35 || r.VirtualS != 20 || r.WarmupS != 30 {
		t.Errorf("%v s after %v s, timeline %+v", r.VirtualS, r.WarmupS, r.Timeline)
	}
	c.Kill = Moments{{0.2, 5 * time.Second}}
	r = played(t, c)
	if d := r.Detector; d.Deaths != 7 || d.DetectionS.P50 <= 0 || r.Timeline[0].Live != 35 || r.Timeline[2].Live != 28 {
		t.Errorf("with a kill: detector %+v, timeline %+v", d, r.Timeline)
	}
}

// TestTrafficIsThatOfTheMeasuredPart: an overlay that is asked nothing but in the warm-up's
// rhythm has the same traffic with it as without.
func TestTrafficIsThatOfTheMeasuredPart(t *testing.T) {
	t.Parallel()
	c := small(40)
	c.Objects = 0
	without := played(t, c)
	c.Warmup = time.Minute
	with := played(t, c)
	a, b := without.Traffic.BytesPerNodeS, with.Traffic.BytesPerNodeS
	if b < a/2 || b > a*2 || with.Lookups.Total != without.Lookups.Total {
		t.Errorf("%v bytes and %d lookups without, %v and %d with", a, without.Lookups.Total, b, with.Lookups.Total)
	}
	if again := played(t, c); again.TraceHash != with.TraceHash || again.TraceHash == without.TraceHash {
		t.Errorf("trace %s without, %s and %s with", without.TraceHash, with.TraceHash, again.TraceHash)
	}
}

// TestLookupsKeepPaceWithThoseThatAreUp in the measured part, by the trace.
func TestLookupsKeepPaceWithThoseThatAreUp(t *testing.T) {
	c := small(40)
	if err := c.PaceLookups(10 * time.Second); err != nil || c.LookupEvery != 2500*time.Millisecond {
		t.Errorf("%v, %v", c.LookupEvery, err)
	}
	c.ChurnTrace, c.Warmup, c.Duration, c.ChurnSpeedup = earlyTrace(t), 6*time.Second, 8*time.Second, 2
	// From 12 s to 28 s of the trace all forty are up.
	if err := c.PaceLookups(10 * time.Second); err != nil || c.LookupEvery != 2500*time.Millisecond {
		t.Errorf("%v, %v", c.LookupEvery, err)
	}
	c.Warmup = 14 * time.Second // from 28 s on five are not
	if err := c.PaceLookups(7 * time.Second); err != nil || c.LookupEvery != 2*time.Second {
		t.Errorf("%v, %v", c.LookupEvery, err)
	}
	c.ChurnTrace = "nowhere.csv"
	if err := c.PaceLookups(time.Second); err == nil || !strings.Contains(err.Error(), "nowhere.csv") {
		t.Error(err)
	}
}
