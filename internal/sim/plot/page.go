package plot

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"

	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// row is one figure, of every run.
type row struct {
	Name  string
	Cells []string
	Head  bool // it begins a group and has no figures
}

func page(runs []*report.Report, drawn []picture) ([]byte, error) {
	var b bytes.Buffer
	var names []string
	for i := range runs {
		name := named(runs, i, "")
		if len(runs) == 1 {
			name = runs[i].Protocol
		}
		names = append(names, name)
	}
	err := pageTemplate.Execute(&b, struct {
		Runs     []*report.Report
		Names    []string
		Rows     []row
		Pictures []picture
		Kinds    []row
	}{runs, names, rows(runs), drawn, kinds(runs)})
	return b.Bytes(), err
}

// figure is how one row gets its cells.
type figure struct {
	name string
	cell func(*report.Report) string // nil: a heading
}

var figures = []figure{
	{"Run", nil},
	{"nodes at the start", func(r *report.Report) string { return strconv.Itoa(r.Nodes) }},
	{"virtual time", func(r *report.Report) string { return number(r.VirtualS) + " s" }},
	{"wall time", func(r *report.Report) string { return number(r.WallS) + " s" }},
	{"wall time to settle", func(r *report.Report) string { return number(r.SettleWallS) + " s" }},
	{"Lookups", nil},
	{"total", func(r *report.Report) string { return strconv.Itoa(r.Lookups.Total) }},
	{"completed", func(r *report.Report) string { return share(r.Lookups.CompletedRatio, r.Lookups.Total) }},
	{"true root", func(r *report.Report) string { return share(r.Lookups.TrueRatio, r.Lookups.Total) }},
	{"consistent", func(r *report.Report) string { return share(r.Lookups.ConsistentRatio, r.Lookups.Total) }},
	{"hops, mean and 99 %", func(r *report.Report) string {
		return some(r.Lookups.Total, number(r.Lookups.HopsMean)+", "+number(r.Lookups.HopsP99))
	}},
	{"latency in ms", func(r *report.Report) string { return three(r.Lookups.LatencyMs, r.Lookups.Total) }},
	{"stretch", func(r *report.Report) string { return three(r.Lookups.Stretch, r.Lookups.Total) }},
	{"Locates", nil},
	{"total", func(r *report.Report) string { return strconv.Itoa(r.Locates.Total) }},
	{"found", func(r *report.Report) string { return share(r.Locates.FoundRatio, r.Locates.Total) }},
	{"wrongly absent, unknown", func(r *report.Report) string {
		return fmt.Sprintf("%d, %d", r.Locates.WrongAbsent, r.Locates.Unknown)
	}},
	{"nearest replica named first", func(r *report.Report) string { return share(r.Locates.NearestRatio, r.Locates.Total) }},
	{"nearest after measuring", func(r *report.Report) string { return share(r.Locates.NearestMeasuredRatio, r.Locates.Total) }},
	{"first answer in ms", func(r *report.Report) string { return three(r.Locates.FirstAnswerMs, r.Locates.Total) }},
	{"delivery stretch", func(r *report.Report) string { return three(r.Locates.DeliveryStretch, r.Locates.Total) }},
	{"… sent at most once", func(r *report.Report) string { return three(r.Locates.DeliveryStretchOnce, r.Locates.Total) }},
	{"reply over round trip", func(r *report.Report) string { return three(r.Locates.RoundtripOverRTT, r.Locates.Total) }},
	{"messages per locate", func(r *report.Report) string { return known(r.Locates.MessagesMean) }},
	{"Objects", nil},
	{"messages to publish one", func(r *report.Report) string { return number(r.Publish.MessagesPerObject) }},
	{"bytes to publish one", func(r *report.Report) string { return amount(r.Publish.BytesPerObject) }},
	{"pointers of one", func(r *report.Report) string { return known(r.Publish.PointersPerObject) }},
	{"refresh per node and second", func(r *report.Report) string { return amount(r.Publish.RefreshBytesPerNodeS) }},
	{"visible, gone after ms (50 %, 99 %)", func(r *report.Report) string {
		return two(r.Publish.VisibleMs) + "; " + two(r.Publish.GoneMs)
	}},
	{"Nodes", nil},
	{"sent per node and second", func(r *report.Report) string { return amount(r.Traffic.BytesPerNodeS) }},
	{"messages per node and second", func(r *report.Report) string { return number(r.Traffic.MessagesPerNodeS) }},
	{"links, mean, 99 % and most", func(r *report.Report) string {
		return fmt.Sprintf("%s, %s, %d", number(r.State.LinksMean), number(r.State.LinksP99), r.State.LinksMax)
	}},
	{"deaths", func(r *report.Report) string { return strconv.Itoa(r.Detector.Deaths) }},
	{"found out after s (50 %, 99 %)", func(r *report.Report) string {
		return some(r.Detector.Deaths, two(r.Detector.DetectionS))
	}},
	{"falsely taken for dead, suspected", func(r *report.Report) string {
		return fmt.Sprintf("%d, %d", r.Detector.FalseDeaths, r.Detector.FalseSuspicions)
	}},
}

func rows(runs []*report.Report) (all []row) {
	for _, f := range figures {
		r := row{Name: f.name, Head: f.cell == nil}
		for _, run := range runs {
			if f.cell != nil {
				r.Cells = append(r.Cells, f.cell(run))
			}
		}
		all = append(all, r)
	}
	return all
}

// kinds are the kinds of message with what they take, the greatest first.
func kinds(runs []*report.Report) (all []row) {
	sum := map[string]float64{}
	for _, r := range runs {
		for kind, bytes := range r.Traffic.ByKind { // a sum has no order but rounding; sorted below
			sum[kind] += bytes
		}
	}
	names := slices.Sorted(maps.Keys(sum))
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case sum[a] > sum[b]:
			return -1
		case sum[a] < sum[b]:
			return 1
		}
		return 0
	})
	for _, kind := range names {
		r := row{Name: kind}
		for _, run := range runs {
			cell := ""
			if v, ok := run.Traffic.ByKind[kind]; ok {
				cell = amount(v)
			}
			r.Cells = append(r.Cells, cell)
		}
		all = append(all, r)
	}
	return all
}

// none stands where there is nothing to say.
const none = "–"

// some is text unless nothing was counted.
func some(total int, text string) string {
	if total == 0 {
		return none
	}
	return text
}

// known is a figure that is 0 only if nobody has counted it.
func known(v float64) string {
	if v == 0 {
		return none
	}
	return number(v)
}

// number has three digits that say something, and more if it is large.
func number(v float64) string {
	if v >= 100 || v <= -100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// share is a ratio in percent; it is 100 % only if it is all.
func share(ratio float64, total int) string {
	switch {
	case total == 0:
		return none
	case ratio == 1:
		return "100 %"
	}
	return fmt.Sprintf("%.2f %%", min(100*ratio, 99.99))
}

func three(q report.Quantiles, total int) string {
	return some(total, number(q.P50)+", "+number(q.P90)+", "+number(q.P99))
}

func two(e report.Ends) string { return number(e.P50) + ", " + number(e.P99) }
