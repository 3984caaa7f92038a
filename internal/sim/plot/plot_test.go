package plot_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/sim/plot"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

// sample is a run of a minute with a dip in the middle, slower by factor.
func sample(protocol string, factor float64) *report.Report {
	r := &report.Report{
		Protocol: protocol, Nodes: 500, Seed: 7, VirtualS: 60, TraceHash: "0123456789abcdef",
		Command: "tapestry sim --nodes 500 --kill 0.2@25s --name '<script>'",
		Oracles: map[string]int{"one-root": 0, "wrong-absent": 2}, Violations: []string{"wrong-absent at 12.5s: <node> 3"},
	}
	r.Lookups = report.Lookups{Total: 1200, CompletedRatio: 1, TrueRatio: 0.99999, HopsMean: 2.4, HopsP99: 4,
		LatencyMs: report.Quantiles{P50: 180, P90: 310, P99: 777}, HopsHistogram: []int{2, 90, 500, 380, 90, 3}}
	r.Locates = report.Locates{Total: 600, FoundRatio: 0.97, FirstAnswerMs: report.Quantiles{P50: 60, P90: 140, P99: 900}}
	for i := range 101 {
		q := float64(i) / 100
		r.Lookups.LatencyQuantilesMs = append(r.Lookups.LatencyQuantilesMs, factor*(20+200*q+1500*math.Pow(q, 30)))
		r.Locates.FirstAnswerQuantilesMs = append(r.Locates.FirstAnswerQuantilesMs, factor*(100*q+900*math.Pow(q, 20)))
	}
	r.Locates.StretchByDistance = []report.Bin{
		{FromMs: 0, ToMs: 5, Count: 10, P50: 3 * factor, P90: 9 * factor}, {FromMs: 5, ToMs: 20, Count: 50, P50: 1.6 * factor, P90: 4 * factor},
		{FromMs: 20, ToMs: 60, Count: 200, P50: 1.2 * factor, P90: 2 * factor}, {FromMs: 60, Count: 300, P50: factor, P90: 1.3 * factor},
	}
	r.Traffic = report.Traffic{BytesPerNodeS: 412, MessagesPerNodeS: 3.25, ByKind: map[string]float64{"packet": 200, "beacon": 90, "publish": 122}}
	for i := range 12 {
		w := report.Window{FromS: float64(5 * i), Live: 500, Lookups: 100, LookupSuccess: 1, Locates: 50, LocateSuccess: 1, BytesPerS: 2e5 * factor}
		if i >= 5 {
			w.Live, w.BytesPerS = 400, 2.4e5*factor
		}
		if i == 5 || i == 6 {
			w.LookupSuccess, w.LocateSuccess = 0.8, 0.7+float64(i-5)*0.2
		}
		if i == 9 {
			w.Lookups = 0
		}
		r.Timeline = append(r.Timeline, w)
	}
	return r
}

func TestFolderHoldsReportPageAndPictures(t *testing.T) {
	for name, runs := range map[string][]*report.Report{
		"one":     {sample("tapestry", 1)},
		"several": {sample("tapestry", 1), sample("kademlia", 4), sample("chord", 2)},
	} {
		dir := filepath.Join(out(t), name)
		if err := plot.Write(dir, runs...); err != nil {
			t.Fatal(err)
		}
		page := read(t, dir, "index.html")
		for _, picture := range []string{"success", "traffic", "nodes", "latency", "stretch", "hops"} {
			svg := read(t, dir, picture+".svg")
			if err := wellFormed(svg); err != nil || !strings.Contains(svg, "<svg") {
				t.Errorf("%s: %v", picture, err)
			}
			for _, r := range runs {
				if len(runs) > 1 && !strings.Contains(svg, ">"+r.Protocol) {
					t.Errorf("%s: no legend for %s", picture, r.Protocol)
				}
			}
		}
		if n := strings.Count(page, "<svg"); n != 6 || strings.Contains(page, "<script>") || !strings.Contains(page, "wrong-absent at 12.5s: &lt;node&gt; 3") {
			t.Errorf("%s: %d pictures in the page, or text in it that is not escaped", name, n)
		}
		if strings.Contains(page, "src=") || strings.Contains(page, "href=\"http") {
			t.Errorf("%s: the page needs more than itself", name)
		}
	}
}

// TestStretchIsDrawnByHowOftenObjectsWereLookedFor, of one run and of several, which go by the names they were given.
func TestStretchIsDrawnByHowOftenObjectsWereLookedFor(t *testing.T) {
	one, four := sample("tapestry", 1), sample("tapestry", 2)
	dir := filepath.Join(out(t), "asked")
	if err := plot.Write(dir, one); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "asked.svg")); err == nil {
		t.Error("drawn though nobody has counted")
	}
	one.Label, four.Label = "one root", "four roots"
	for _, r := range []*report.Report{one, four} {
		r.Locates.StretchByAsked = []report.Asked{{From: 0, Bins: r.Locates.StretchByDistance}, {From: 100, Bins: r.Locates.StretchByDistance[1:]}}
	}
	for names, runs := range map[string][]*report.Report{
		"the first searches;after 100 searches":                                                    {one},
		"one root, the first searches;one root, after 100 searches;four roots, after 100 searches": {one, four},
	} {
		if err := plot.Write(dir, runs...); err != nil {
			t.Fatal(err)
		}
		svg := read(t, dir, "asked.svg")
		if err := wellFormed(svg); err != nil {
			t.Error(err)
		}
		for _, name := range strings.Split(names, ";") {
			if !strings.Contains(svg, ">"+name) {
				t.Errorf("no legend for %q", name)
			}
		}
	}
	if err := plot.Write(dir, one, four); err != nil {
		t.Fatal(err)
	}
	if page := read(t, dir, "index.html"); !strings.Contains(page, "<th>one root</th>") || !strings.Contains(page, "<th>four roots</th>") {
		t.Error("the page does not name the runs")
	}
}

