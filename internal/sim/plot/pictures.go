package plot

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/tapestry-dolr/tapestry/internal/sim/report"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// picture is one of the pictures of a page.
type picture struct {
	Name    string
	Title   string
	Caption string
	SVG     template.HTML
	// draw returns no bytes if the runs hold nothing to draw.
	draw func([]*report.Report) ([]byte, error)
}

var pictures = []picture{
	{Name: "success", Title: "Success", draw: success,
		Caption: "Share of lookups that reached the true root, and of locates that found a living server, by the time they began."},
	{Name: "traffic", Title: "Traffic", draw: traffic,
		Caption: "Bytes that a node sends per second, packet headers included: mean of the live nodes."},
	{Name: "recovery", Title: "Recovery", draw: recovery,
		Caption: "Lookups that reached the true root, and bytes that a node has to send per second, those included that find no room on its uplink: " +
			"of runs that repair their tables in different ways."},
	{Name: "nodes", Title: "Live nodes", draw: population,
		Caption: "Nodes that are up."},
	{Name: "latency", Title: "Latency", draw: latency,
		Caption: "Share of requests answered within a time: lookups until their reply, locates until their first answer."},
	{Name: "stretch", Title: "Stretch by distance", draw: stretch,
		Caption: "How many times longer the way to an object is than the shortest, by the round-trip time to the nearest replica. " +
			"Without objects: of lookups, by that to the root. 1 is ideal."},
	{Name: "asked", Title: "Stretch by distance, as objects are looked for again", draw: asked,
		Caption: "Median stretch of the way to an object, of which so many have been looking before. 1 is ideal."},
	{Name: "hops", Title: "Hops", draw: hops,
		Caption: "Share of lookups by the number of hops that they took."},
	{Name: "joining", Title: "Joining, by size", draw: joining,
		Caption: "Bytes to, from and about a node until it is a member, of overlays of several sizes. A straight line grows like log N."},
}

// named is how a run is called beside another, or "" if it is alone.
func named(runs []*report.Report, i int, what string) string {
	if len(runs) == 1 {
		return what
	}
	parts := []string{runs[i].Label}
	if runs[i].Label == "" {
		parts = append([]string{runs[i].Protocol}, apart(runs, i)...)
	}
	if what != "" {
		parts = append(parts, what)
	}
	return strings.Join(parts, ", ")
}

// apart is what tells a run from others of its protocol.
func apart(runs []*report.Report, i int) (parts []string) {
	single := true
	var transport, sessions, recovery bool
	for j, r := range runs {
		if j != i && r.Protocol == runs[i].Protocol {
			single = false
			transport = transport || r.Transport != runs[i].Transport
			sessions = sessions || r.Sessions() != runs[i].Sessions()
			recovery = recovery || r.Recovery != runs[i].Recovery
		}
	}
	if transport {
		parts = append(parts, runs[i].Transport)
	}
	if sessions {
		parts = append(parts, "sessions "+runs[i].Sessions())
	}
	if recovery {
		parts = append(parts, runs[i].Recovery)
	}
	if !single && len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("%d nodes, seed %d", runs[i].Nodes, runs[i].Seed))
	}
	return parts
}

// overTime cuts a timeline into pieces where value is.
func overTime(r *report.Report, value func(report.Window) (float64, bool)) (pieces []plotter.XYs) {
	open := false
	for _, w := range r.Timeline {
		v, ok := value(w)
		if ok && !open {
			pieces = append(pieces, nil)
		}
		if open = ok; ok {
			last := &pieces[len(pieces)-1]
			*last = append(*last, plotter.XY{X: w.FromS, Y: v})
		}
	}
	return pieces
}

const timeAxis = "virtual time in s"

// times marks the axis of time up to the last window of all runs.
func times(p *plot.Plot, runs []*report.Report) {
	p.X.Min, p.X.Max = 0, 1
	for _, r := range runs {
		if n := len(r.Timeline); n > 0 {
			p.X.Max = max(p.X.Max, r.Timeline[n-1].FromS)
		}
	}
	steps(&p.X, plain)
}

