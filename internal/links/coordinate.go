package links

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/serf/coordinate"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Network coordinates (Vivaldi, by serf/coordinate): every answered beacon pulls this
// node a little towards where, or away from where, the other one says that it is, until
// the distance between two coordinates is about their round trip. They rank candidates
// before a probe is spent, and stand in for a timeout that was never measured (design
// §5, §7); they admit nobody.
//
// What others claim is bounded, for an error that is claimed to be tiny would drag this
// node anywhere: a claim counts only with a round trip of this node's own, no
// coordinate is trusted further than trust, one update moves this node by maxMove and
// worsens its error by maxWorse at most, and what no honest node would say is ignored.
const (
	startRadius = 0.005 // seconds: how far from the middle a node begins, at most
	trust       = 0.1   // the least error that another's coordinate is taken to have
	maxMove     = 0.020 // seconds: the farthest one update moves this node, or lifts it
	maxWorse    = 0.1   // the most that one update adds to this node's error
	absurd      = 2 * time.Second
	unsure      = 0.75 // whose error is beyond it has hardly begun to look for its place
	// near is how close two points may be before one of them is moved aside: of points on
	// top of each other serf/coordinate draws the direction itself, from the global source.
	near = 10e-6
	// gravity pulls everybody to the middle, ever so slowly, lest all drift away together
	// (Ledlie et al.; serf's GravityRho, squared). It is applied here and not there, where
	// it would also be drawn if a node came to lie right in the middle.
	gravity = 1 / (150.0 * 150.0)
)

// vivaldi is serf's, in so many dimensions as travel, and one in which all stand at the
// same place: it adds nothing to any distance and keeps everybody off the middle. Round
// trips come smoothed, so that it need not remember any, and the adjustment term made
// estimates on measured delays no better.
var vivaldi = func() *coordinate.Config {
	c := coordinate.DefaultConfig()
	c.Dimensionality = wire.CoordDims + 1
	c.AdjustmentWindowSize = 0
	c.LatencyFilterSize = 1
	c.GravityRho = math.Inf(1)
	return c
}()

// place is where this node is.
type place struct {
	client *coordinate.Client // nil before Begin
	point  wire.Point
	packed []byte // as it is sent: never changed, only replaced
}

// Begin puts this node at a random point near the middle.
func (t *Table) Begin(rng *rand.Rand) {
	p := wire.Point{Height: vivaldi.HeightMin, Error: vivaldi.VivaldiErrorMax}
	for i := range p.Vec {
		p.Vec[i] = (2*rng.Float64() - 1) * startRadius / 2
	}
	client, err := coordinate.NewClient(vivaldi)
	if err != nil {
		panic(fmt.Sprintf("links: coordinates: %v", err)) // the constants above are wrong
	}
	t.place.client = client
	t.settle(p)
}

// settle makes p this node's coordinate.
func (t *Table) settle(p wire.Point) {
	if err := t.place.client.SetCoordinate(unfold(p)); err != nil {
		panic(fmt.Sprintf("links: coordinate %v: %v", p, err)) // bounded by step
	}
	packed := p.Pack()
	t.place.point, t.place.packed = p, packed[:]
}

// Coord returns where this node is, as it is sent; nil before Begin. It must not be changed.
func (t *Table) Coord() []byte { return t.place.packed }

// Place returns where this node is, to reckon with.
func (t *Table) Place() wire.Point { return t.place.point }

// Claim notes where the neighbor id says that it is.
func (t *Table) Claim(id idspace.ID, c wire.Coord) {
	if l := t.Link(id); l != nil && c.Known() {
		l.Coord = c
	}
}

// Met takes the answer of a node to a beacon: where it says that it is, and how long the
// answer took. A round trip far beyond those before it is noise and counts as they do.
func (t *Table) Met(id idspace.ID, c wire.Coord, rtt time.Duration) {
	t.Claim(id, c)
	if smooth, ok := t.RTT(id); ok {
		rtt = min(rtt, smooth)
	}
	t.Observe(c, rtt)
}

// Observe moves this node by a round trip that it has measured to a node that says it is
// at c.
func (t *Table) Observe(c wire.Coord, rtt time.Duration) {
	if t.place.client == nil || !c.Known() || rtt < 0 || rtt > absurd {
		return
	}
	other, own := c.Point(), t.place.point
	if own.Distance(other) > absurd {
		return
	}
	other.Error = max(other.Error, trust)
	if apart(own, other) < near {
		other.Vec[0] += 2 * near
	}
	moved, err := t.place.client.Update("", unfold(other), max(rtt, time.Microsecond))
	if err != nil {
		return // it has not moved
	}
	t.settle(step(own, fold(moved)))
}

// step is where a node comes to that was at from and is drawn to to.
func step(from, to wire.Point) wire.Point {
	share := 1.0
	if far := apart(from, to); far > maxMove {
		share = maxMove / far
	}
	far := 0.0
	for i := range to.Vec {
		to.Vec[i] = from.Vec[i] + share*(to.Vec[i]-from.Vec[i])
		far += to.Vec[i] * to.Vec[i]
	}
	for i := range to.Vec {
		to.Vec[i] -= to.Vec[i] * min(1, math.Sqrt(far)*gravity)
	}
	to.Height = min(max(to.Height, from.Height-maxMove, vivaldi.HeightMin), from.Height+maxMove)
	to.Error = min(to.Error, from.Error+maxWorse)
	return to
}

// apart is how far two points are apart, heights aside.
func apart(a, b wire.Point) float64 {
	sum := 0.0
	for i := range a.Vec {
		sum += (a.Vec[i] - b.Vec[i]) * (a.Vec[i] - b.Vec[i])
	}
	return math.Sqrt(sum)
}

// unfold gives a point the dimension that does not travel; fold takes it away.
func unfold(p wire.Point) *coordinate.Coordinate {
	vec := append(p.Vec[:], 1)
	return &coordinate.Coordinate{Vec: vec, Height: p.Height, Error: p.Error}
}

func fold(c *coordinate.Coordinate) wire.Point {
	return wire.Point{Vec: [wire.CoordDims]float64(c.Vec[:wire.CoordDims]), Height: c.Height, Error: c.Error}
}

// Estimate returns how far a node at c is from here, unless either is not sure where it is.
func (t *Table) Estimate(c wire.Coord) (time.Duration, bool) {
	if t.place.client == nil || !c.Known() || t.place.point.Error > unsure {
		return 0, false
	}
	p := c.Point()
	return t.place.point.Distance(p), p.Error <= unsure
}

// Apart returns how far two nodes are apart by what they say of where they are, unless
// either is not sure.
func Apart(a, b wire.Coord) (time.Duration, bool) {
	if !a.Known() || !b.Known() {
		return 0, false
	}
	p, q := a.Point(), b.Point()
	return p.Distance(q), p.Error <= unsure && q.Error <= unsure
}

// Where returns where the neighbor id says that it is, if it has.
func (t *Table) Where(id idspace.ID) (c wire.Coord) {
	if l := t.Link(id); l != nil {
		c = l.Coord
	}
	return c
}

// first is the timeout of a neighbor that was never measured: three times what the
// coordinates say, within bounds; without them FirstTimeout (design §5).
func (t *Table) first(l *Link) time.Duration {
	if far, ok := t.Estimate(l.Coord); ok {
		return min(max(3*far, t.cfg.GuessMin), t.cfg.GuessMax)
	}
	return t.cfg.FirstTimeout
}
