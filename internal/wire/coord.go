package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Coord is a node's network coordinate as it travels and as it is kept: CoordDims
// signed components and a height, in units of CoordUnit, then the error in units of
// coordErrorUnit, each 16 bits (docs/protocol.md §5.8). Whatever the bytes, it is a
// finite point within bounds; an error of 0 means that the coordinate is not known.
type Coord [CoordSize]byte

const (
	// CoordDims is how many dimensions a coordinate has beside its height.
	CoordDims = 4
	// CoordSize is the size of a coordinate in bytes.
	CoordSize = 2*CoordDims + 4
	// CoordUnit is the grain of components and height.
	CoordUnit = 20 * time.Microsecond

	coordErrorUnit = 1.0 / (1 << 14)
)

// Point is a coordinate to reckon with: seconds of round trip, and an error that is a
// share of the distance.
type Point struct {
	Vec    [CoordDims]float64
	Height float64
	Error  float64
}

// Pack returns p to the nearest unit, held within what 16 bits can say.
func (p Point) Pack() (c Coord) {
	unit := CoordUnit.Seconds()
	for i, x := range p.Vec {
		binary.BigEndian.PutUint16(c[2*i:], uint16(int16(within(x/unit, math.MinInt16, math.MaxInt16))))
	}
	binary.BigEndian.PutUint16(c[2*CoordDims:], uint16(within(p.Height/unit, 0, math.MaxUint16)))
	binary.BigEndian.PutUint16(c[2*CoordDims+2:], uint16(within(p.Error/coordErrorUnit, 1, math.MaxUint16)))
	return c
}

// within rounds x and holds it between low and high; what is no number is low.
func within(x, low, high float64) float64 {
	if !(x > low) {
		return low
	}
	return math.Round(min(x, high))
}

// Known reports whether c says anything.
func (c Coord) Known() bool { return c[2*CoordDims+2]|c[2*CoordDims+3] != 0 }

// Point unpacks c.
func (c Coord) Point() (p Point) {
	unit := CoordUnit.Seconds()
	for i := range p.Vec {
		p.Vec[i] = float64(int16(binary.BigEndian.Uint16(c[2*i:]))) * unit
	}
	p.Height = float64(binary.BigEndian.Uint16(c[2*CoordDims:])) * unit
	p.Error = float64(binary.BigEndian.Uint16(c[2*CoordDims+2:])) * coordErrorUnit
	return p
}

// Distance is the round trip that two points claim to be apart.
func (p Point) Distance(q Point) time.Duration {
	sum := 0.0
	for i := range p.Vec {
		sum += (p.Vec[i] - q.Vec[i]) * (p.Vec[i] - q.Vec[i])
	}
	return time.Duration((math.Sqrt(sum) + p.Height + q.Height) * float64(time.Second))
}

// CoordIn reads a checked field that holds one coordinate or none.
func CoordIn(field []byte) (c Coord) {
	copy(c[:], field)
	return c
}

// CoordAt reads the i-th of a checked field of coordinates, which may be empty.
func CoordAt(packed []byte, i int) (c Coord) {
	if at := i * CoordSize; at+CoordSize <= len(packed) {
		copy(c[:], packed[at:])
	}
	return c
}

// Packed is c as a field that may be left out: nothing if c is not known.
func (c Coord) Packed() []byte {
	if !c.Known() {
		return nil
	}
	return c[:]
}

func checkCoord(field []byte) error {
	if len(field) != 0 && len(field) != CoordSize {
		return fmt.Errorf("coordinate of %d bytes, want none or %d", len(field), CoordSize)
	}
	return nil
}

// checkCoords demands a coordinate for each of so many nodes, or none at all.
func checkCoords(packed []byte, nodes int) error {
	if len(packed) != 0 && len(packed) != nodes*CoordSize {
		return fmt.Errorf("coordinates of %d bytes for %d nodes of %d", len(packed), nodes, CoordSize)
	}
	return nil
}