func success(runs []*report.Report) ([]byte, error) {
	p := canvas(timeAxis, "success")
	any := false
	for i, r := range runs {
		lookups := answering(r)
		locates := overTime(r, func(w report.Window) (float64, bool) { return w.LocateSuccess, w.Locates > 0 })
		any = any || len(lookups)+len(locates) > 0
		second := stroke{color: hue(i), dashed: true}
		if len(runs) == 1 {
			second = stroke{color: hue(1)}
		}
		curve(p, named(runs, i, "locates"), locates, second)
		curve(p, named(runs, i, "lookups"), lookups, stroke{color: hue(i)})
	}
	if !any {
		return nil, nil
	}
	percents(&p.Y)
	p.Y.Max = 1.01 // a line at 100 % is drawn whole
	times(p, runs)
	return svg(p)
}

func traffic(runs []*report.Report) ([]byte, error) {
	p := canvas(timeAxis, "sent per node and second")
	top := 0.0
	for i, r := range runs {
		sent, most := sending(r)
		top = max(top, most)
		curve(p, named(runs, i, "")+alone(runs, "all traffic"), sent, stroke{color: hue(i)})
	}
	if top == 0 {
		return nil, nil
	}
	p.Y.Min, p.Y.Max = 0, top*1.08
	steps(&p.Y, amount)
	times(p, runs)
	return svg(p)
}

// sending is what a node sends in a second, over time, and the most of it.
func sending(r *report.Report) (pieces []plotter.XYs, most float64) {
	pieces = overTime(r, func(w report.Window) (float64, bool) {
		v := w.BytesPerS / math.Max(1, float64(w.Live))
		most = max(most, v)
		return v, w.Live > 0
	})
	return pieces, most
}

// answering is the share of lookups that came to the true root, over time.
func answering(r *report.Report) []plotter.XYs {
	return overTime(r, func(w report.Window) (float64, bool) { return w.LookupSuccess, w.Lookups > 0 })
}

// alone is the text if there is one run.
func alone(runs []*report.Report, text string) string {
	if len(runs) == 1 {
		return text
	}
	return ""
}

func population(runs []*report.Report) ([]byte, error) {
	p := canvas(timeAxis, "live nodes")
	low, high := math.MaxInt, 0
	for i, r := range runs {
		curve(p, named(runs, i, ""), overTime(r, func(w report.Window) (float64, bool) {
			low, high = min(low, w.Live), max(high, w.Live)
			return float64(w.Live), true
		}), stroke{color: hue(i)})
	}
	if low >= high { // nobody came or went
		return nil, nil
	}
	p.Y.Min, p.Y.Max = 0, float64(high)*1.08
	steps(&p.Y, plain)
	times(p, runs)
	return svg(p)
}

func latency(runs []*report.Report) ([]byte, error) {
	p := canvas("", "requests answered")
	p.X.Min, p.X.Max = math.Inf(1), 1
	for i, r := range runs {
		second := stroke{color: hue(i), dashed: true}
		if len(runs) == 1 {
			second = stroke{color: hue(1)}
		}
		distribution(p, named(runs, i, "locates"), r.Locates.FirstAnswerQuantilesMs, second)
		distribution(p, named(runs, i, "lookups"), r.Lookups.LatencyQuantilesMs, stroke{color: hue(i)})
	}
	if math.IsInf(p.X.Min, 1) {
		return nil, nil
	}
	p.X.Max *= 1.05
	percents(&p.Y)
	p.Y.Max = 1.01
	decades(&p.X, milliseconds)
	return svg(p)
}

// shortest is the least latency in ms that is drawn: what is nearer is here.
const shortest = 0.5

// distribution draws quantiles as the share answered within a time.
func distribution(p *plot.Plot, name string, quantiles []float64, s stroke) {
	var xys plotter.XYs
	for i, ms := range quantiles {
		x := max(ms, shortest)
		xys = append(xys, plotter.XY{X: x, Y: float64(i) / float64(len(quantiles)-1)})
		p.X.Min, p.X.Max = min(p.X.Min, x), max(p.X.Max, x)
	}
	if len(xys) > 1 {
		curve(p, name, []plotter.XYs{xys}, s)
	}
}

// bins are what the stretch of a run is drawn from.
func bins(r *report.Report) []report.Bin {
	for _, b := range r.Locates.StretchByDistance {
		if b.Count > 0 {
			return r.Locates.StretchByDistance
		}
	}
	return r.Lookups.StretchByDistance
}

