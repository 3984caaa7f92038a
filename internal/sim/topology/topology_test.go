package topology_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/topology"
)

const ms = time.Millisecond

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	data := []byte(text)
	if filepath.Ext(name) == ".gz" {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		data = b.Bytes()
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMatrixIsRoundTripsInMilliseconds(t *testing.T) {
	for _, name := range []string{"m.csv", "m.csv.gz"} {
		m, err := topology.LoadMatrix(write(t, name, "0,10.5,3\n20,0,\n3,7.25,\n"))
		if err != nil {
			t.Fatal(err)
		}
		want := [][]time.Duration{{0, 5250 * time.Microsecond, 1500 * time.Microsecond},
			{10 * ms, 0, 3625 * time.Microsecond}, {1500 * time.Microsecond, 3625 * time.Microsecond, 0}}
		for a := range want {
			for b := range want {
				if got := m.OneWay(a, b); got != want[a][b] {
					t.Errorf("%s: %d to %d takes %v, want %v", name, a, b, got, want[a][b])
				}
			}
		}
		if got := topology.RTT(m, 0, 1); got != 15250*time.Microsecond {
			t.Errorf("%s: round trip %v", name, got)
		}
	}
}

func TestCoordinatesAreHalfARoundTripApart(t *testing.T) {
	c, err := topology.LoadCoords(write(t, "c.csv.gz", "node,x_ms,y_ms\n0,-1,2\n1,2,6\n2,2.5,6\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Hosts() != 3 || c.OneWay(0, 1) != 5*ms || topology.RTT(c, 1, 2) != ms || c.OneWay(2, 2) != 0 {
		t.Errorf("%d hosts, %v, %v", c.Hosts(), c.OneWay(0, 1), topology.RTT(c, 1, 2))
	}
}

func TestSessionsComeInTheOrderOfTheirStart(t *testing.T) {
	got, err := topology.LoadChurn(write(t, "s.csv", "node,start_s,end_s\n7,10,20\n7,20,30.5\n3,10,11\n0,0,99\n"))
	want := []topology.Session{{0, 0, 99 * time.Second}, {3, 10 * time.Second, 11 * time.Second},
		{7, 10 * time.Second, 20 * time.Second}, {7, 20 * time.Second, 30500 * ms}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestBadFileIsNamedWithItsLine(t *testing.T) {
	matrix := func(path string) error { _, err := topology.LoadMatrix(path); return err }
	coords := func(path string) error { _, err := topology.LoadCoords(path); return err }
	churn := func(path string) error { _, err := topology.LoadChurn(path); return err }
	for _, c := range []struct {
		load       func(string) error
		text, want string
	}{
		{matrix, "", `:1: ends after 0 rows, want as many as columns (0), and at least 2`},
		{matrix, "0\n", `:2: ends after 1 rows, want as many as columns (1), and at least 2`},
		{matrix, "0,1\n1,0,2\n", `:2: row 2 has 3 fields, want 2 rows of 2`},
		{matrix, "0,1\n1,0\n1,1\n", `:3: row 3 has 2 fields, want 2 rows of 2`},
		{matrix, "0,1,2\n1,0,2\n", `:3: ends after 2 rows, want as many as columns (3), and at least 2`},
		{matrix, "0,1\nx,0\n", `:2: field 1 is "x", want a number from 0 to 600000`},
		{matrix, "0,NaN\n1,0\n", `:1: field 2 is "NaN", want a number from 0 to 600000`},
		{matrix, "0,-1\n1,0\n", `:1: field 2 is "-1", want a number from 0 to 600000`},
		{matrix, "0,1e9\n1,0\n", `:1: field 2 is "1e9", want a number from 0 to 600000`},
		{matrix, "0,1\n1,4\n", `:2: field 2 is "4", want 0 on the diagonal`},
		{matrix, "0,1,\n1,0,2\n,2,0\n", `:1: field 3 is empty, and so is field 1 of line 3: want one of the two measured`},
		{matrix, strings.Repeat("1", 2<<20), `:1: longer than 1048576 bytes`},
		{matrix, "0,1\n\x1f\x8b,0\n", `:2: field 1 is "\x1f\x8b", want a number from 0 to 600000`},
		{coords, "", `:1: header is "", want "node,x_ms,y_ms"`},
		{coords, "0,1,2\n", `:1: header is "0,1,2", want "node,x_ms,y_ms"`},
		{coords, "node,x_ms,y_ms\n0,1,2\n", `:3: ends after 1 hosts, want at least 2`},
		{coords, "node,x_ms,y_ms\n0,1\n", `:2: 2 fields, want node,x_ms,y_ms`},
		{coords, "node,x_ms,y_ms\n0,1,2\n2,1,2\n", `:3: node is "2", want 1: nodes count up from 0`},
		{coords, "node,x_ms,y_ms\n0,1,Inf\n", `:2: field 3 is "Inf", want a number from -600000 to 600000`},
		{churn, "a,b\n", `:1: header is "a,b", want "node,start_s,end_s"`},
		{churn, "node,start_s,end_s\n", `:2: no sessions, want lines of node,start_s,end_s`},
		{churn, "node,start_s,end_s\n1,2\n", `:2: 2 fields, want node,start_s,end_s`},
		{churn, "node,start_s,end_s\n1.5,2,3\n", `:2: field 1 is "1.5", want a whole number`},
		{churn, "node,start_s,end_s\n1,3,3\n", `:2: session from 3s to 3s, want it to end after its start`},
		{churn, "node,start_s,end_s\n1,3,5\n2,0,1\n1,4,6\n",
			`:4: session of node 1 starts at 4s, want 5s or later: its session before ends then`},
	} {
		path := write(t, "bad.csv", c.text)
		if err := c.load(path); err == nil || err.Error() != path+c.want {
			t.Errorf("%.40q:\n got %v\nwant %s%s", c.text, err, path, c.want)
		}
	}
}

func TestBrokenGzipIsNamedWithItsLine(t *testing.T) {
	whole := write(t, "whole.gz", "0,1\n1,0\n")
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for cut, want := range map[int]string{
		5:          ":1: unexpected EOF, want latency matrix as CSV, plain or gzip",
		len(b) - 6: ":3: unexpected EOF, want a whole file",
	} {
		path := write(t, "cut", string(b[:cut]))
		if _, err := topology.LoadMatrix(path); err == nil || err.Error() != path+want {
			t.Errorf("cut at %d: %v, want %s%s", cut, err, path, want)
		}
	}
}

func TestMissingFileIsNamed(t *testing.T) {
	_, err := topology.LoadMatrix("nowhere.csv.gz")
	if err == nil || err.Error() != "latency matrix: open nowhere.csv.gz: no such file or directory" {
		t.Error(err)
	}
}

func TestTransitStubIsFixedByItsSeed(t *testing.T) {
	a, b, c := topology.TransitStub(500, 1), topology.TransitStub(500, 1), topology.TransitStub(500, 2)
	same, other := true, 0
	for i := range 500 {
		for j := range 500 {
			same = same && a.OneWay(i, j) == b.OneWay(i, j)
			if a.OneWay(i, j) != c.OneWay(i, j) {
				other++
			}
		}
	}
	if !same || other < 200_000 {
		t.Errorf("same seed: %v; another seed changes %d of 250000 delays", same, other)
	}
}

func TestTransitStubIsAMetric(t *testing.T) {
	n := topology.TransitStub(120, 3)
	for a := range 120 {
		for b := range 120 {
			if n.OneWay(a, b) != n.OneWay(b, a) || (n.OneWay(a, b) == 0) != (a == b) {
				t.Fatalf("%d and %d: %v and %v", a, b, n.OneWay(a, b), n.OneWay(b, a))
			}
			for via := range 120 {
				if n.OneWay(a, b) > n.OneWay(a, via)+n.OneWay(via, b) && via != a && via != b {
					t.Fatalf("%d to %d is longer than by way of %d", a, b, via)
				}
			}
		}
	}
}

// quantiles returns round-trip times of pairs of hosts, drawn evenly.
func quantiles(d topology.Delays, at ...float64) []time.Duration {
	var all []time.Duration
	step := max(1, d.Hosts()/700)
	for a := 0; a < d.Hosts(); a += step {
		for b := 0; b < d.Hosts(); b += step {
			if a != b {
				all = append(all, topology.RTT(d, a, b))
			}
		}
	}
	slices.Sort(all)
	var got []time.Duration
	for _, q := range at {
		got = append(got, all[int(q*float64(len(all)-1))])
	}
	return got
}

// TestTransitStubIsSpreadLikeTheInternet compares with PlanetLab's hosts: median
// 134 ms, nine tenths below 291 ms, 99 of 100 below 404 ms.
func TestTransitStubIsSpreadLikeTheInternet(t *testing.T) {
	for seed := range uint64(8) {
		q := quantiles(topology.TransitStub(2000, seed), 0.002, 0.05, 0.5, 0.9, 0.99)
		t.Logf("seed %d: p0.2 %v p5 %v p50 %v p90 %v p99 %v", seed, q[0], q[1], q[2], q[3], q[4])
		if q[0] > 5*ms || q[1] > 40*ms || q[2] < 90*ms || q[2] > 200*ms || q[3] < 160*ms || q[3] > 350*ms || q[4] > 450*ms {
			t.Errorf("seed %d is not like that", seed)
		}
	}
}

func TestTransitStubOfManyHostsIsSmall(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := topology.TransitStub(100_000, 1)
	runtime.GC()
	runtime.ReadMemStats(&after)
	perHost := int(after.HeapAlloc-before.HeapAlloc) / n.Hosts()
	if n.OneWay(0, 99_999) <= 0 || perHost > 40 {
		t.Errorf("%d bytes per host", perHost)
	}
}

func TestNodesHaveHostsOfTheirOwnWhileThereAreEnough(t *testing.T) {
	d := topology.TransitStub(50, 1)
	p := topology.Place(d, 50, 9)
	seen := map[int]bool{}
	for i := range 50 {
		seen[p.Host(i)] = true
		for j := range 50 {
			if got, want := p.OneWay(i, j), d.OneWay(p.Host(i), p.Host(j)); got != want {
				t.Fatalf("%d to %d: %v, its hosts say %v", i, j, got, want)
			}
		}
	}
	if len(seen) != 50 {
		t.Errorf("50 nodes on %d hosts", len(seen))
	}
}

func TestNodesThatShareAHostHaveAccessDelays(t *testing.T) {
	d := topology.TransitStub(50, 1)
	p, again := topology.Place(d, 125, 9), topology.Place(d, 125, 9)
	count := map[int]int{}
	for i := range p.Nodes() {
		count[p.Host(i)]++
		for j := range p.Nodes() {
			got, hosts := p.OneWay(i, j), d.OneWay(p.Host(i), p.Host(j))
			if got != again.OneWay(i, j) {
				t.Fatalf("%d to %d: %v, and %v of the same seed", i, j, got, again.OneWay(i, j))
			}
			if i != j && (got < hosts+400*time.Microsecond || got > hosts+41*ms) {
				t.Fatalf("%d to %d: %v, between the hosts %v", i, j, got, hosts)
			}
		}
	}
	for host, n := range count {
		if n < 2 || n > 3 {
			t.Errorf("host %d has %d nodes", host, n)
		}
	}
}

func TestAskingForADelayDoesNotAllocate(t *testing.T) {
	p := topology.Place(topology.TransitStub(100, 1), 1000, 1)
	var sum time.Duration
	if n := testing.AllocsPerRun(100, func() { sum += p.OneWay(1, 999) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOneWay(b *testing.B) {
	p := topology.Place(topology.TransitStub(10_000, 1), 100_000, 1)
	i := 0
	for b.Loop() {
		p.OneWay(i%100_000, (i*7919)%100_000)
		i++
	}
}
