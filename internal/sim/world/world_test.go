package world_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
	"pgregory.net/rapid"
)

// line puts places on a line, a millisecond apart, with a floor of one.
type line struct{}

func (line) OneWay(a, b int) time.Duration {
	return time.Millisecond + time.Duration(max(a-b, b-a)%97)*time.Millisecond/2
}

func perfect(seed uint64) world.Config {
	return world.Config{Seed: seed, Network: "test", Delays: line{}}
}

var shape = world.Settled{Space: idspace.Hex, PerSlot: 3, LeafSide: 8, Cap: 160}

func settled(t testing.TB, cfg world.Config, nodes int) *world.World {
	t.Helper()
	w := world.New(cfg)
	for i := range nodes {
		if _, err := w.Add(world.Birth{Place: i}); err != nil {
			t.Fatal(err)
		}
	}
	w.Settle(w.Hosts(), shape)
	return w
}

// grown lets nodes join one after another.
func grown(t testing.TB, cfg world.Config, nodes int) *world.World {
	t.Helper()
	w := world.New(cfg)
	joined := 0
	w.Hooks.Outcome = func(_ *world.Host, o *env.Outcome) {
		if o.Status == env.OK {
			joined++
		}
	}
	for i := range nodes {
		h, err := w.Add(world.Birth{Place: i})
		if err != nil {
			t.Fatal(err)
		}
		join := &env.JoinRequest{Call: 1}
		if i > 0 {
			join.Seeds = []idspace.ID{w.Hosts()[0].ID()}
		}
		h.Request(join)
		if err := w.Until(30*time.Second, 10*time.Millisecond, func() bool { return joined > i }); err != nil {
			t.Fatalf("join of node %d: %v", i, err)
		}
	}
	return w
}

// wrongRoots counts walks of random keys that do not end at the brute-force root. A walk waits
// where only suspects stand between it and the root, as requests do.
func wrongRoots(w *world.World, keys int) (wrong int) {
	var live []*world.Host
	var ids []idspace.ID
	for _, h := range w.Hosts() {
		if !h.Down() {
			live, ids = append(live, h), append(ids, h.ID())
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range keys {
		key := idspace.Hash(fmt.Append(nil, rng.Uint64()))
		h := live[rng.IntN(len(live))]
		for range wire.MaxHops {
			hop := h.Node().NextHop(key)
			if hop.Wait {
				w.Run(time.Second)
				continue
			}
			if hop.Rule == wire.Rule_RULE_ROOT || w.Host(hop.To).Down() {
				break
			}
			h = w.Host(hop.To)
		}
		if h.ID() != surrogate.Root(idspace.Hex, ids, key) {
			wrong++
		}
	}
	return wrong
}

func TestSettledOverlaysAreRightAndStaySo(t *testing.T) {
	for _, nodes := range []int{1, 2, 3, 20, 300} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			w := settled(t, perfect(1), nodes)
			for range 3 {
				if wrong := wrongRoots(w, 300); wrong > 0 {
					t.Errorf("after %v: %d of 300 walks end elsewhere", w.Now().Sub(world.Start), wrong)
				}
				for _, h := range w.Hosts() {
					if err := h.Node().Check(); err != nil {
						t.Fatalf("%v: %v", h, err)
					}
				}
				w.Run(20 * time.Second)
			}
			if dials := w.Totals().Dials; dials > uint64(nodes)*8 {
				t.Errorf("%d dials in a minute of an overlay of %d nodes that was settled", dials, nodes)
			}
		})
	}
}

func TestSameSeedSameRun(t *testing.T) {
	run := func(cfg world.Config, threads int) uint64 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		w := settled(t, cfg, 60)
		w.After(time.Second, func() { w.Crash(w.Hosts()[7]) })
		w.Run(20 * time.Second)
		return w.Hash()
	}
	for _, codec := range []world.Codec{world.Real, world.None} {
		cfg := perfect(1)
		cfg.Codec, cfg.Loss, cfg.Jitter = codec, 0.01, 0.2
		other := cfg
		other.Seed = 2
		if run(cfg, 1) != run(cfg, 2) {
			t.Errorf("codec %d: two runs of one seed differ", codec)
		}
		if run(cfg, 1) == run(other, 1) {
			t.Errorf("codec %d: runs of two seeds do not differ", codec)
		}
	}
}

func TestOverlaysGrowUnderEveryFault(t *testing.T) {
	for name, change := range map[string]func(*world.Config){
		"perfect":   func(*world.Config) {},
		"datagrams": func(c *world.Config) { c.Transport = world.Datagram; c.Loss, c.Reorder, c.Duplicate = 0.02, 0.1, 0.05 },
		"stream":    func(c *world.Config) { c.Loss, c.Jitter = 0.02, 0.3 },
		"slow":      func(c *world.Config) { c.Bandwidth = 256e3 },
		"unencoded": func(c *world.Config) { c.Codec = world.None },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := perfect(3)
			change(&cfg)
			w := grown(t, cfg, 30)
			w.Run(40 * time.Second)
			if wrong := wrongRoots(w, 200); wrong > 0 {
				t.Errorf("%d of 200 walks end elsewhere", wrong)
			}
		})
	}
}

