package wire_test

import (
	"math"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

// TestAnyBytesAreACoordinate: whatever a peer sends is a finite point within bounds, and
// packs to the same bytes again unless it says that it is not known.
func TestAnyBytesAreACoordinate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := wire.CoordIn(bytesOf(wire.CoordSize).Draw(t, "bytes"))
		p := c.Point()
		for _, x := range append(p.Vec[:], p.Height, p.Error) {
			if math.IsNaN(x) || math.Abs(x) > 4.1 {
				t.Fatalf("%x: %v", c, p)
			}
		}
		if c.Known() && p.Pack() != c {
			t.Fatalf("%x came back as %x", c, p.Pack())
		}
		if d := p.Distance(wire.Point{}); d < 0 || d > 3*time.Second {
			t.Fatalf("%x is %v away", c, d)
		}
	})
}

// TestCoordinatesAreHeldWithinBounds: what 16 bits cannot say is cut, and no number is
// too strange to be packed.
func TestCoordinatesAreHeldWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p wire.Point
		for i := range p.Vec {
			p.Vec[i] = rapid.Float64().Draw(t, "component")
		}
		p.Height, p.Error = rapid.Float64().Draw(t, "height"), rapid.Float64().Draw(t, "error")
		c := p.Pack()
		if !c.Known() {
			t.Fatalf("%v is not known any more", p)
		}
		const unit = 20e-6
		for i, x := range p.Vec {
			if got := c.Point().Vec[i]; math.Abs(x) < 0.65 && math.Abs(got-x) > unit/2+1e-12 {
				t.Fatalf("%v came back as %v", x, got)
			}
		}
	})
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		p := wire.Point{Vec: [wire.CoordDims]float64{x}, Height: x, Error: x}.Pack().Point()
		if math.Abs(p.Vec[0]) > 0.656 || p.Height < 0 || p.Height > 1.311 || p.Error <= 0 {
			t.Errorf("%v came back as %v", x, p)
		}
	}
}

func TestCoordinatesAreReadInOrder(t *testing.T) {
	a, b := wire.Point{Height: 0.001, Error: 1}.Pack(), wire.Point{Height: 0.002, Error: 1}.Pack()
	both := append(a[:], b[:]...)
	if wire.CoordAt(both, 0) != a || wire.CoordAt(both, 1) != b {
		t.Errorf("%x read as %x and %x", both, wire.CoordAt(both, 0), wire.CoordAt(both, 1))
	}
	if wire.CoordAt(both, 2).Known() || wire.CoordAt(nil, 0).Known() || wire.CoordIn(nil).Known() {
		t.Error("a coordinate that is not there is known")
	}
}

// TestCoordinatesThatDoNotFitAreRefused: as many as there are nodes, or none.
func TestCoordinatesThatDoNotFitAreRefused(t *testing.T) {
	ref := wire.AppendRef(nil, wire.Ref{})
	for what, m := range map[string]wire.Message{
		"cut":       &wire.Beacon{Coord: make([]byte, wire.CoordSize-1)},
		"two":       &wire.BeaconAck{Coord: make([]byte, 2*wire.CoordSize)},
		"too many":  &wire.LeafSet{Refs: ref, Coords: make([]byte, 2*wire.CoordSize)},
		"of nobody": &wire.Row{Coords: make([]byte, wire.CoordSize)},
		"too few":   &wire.Records{Records: []*wire.SignedRecord{{}, {}}, Coords: make([]byte, wire.CoordSize)},
	} {
		if _, err := wire.Decode(frameOf(m.Kind(), pack(m))); err == nil {
			t.Errorf("%s: %v was taken", what, m.Kind())
		}
	}
}