func stretch(runs []*report.Report) ([]byte, error) {
	p := canvas("round trip to the target", "stretch")
	top, drawn := 1.0, 0
	for i, r := range runs {
		var half, most plotter.XYs
		for x, b := range bins(r) {
			if b.Count > 0 {
				half = append(half, plotter.XY{X: float64(x), Y: max(b.P50, shortest)})
				most = append(most, plotter.XY{X: float64(x), Y: max(b.P90, shortest)})
				top = max(top, b.P90, b.P50)
			}
		}
		drawn += len(half)
		curve(p, named(runs, i, "nine of ten"), pieces(most), stroke{color: hue(i), dashed: true, dots: true})
		curve(p, named(runs, i, "median"), pieces(half), stroke{color: hue(i), dots: true})
	}
	if drawn == 0 {
		return nil, nil
	}
	longest := 0
	for i, r := range runs {
		if len(bins(r)) > len(bins(runs[longest])) {
			longest = i
		}
	}
	ideal(p, float64(len(bins(runs[longest])))-0.6)
	p.X.Tick.Marker = distances(bins(runs[longest]))
	p.Y.Min, p.Y.Max = 0, top*1.08
	if top > 8 {
		p.Y.Min = 0.7
		decades(&p.Y, plain)
	} else {
		steps(&p.Y, plain)
	}
	return svg(p)
}

func pieces(xys plotter.XYs) []plotter.XYs {
	if len(xys) == 0 {
		return nil
	}
	return []plotter.XYs{xys}
}

// ideal draws the stretch that nothing is below.
func ideal(p *plot.Plot, to float64) {
	p.Add(&plotter.Line{
		XYs:       plotter.XYs{{X: -0.4, Y: 1}, {X: to, Y: 1}},
		LineStyle: draw.LineStyle{Color: ink, Width: 0.75},
	})
	p.X.Min, p.X.Max = -0.4, to
}

// distances marks each bin with its range.
func distances(bins []report.Bin) (ticks plot.ConstantTicks) {
	for x, b := range bins {
		label := fmt.Sprintf("%g–%g ms", b.FromMs, b.ToMs)
		switch {
		case b.ToMs == 0:
			label = fmt.Sprintf("from %g ms", b.FromMs)
		case b.FromMs == 0:
			label = fmt.Sprintf("below %g ms", b.ToMs)
		}
		ticks = append(ticks, plot.Tick{Value: float64(x), Label: label})
	}
	return ticks
}

func hops(runs []*report.Report) ([]byte, error) {
	p := canvas("hops", "share of lookups")
	top, most := 0.0, 0
	for i, r := range runs {
		sum := 0
		for _, n := range r.Lookups.HopsHistogram {
			sum += n
		}
		var xys plotter.XYs
		for x, n := range r.Lookups.HopsHistogram {
			share := float64(n) / math.Max(1, float64(sum))
			xys = append(xys, plotter.XY{X: float64(x), Y: share})
			if n > 0 {
				top, most = max(top, share), max(most, x)
			}
		}
		switch {
		case sum == 0:
		case len(runs) == 1:
			p.Add(&bars{xys: xys, color: hue(i)})
		default:
			curve(p, named(runs, i, ""), pieces(xys), stroke{color: hue(i), dots: true})
		}
	}
	if top == 0 {
		return nil, nil
	}
	percents(&p.Y)
	p.Y.Max = min(1.01, top*1.1)
	p.X.Min, p.X.Max = -0.6, float64(most)+0.6
	var ticks plot.ConstantTicks
	for x := range most + 1 {
		ticks = append(ticks, plot.Tick{Value: float64(x), Label: fmt.Sprint(x)})
	}
	p.X.Tick.Marker = ticks
	return svg(p)
}

// joining draws what a join costs over the size of the overlay.
func joining(runs []*report.Report) ([]byte, error) {
	p := canvas("nodes", "kB per join")
	var cost plotter.XYs
	top := 0.0
	p.X.Min, p.X.Max = math.Inf(1), 0
	for _, r := range runs {
		if r.Joins.Total > 0 && r.Nodes > 0 {
			xy := plotter.XY{X: float64(r.Nodes), Y: r.Joins.BytesMean / 1e3}
			cost = append(cost, xy)
			top, p.X.Min, p.X.Max = max(top, xy.Y), min(p.X.Min, xy.X), max(p.X.Max, xy.X)
		}
	}
	if p.X.Min >= p.X.Max { // one size is no line
		return nil, nil
	}
	slices.SortFunc(cost, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
	curve(p, "", pieces(cost), stroke{color: hue(0), dots: true})
	p.Y.Min, p.Y.Max = 0, top*1.08
	steps(&p.Y, plain)
	p.X.Min, p.X.Max = p.X.Min/1.2, p.X.Max*1.2
	decades(&p.X, plain)
	return svg(p)
}
