package plot

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of a picture.
const (
	width  = 7 * vg.Inch
	height = 3.6 * vg.Inch
	// stackedHeight is that of each of several below one another.
	stackedHeight = 2.4 * vg.Inch
)

// palette can be told apart by everybody (M. Okabe, K. Ito, "Color Universal
// Design", 2008).
var palette = []color.Color{
	color.RGBA{R: 0, G: 114, B: 178, A: 255},
	color.RGBA{R: 213, G: 94, B: 0, A: 255},
	color.RGBA{R: 0, G: 158, B: 115, A: 255},
	color.RGBA{R: 204, G: 121, B: 167, A: 255},
	color.RGBA{R: 230, G: 159, B: 0, A: 255},
	color.RGBA{R: 86, G: 180, B: 233, A: 255},
}

var (
	ink   = color.Gray{Y: 60}
	faint = color.Gray{Y: 225}
)

func hue(i int) color.Color { return palette[i%len(palette)] }

// canvas is an empty picture in the style of all.
func canvas(x, y string) *plot.Plot {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Size = 10
		axis.Label.TextStyle.Color = ink
		axis.Label.Padding = 4
		axis.Tick.Label.Font.Size = 9
		axis.Tick.Label.Color = ink
		axis.LineStyle.Color = ink
		axis.LineStyle.Width = 0.75
		axis.Tick.LineStyle.Color = ink
		axis.Tick.Length = 3
		axis.Padding = 0
	}
	p.Legend.TextStyle.Font.Size = 9
	p.Legend.TextStyle.Color = ink
	p.Legend.Padding = 4
	p.Legend.ThumbnailWidth = 18
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = faint, faint
	grid.Vertical.Width, grid.Horizontal.Width = 0.5, 0.5
	p.Add(grid)
	return p
}

// stroke is how a line is drawn.
type stroke struct {
	color  color.Color
	dashed bool
	dots   bool
}

func (s stroke) line() draw.LineStyle {
	l := draw.LineStyle{Color: s.color, Width: 1.6}
	if s.dashed {
		l.Dashes = []vg.Length{4, 3}
	}
	return l
}

func (s stroke) glyph() draw.GlyphStyle {
	return draw.GlyphStyle{Color: s.color, Radius: 2.6, Shape: draw.CircleGlyph{}}
}

// curve adds a line, in several pieces if there are gaps, and its legend.
func curve(p *plot.Plot, name string, pieces []plotter.XYs, s stroke) {
	var shown bool
	for _, xys := range pieces {
		line := &plotter.Line{XYs: xys, LineStyle: s.line()}
		p.Add(line)
		if s.dots || len(xys) == 1 {
			p.Add(&plotter.Scatter{XYs: xys, GlyphStyle: s.glyph()})
		}
		if !shown && name != "" {
			p.Legend.Add(name, line)
			shown = true
		}
	}
}

// svg renders p, its legend beside it.
func svg(p *plot.Plot) ([]byte, error) {
	c := vgsvg.NewWith(vgsvg.UseWH(width, height))
	whole := margins(c)
	legend, room := besides(p, whole)
	p.Draw(draw.Crop(whole, 0, -room, 0, 0))
	legend.Draw(draw.Crop(whole, whole.Max.X-whole.Min.X-room+10, 0, 0, -4))
	return written(c)
}

// stacked renders plots below one another, the legend of the first beside it. Their axes
// stand in one line.
func stacked(plots ...*plot.Plot) ([]byte, error) {
	c := vgsvg.NewWith(vgsvg.UseWH(width, stackedHeight*vg.Length(len(plots))))
	whole := margins(c)
	legend, room := besides(plots[0], whole)
	var rows [][]*plot.Plot
	for _, p := range plots {
		rows = append(rows, []*plot.Plot{p})
	}
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadY: 10}
	for i, row := range plot.Align(rows, tiles, draw.Crop(whole, 0, -room, 0, 0)) {
		plots[i].Draw(row[0])
	}
	legend.Draw(draw.Crop(whole, whole.Max.X-whole.Min.X-room+10, 0, 0, -4))
	return written(c)
}

func margins(c *vgsvg.Canvas) draw.Canvas { return draw.Crop(draw.New(c), 4, -10, 4, -6) }

// besides takes the legend out of p and says how much room it needs beside it.
func besides(p *plot.Plot, whole draw.Canvas) (legend plot.Legend, room vg.Length) {
	legend = p.Legend
	p.Legend = plot.NewLegend()
	legend.Left, legend.Top = true, true
	if r := legend.Rectangle(whole); r.Max.X > r.Min.X+legend.ThumbnailWidth+6 {
		room = 1.1*(r.Max.X-r.Min.X) + 10 // a substitute font may be wider
	}
	return legend, room
}

// written is the text of a picture. The fonts that a viewer may lack have substitutes.
func written(c *vgsvg.Canvas) ([]byte, error) {
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif")), nil
}

// inline strips what stands before the svg element, for a page.
func inline(svg []byte) template.HTML {
	return template.HTML(svg[bytes.Index(svg, []byte("<svg")):])
}

// percents marks an axis of shares.
func percents(axis *plot.Axis) {
	axis.Min, axis.Max = 0, 1
	var ticks plot.ConstantTicks
	for i := 0; i <= 10; i++ {
		t := plot.Tick{Value: float64(i) / 10}
		if i%2 == 0 {
			t.Label = fmt.Sprintf("%d %%", 10*i)
		}
		ticks = append(ticks, t)
	}
	axis.Tick.Marker = ticks
}

// decades marks a logarithmic axis at each power of ten, and between at 2 and 5 if
// there is room, in the words of label.
func decades(axis *plot.Axis, label func(float64) string) {
	axis.Scale = plot.LogScale{}
	var ticks plot.ConstantTicks
	roomy := axis.Max < 150*axis.Min
	for power := 1e-3; power < 1e9; power *= 10 {
		for m := 1; m < 10; m++ {
			t := plot.Tick{Value: power * float64(m)}
			if m == 1 || roomy && (m == 2 || m == 5) {
				t.Label = label(t.Value)
			}
			if t.Value >= axis.Min && t.Value <= axis.Max {
				ticks = append(ticks, t)
			}
		}
	}
	axis.Tick.Marker = ticks
}

// steps marks an axis from 0 at round numbers, some six of them, in the words of label.
func steps(axis *plot.Axis, label func(float64) string) {
	span := axis.Max - axis.Min
	step := math.Pow(10, math.Floor(math.Log10(span/4)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if span/(m*step) <= 7 {
			step *= m
			break
		}
	}
	var ticks plot.ConstantTicks
	for i := math.Ceil(axis.Min/step-1e-9) + 0; i*step <= axis.Max*(1+1e-9); i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: label(i * step)})
	}
	axis.Tick.Marker = ticks
}

// plain names a number.
func plain(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// milliseconds names a duration in ms.
func milliseconds(ms float64) string {
	if ms >= 1000 {
		return strconv.FormatFloat(ms/1000, 'g', 3, 64) + " s"
	}
	return strconv.FormatFloat(ms, 'g', 3, 64) + " ms"
}

// amount names a number of bytes.
func amount(bytes float64) string {
	switch {
	case bytes >= 1e6:
		return strconv.FormatFloat(bytes/1e6, 'g', 3, 64) + " MB"
	case bytes >= 1e3:
		return strconv.FormatFloat(bytes/1e3, 'g', 3, 64) + " kB"
	}
	return strconv.FormatFloat(bytes, 'g', 3, 64) + " B"
}
