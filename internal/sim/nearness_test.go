package sim

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
)

// planetLab finds the measured round trips: in $TAPESTRY_DATA, else in the folder
// shared/data beside the module.
func planetLab(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("TAPESTRY_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(dir, "planetlab-490.rtt.csv.gz")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no measured data: %v", err)
	}
	return path
}

// nearness is an overlay that is judged by one that knows all round trips: in it every
// slot of every map has the nearest node there is as its primary.
type nearness struct {
	*run
	best map[*world.Host]map[slot]*world.Host
}

type slot struct {
	level int
	digit idspace.Digit
}

func judge(r *run) *nearness {
	n := &nearness{run: r, best: make(map[*world.Host]map[slot]*world.Host)}
	for _, m := range r.people.active {
		near := make(map[slot]*world.Host)
		for _, o := range r.people.active {
			if o == m {
				continue
			}
			level := idspace.Hex.CommonPrefix(m.host.ID(), o.host.ID())
			s := slot{level, idspace.Hex.Digit(o.host.ID(), level)}
			if b := near[s]; b == nil || r.rtt(m.host, o.host) < r.rtt(m.host, b) {
				near[s] = o.host
			}
		}
		n.best[m.host] = near
	}
	return n
}

// perfect is the nearest node for a slot, primary the one that the node has there.
func (n *nearness) perfect(at *world.Host, s slot) *world.Host { return n.best[at][s] }

func (n *nearness) primary(at *world.Host, s slot) *world.Host {
	if known := at.Node().Tables().Map.Slot(s.level, s.digit); len(known) > 0 {
		return n.world.Host(known[0].ID)
	}
	return nil
}

// primaries is the mean round trip of all primaries over that of the perfect ones.
func (n *nearness) primaries() float64 {
	var have, want time.Duration
	for at, slots := range n.best {
		for s, best := range slots {
			if p := n.primary(at, s); p != nil {
				have += n.rtt(at, p)
				want += n.rtt(at, best)
			}
		}
	}
	return float64(have) / float64(want)
}

// walk is how long a message to key is under way, there and back, by the given choice of
// next hop.
func (n *nearness) walk(at *world.Host, key idspace.ID, next func(*world.Host, slot) *world.Host) (sum time.Duration) {
	for level := 0; level < idspace.Hex.Digits(); level++ {
		own := idspace.Hex.Digit(at.ID(), level)
		for d := idspace.Hex.Digit(key, level); d != own; d = (d + 1) % idspace.Digit(idspace.Hex.Radix()) {
			if to := next(at, slot{level, d}); to != nil {
				sum += n.rtt(at, to)
				at = to
				break
			}
		}
	}
	return sum
}

// stretch is how much longer random routes are than the round trip to the key's root, with
// the maps as they are and with perfect ones; longer is how much longer all of the first
// take together than all of the second.
func (n *nearness) stretch(routes int) (real, perfect samples, longer float64) {
	var ours, best time.Duration
	for i := range routes {
		from, key := n.people.random().host, idspace.Hash([]byte{byte(i), byte(i >> 8)})
		direct := n.rtt(from, n.world.Host(n.people.root(key)))
		if direct == 0 {
			continue
		}
		a, b := n.walk(from, key, n.primary), n.walk(from, key, n.perfect)
		ours, best = ours+a, best+b
		real.add(float64(a) / float64(direct))
		perfect.add(float64(b) / float64(direct))
	}
	return real.sorted(), perfect.sorted(), float64(ours) / float64(best)
}

// estimates are the relative errors of what coordinates say about random pairs.
func (n *nearness) estimates(pairs int) (wrong samples) {
	for range pairs {
		a, b := n.people.random().host, n.people.random().host
		if real := n.rtt(a, b); real > 0 {
			wrong.add(max(float64(real-n.between(a, b)), float64(n.between(a, b)-real)) / float64(real))
		}
	}
	return wrong.sorted()
}

func (n *nearness) between(a, b *world.Host) time.Duration {
	return a.Node().Status(a.Now()).Place.Distance(b.Node().Status(b.Now()).Place)
}

// TestMapsAreNearlyPerfect grows an overlay on measured Internet delays and compares its
// maps with those that perfect knowledge would give: issue "Membership that is right", item
// 5, demands routes within a tenth of theirs five minutes after the last join. Coordinates
// have to be good for it: they decide whom a node gets to know at all.
func TestMapsAreNearlyPerfect(t *testing.T) {
	t.Parallel()
	const wait = 5 * time.Minute
	c := Default()
	c.RTTMatrix, c.Nodes, c.Objects, c.Warm, c.Fast = planetLab(t), 490, 0, "never", true
	r, err := prepare(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.begin(); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, wait - calm} {
		r.world.Run(after)
		n := judge(r)
		real, perfect, longer := n.stretch(20_000)
		wrong := n.estimates(20_000)
		t.Logf("%v after the last join: primaries %.3f of the perfect round trip, routes %.3f; stretch p50 %.3f of %.3f, mean %.3f of %.3f, p90 %.3f of %.3f; coordinates are off by p50 %.3f, p90 %.3f",
			calm+after, n.primaries(), longer, real.at(0.5), perfect.at(0.5), real.mean(), perfect.mean(), real.at(0.9), perfect.at(0.9),
			wrong.at(0.5), wrong.at(0.9))
		if after == 0 {
			continue
		}
		if n.primaries() > 1.1 || longer > 1.1 || real.at(0.5) > 1.1*perfect.at(0.5) || real.at(0.9) > 1.1*perfect.at(0.9) {
			t.Error("the maps are not within a tenth of perfect ones")
		}
		if wrong.at(0.5) > 0.1 || wrong.at(0.9) > 0.35 {
			t.Error("coordinates are worse than the prototype's, which were off by 8 and 31 % (findings B)")
		}
	}
}
