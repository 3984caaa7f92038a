package plot

import (
	"fmt"
	"image/color"
	"math"

	"github.com/tapestry-dolr/tapestry/internal/sim/report"
	"gonum.org/v1/plot/plotter"
)

// asked draws the stretch by distance once for every magnitude of how often an object was
// looked for before: of one run in colors of their own, of several darker for more often.
func asked(runs []*report.Report) ([]byte, error) {
	p := canvas("round trip to the target", "median stretch")
	top, longest := 1.0, []report.Bin(nil)
	several := false
	for i, r := range runs {
		several = several || len(r.Locates.StretchByAsked) > 1
		for k, a := range r.Locates.StretchByAsked {
			xys, most := medians(a.Bins)
			top = max(top, most)
			if len(a.Bins) > len(longest) {
				longest = a.Bins
			}
			curve(p, named(runs, i, after(a.From)), pieces(xys), askedStroke(runs, i, k))
		}
	}
	if !several {
		return nil, nil
	}
	ideal(p, float64(len(longest))-0.6)
	p.X.Tick.Marker = distances(longest)
	p.Y.Min, p.Y.Max = 0, top*1.08
	steps(&p.Y, plain)
	return svg(p)
}

// fewest is how many measurements a median is drawn of.
const fewest = 10

// medians are those of the bins in which there are enough, with the greatest.
func medians(bins []report.Bin) (xys plotter.XYs, most float64) {
	for x, b := range bins {
		if b.Count >= fewest {
			xys = append(xys, plotter.XY{X: float64(x), Y: max(b.P50, shortest)})
			most = max(most, b.P50)
		}
	}
	return xys, most
}

func after(from int) string {
	if from == 0 {
		return "the first searches"
	}
	return fmt.Sprintf("after %d searches", from)
}

// askedStroke tells magnitudes apart by their color where there is one run, else runs; of
// several the earlier searches are the paler.
func askedStroke(runs []*report.Report, i, k int) stroke {
	if len(runs) == 1 {
		return stroke{color: hue(k), dots: true}
	}
	last := len(runs[i].Locates.StretchByAsked) - 1
	return stroke{color: paler(hue(i), 0.65*float64(last-k)/math.Max(1, float64(last))), dots: true}
}

// paler mixes a color with so much white.
func paler(c color.Color, white float64) color.Color {
	r, g, b, _ := c.RGBA()
	mix := func(x uint32) uint8 { return uint8((float64(x)*(1-white) + 0xffff*white) / 0x101) }
	return color.RGBA{mix(r), mix(g), mix(b), 0xff}
}
