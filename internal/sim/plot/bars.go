package plot

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bars are columns whose width is part of the distance between two of them; those of
// plotter have a width on paper.
type bars struct {
	xys   plotter.XYs
	color color.Color
}

// Plot draws the columns.
func (b *bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, v := range b.xys {
		left, right, top, bottom := x(v.X-0.36), x(v.X+0.36), y(v.Y), y(0)
		c.FillPolygon(b.color, []vg.Point{{X: left, Y: bottom}, {X: left, Y: top}, {X: right, Y: top}, {X: right, Y: bottom}})
	}
}