// Overlays of several sizes show what a join costs; of one size there is nothing to show.
func TestJoiningIsDrawnOverTheSize(t *testing.T) {
	var sizes []*report.Report
	for _, n := range []int{1000, 100, 10000} {
		r := sample("tapestry", 1)
		r.Nodes, r.Joins = n, report.Joins{Total: 50, BytesMean: 2e4 + float64(n)}
		sizes = append(sizes, r)
	}
	dir := filepath.Join(out(t), "sizes")
	if err := plot.Write(dir, sizes...); err != nil {
		t.Fatal(err)
	}
	if err := wellFormed(read(t, dir, "joining.svg")); err != nil {
		t.Error(err)
	}
	dir = filepath.Join(out(t), "size")
	if err := plot.Write(dir, sizes[0], sizes[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "joining.svg")); err == nil {
		t.Error("a line is drawn through one size")
	}
}

// TestRecoveryIsDrawnWhereItDiffers: with what the uplinks carry, if that is the same for all.
func TestRecoveryIsDrawnWhereItDiffers(t *testing.T) {
	periodic, reactive, other := sample("tapestry", 1), sample("tapestry", 4), sample("chord", 1)
	periodic.Recovery, reactive.Recovery = "periodic", "reactive"
	periodic.BandwidthBitS, reactive.BandwidthBitS = 8000, 8000
	const carries = "what an uplink carries"
	dir := filepath.Join(out(t), "recovery")
	if err := plot.Write(dir, periodic, reactive, other); err != nil {
		t.Fatal(err)
	}
	svg := read(t, dir, "recovery.svg")
	if err := wellFormed(svg); err != nil || !strings.Contains(svg, "tapestry, reactive") || !strings.Contains(svg, carries) || strings.Contains(svg, "chord") {
		t.Errorf("%v, or a legend that ought not to be there", err)
	}
	reactive.BandwidthBitS = 9000
	if err := plot.Write(dir, periodic, reactive); err != nil || strings.Contains(read(t, dir, "recovery.svg"), carries) {
		t.Errorf("%v, or one line for two bandwidths", err)
	}
	dir = t.TempDir()
	if err := plot.Write(dir, periodic, periodic, other); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "recovery.svg")); err == nil {
		t.Error("drawn though it does not differ")
	}
}

// out is where the pictures go: to $TAPESTRY_PICTURES, to be looked at, if it is set.
func out(t *testing.T) string {
	if dir := os.Getenv("TAPESTRY_PICTURES"); dir != "" {
		return dir
	}
	return t.TempDir()
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func wellFormed(svg string) error {
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestReportComesBackAsItWas(t *testing.T) {
	dir := t.TempDir()
	want := sample("tapestry", 1)
	if err := plot.Write(dir, want); err != nil {
		t.Fatal(err)
	}
	var got report.Report
	if err := json.Unmarshal([]byte(read(t, dir, "report.json")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Command != want.Command || !slices.Equal(got.Timeline, want.Timeline) {
		t.Errorf("%+v", got)
	}
	if err := plot.Write(dir, want, want); err != nil {
		t.Fatal(err)
	}
	var several []report.Report
	if err := json.Unmarshal([]byte(read(t, dir, "report.json")), &several); err != nil || len(several) != 2 {
		t.Errorf("%d reports, %v", len(several), err)
	}
}

func TestSameReportsGiveTheSameFiles(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, dir := range []string{a, b} {
		if err := plot.Write(dir, sample("tapestry", 1), sample("chord", 2)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if read(t, a, e.Name()) != read(t, b, e.Name()) {
			t.Errorf("%s differs", e.Name())
		}
	}
}

// TestNothingIsDrawnOfNothing: a run that asked nothing still has its page.
func TestNothingIsDrawnOfNothing(t *testing.T) {
	dir := t.TempDir()
	if err := plot.Write(dir, &report.Report{Protocol: "tapestry"}, sample("chord", 1)); err != nil {
		t.Error(err)
	}
	dir = t.TempDir()
	if err := plot.Write(dir, &report.Report{Protocol: "tapestry"}); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v; want index.html and report.json", entries, err)
	}
	if err := plot.Write(dir); err == nil {
		t.Error("wrote no report")
	}
}

func TestFolderThatCannotBeIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := plot.Write(filepath.Join(file, "dir"), sample("tapestry", 1)); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
}

// TestRunsOfOneProtocolAreToldApart by what they differ in.
func TestRunsOfOneProtocolAreToldApart(t *testing.T) {
	a, b, c := sample("tapestry", 1), sample("tapestry", 2), sample("chord", 1)
	a.Transport, b.Transport, a.SessionMedianS, b.SessionMedianS = "datagram", "stream", 84, 600
	dir := t.TempDir()
	if err := plot.Write(dir, a, b, c); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"<th>tapestry, datagram, sessions 84 s</th>", "<th>tapestry, stream, sessions 10 min</th>", "<th>chord</th>"} {
		if !bytes.Contains(page, []byte(name)) {
			t.Errorf("no %s", name)
		}
	}
}
