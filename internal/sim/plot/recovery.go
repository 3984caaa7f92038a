package plot

import (
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// recovery draws, of runs that repair their tables in different ways, what comes of it:
// lookups above bytes, over one time.
func recovery(runs []*report.Report) ([]byte, error) {
	var repaired []*report.Report
	differ := false
	for _, r := range runs {
		if r.Recovery != "" {
			repaired = append(repaired, r)
			differ = differ || r.Recovery != repaired[0].Recovery
		}
	}
	if !differ {
		return nil, nil
	}
	above, below := canvas("", "lookups answered truly"), canvas(timeAxis, "to send per node and second")
	top := 0.0
	for i, r := range repaired {
		curve(above, named(repaired, i, ""), answering(r), stroke{color: hue(i)})
		sent, most := sending(r)
		top = max(top, most)
		curve(below, "", sent, stroke{color: hue(i)})
	}
	times(above, repaired)
	times(below, repaired)
	percents(&above.Y)
	above.Y.Max = 1.01
	uplink(above, below, repaired)
	below.Y.Min, below.Y.Max = 0, max(top*1.08, 1)
	steps(&below.Y, amount)
	return stacked(above, below)
}

// uplink marks what the uplinks carry, if they are limited and the same in all runs.
func uplink(above, below *plot.Plot, runs []*report.Report) {
	for _, r := range runs {
		if r.BandwidthBitS == 0 || r.BandwidthBitS != runs[0].BandwidthBitS {
			return
		}
	}
	most := runs[0].BandwidthBitS / 8
	line := &plotter.Line{
		XYs:       plotter.XYs{{X: below.X.Min, Y: most}, {X: below.X.Max, Y: most}},
		LineStyle: stroke{color: ink, dashed: true}.line(),
	}
	below.Add(line)
	above.Legend.Add("what an uplink carries", line)
}
