package topology

import (
	"math"
	"time"
)

// Coords is a network embedded in the plane: the one-way delay of two hosts is
// their distance, the round trip twice that. Being an embedding it never breaks
// the triangle inequality, so proximity routing looks a little better in it than
// over measured delays.
type Coords struct {
	points []point
}

type point struct{ x, y float32 } // in ms

func (p point) distance(q point) float64 {
	return math.Hypot(float64(p.x-q.x), float64(p.y-q.y))
}

// LoadCoords reads lines of node,x_ms,y_ms under a header of that text; nodes
// count from 0.
func LoadCoords(path string) (*Coords, error) {
	c := &Coords{}
	err := readTable(path, "coordinates", c.read)
	return c, err
}

func (c *Coords) read(t *table) error {
	if err := t.header("node,x_ms,y_ms"); err != nil {
		return err
	}
	for {
		fields, err := t.next()
		if err != nil {
			return err
		}
		if fields == nil {
			break
		}
		if err := c.host(t, fields); err != nil {
			return err
		}
	}
	if len(c.points) < 2 {
		return t.bad("ends after %d hosts, want at least 2", len(c.points))
	}
	return nil
}

func (c *Coords) host(t *table, fields []string) error {
	if len(fields) != 3 {
		return t.bad("%d fields, want node,x_ms,y_ms", len(fields))
	}
	next := float64(len(c.points))
	if node, err := t.number(fields, 0, 0, math.MaxInt32); err != nil {
		return err
	} else if node != next {
		return t.bad("node is %s, want %g: nodes count up from 0", excerpt(fields[0]), next)
	}
	x, err := t.number(fields, 1, -maxRTT, maxRTT)
	if err != nil {
		return err
	}
	y, err := t.number(fields, 2, -maxRTT, maxRTT)
	c.points = append(c.points, point{float32(x), float32(y)})
	return err
}

// Hosts returns the number of coordinates.
func (c *Coords) Hosts() int { return len(c.points) }

// OneWay is the distance of the two coordinates.
func (c *Coords) OneWay(a, b int) time.Duration {
	return milliseconds(c.points[a].distance(c.points[b]))
}