// TestAShortMemoryHarmsNobody lets nodes meet many more others than they keep records of:
// neither those at the gate nor a node's own may be forgotten.
func TestAShortMemoryHarmsNobody(t *testing.T) {
	cfg := perfect(4)
	cfg.Node = func(n *node.Config) { n.Membership.Known = 4 }
	w := grown(t, cfg, 60)
	w.Run(40 * time.Second)
	if wrong := wrongRoots(w, 200); wrong > 0 {
		t.Errorf("%d of 200 walks end elsewhere", wrong)
	}
}

func TestStreamsKeepTheirOrderAndLoseNothing(t *testing.T) {
	order := func(transport world.Transport) (overtaken, came int) {
		cfg := perfect(5)
		cfg.Transport, cfg.Loss, cfg.Jitter = transport, 0.2, 3
		w := settled(t, cfg, 2)
		from, to := w.Hosts()[0], w.Hosts()[1]
		last := -1
		for i := range 100 {
			sent := i
			w.After(time.Duration(i)*time.Millisecond, func() {
				world.SendRaw(from, to, &wire.Records{Records: []*wire.SignedRecord{{Payload: []byte{byte(sent)}, PayloadType: []byte("x")}}})
			})
		}
		w.Hooks.Arrived = func(_, _ *world.Host, m wire.Message) {
			if r, ok := m.(*wire.Records); ok && len(r.Records) == 1 && len(r.Records[0].Payload) == 1 {
				if n := int(r.Records[0].Payload[0]); n < last {
					overtaken++
				} else {
					last = n
				}
				came++
			}
		}
		w.Run(20 * time.Second)
		return overtaken, came
	}
	if overtaken, came := order(world.Stream); overtaken > 0 || came != 100 {
		t.Errorf("stream: %d of 100 came, %d were overtaken", came, overtaken)
	}
	if overtaken, came := order(world.Datagram); overtaken == 0 || came > 95 || came < 60 {
		t.Errorf("datagrams at 20 %% loss: %d of 100 came, %d were overtaken", came, overtaken)
	}
}

func TestARestartedNodeIsTheSameNode(t *testing.T) {
	w := settled(t, perfect(8), 40)
	old := w.Hosts()[5]
	w.Crash(old)
	w.Run(5 * time.Second)
	h, err := w.Add(world.Birth{Again: old})
	if err != nil {
		t.Fatal(err)
	}
	if h.ID() != old.ID() || h.Place() != old.Place() || w.Host(old.ID()) != h {
		t.Errorf("%v came back as %v", old, h)
	}
	h.Request(&env.JoinRequest{Call: 1, Seeds: []idspace.ID{w.Hosts()[0].ID()}})
	w.Run(60 * time.Second)
	if wrong := wrongRoots(w, 300); wrong > 0 || !h.Node().Active() {
		t.Errorf("active %v, %d of 300 walks end elsewhere", h.Node().Active(), wrong)
	}
}

func TestPartitionsCutAndHeal(t *testing.T) {
	w := settled(t, perfect(9), 40)
	w.Partition(func(place int) bool { return place < 20 })
	w.Run(time.Minute)
	for _, h := range w.Hosts() {
		for _, nb := range h.Node().Status(h.Now()).LeafSet {
			if (w.Host(nb).Place() < 20) != (h.Place() < 20) {
				t.Fatalf("%v keeps %v of the other side", h, w.Host(nb))
			}
		}
	}
}

func TestStalledNodesAreLateNotDead(t *testing.T) {
	w := settled(t, perfect(10), 30)
	h := w.Hosts()[3]
	w.Stall(h, 300*time.Millisecond)
	w.Run(30 * time.Second)
	if wrong := wrongRoots(w, 300); wrong > 0 {
		t.Errorf("%d of 300 walks end elsewhere after a stall", wrong)
	}
}

func benchmark(b *testing.B, codec world.Codec) {
	cfg := perfect(1)
	cfg.Codec = codec
	w := settled(b, cfg, 1000)
	w.Run(10 * time.Second)
	before := w.Events()
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		w.Run(100 * time.Millisecond)
	}
	b.ReportMetric(float64(w.Events()-before)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkMaintenance is an overlay of 1 000 nodes at rest.
func BenchmarkMaintenance(b *testing.B) {
	b.Run("real", func(b *testing.B) { benchmark(b, world.Real) })
	b.Run("none", func(b *testing.B) { benchmark(b, world.None) })
}

// BenchmarkHeap is what one node of a settled overlay of 2 000 keeps, its share of the
// network's queues included.
func BenchmarkHeap(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		w := settled(b, perfect(1), 2000)
		w.Run(5 * time.Second)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/2000, "B/node")
		runtime.KeepAlive(w)
	}
}

// TestConnectionsAreFoundByPeer compares the table of connections with a map.
func TestConnectionsAreFoundByPeer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, plain := world.NewConns(), map[byte]bool{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			peer := rapid.ByteRange(0, 40).Draw(t, "peer")
			if rapid.Bool().Draw(t, "set") {
				table.Set(peer)
				plain[peer] = true
			} else if plain[peer] {
				table.Remove(peer)
				delete(plain, peer)
			}
			for p := range byte(41) {
				if table.Has(p) != plain[p] {
					t.Fatalf("peer %d: %v, want %v", p, table.Has(p), plain[p])
				}
			}
			if table.Len() != len(plain) {
				t.Fatalf("%d peers counted as %d", len(plain), table.Len())
			}
		}
	})
}
