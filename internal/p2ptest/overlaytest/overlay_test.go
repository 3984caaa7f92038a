package overlaytest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// overlay is a number of real hosts with a node each.
type overlay struct {
	t     testing.TB
	rng   *rand.Rand
	hosts []host.Host
	nodes []*p2p.Node
	slow  time.Duration // what a request may take beyond what it should, where time is real
}

// app is the application that the tests publish for: it sends back what it gets.
const app = "echo"

func (o *overlay) add(h host.Host, cfg p2p.Config) *p2p.Node {
	o.t.Helper()
	if cfg.Network == "" {
		cfg.Network = "test"
	}
	cfg.Seed = uint64(len(o.nodes) + 1)
	n, err := p2p.New(h, cfg)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { n.Close() })
	n.Handle(app, p2p.Handler{Deliver: func(_ context.Context, in p2p.Inbound) ([]byte, error) { return in.Payload, nil }})
	o.hosts, o.nodes = append(o.hosts, h), append(o.nodes, n)
	return n
}

func info(h host.Host) peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }

// join lets node i join by way of the first host, or found the overlay.
func (o *overlay) join(i int) {
	o.t.Helper()
	var seeds []peer.AddrInfo
	if i > 0 {
		seeds = append(seeds, info(o.hosts[0]))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second+o.slow)
	defer cancel()
	if out, err := o.nodes[i].Join(ctx, seeds); err != nil || out.Status != env.OK {
		o.t.Fatalf("join of node %d: %v %v\nits world: %s\nthe seed's: %s", i, out, err, brief(o.nodes[i]), brief(o.nodes[0]))
	}
}

// brief is what a node's status says of why something did not work.
func brief(n *p2p.Node) string {
	s := n.Status()
	return fmt.Sprintf("%s, %d links, %d nodes known, %d of %d dials failed, for %v, %d frames in, %d out, %d wait, dropped %v, faults %v, limits %v",
		s.Node.Phase, s.Node.Links, s.Known, s.DialsFailed, s.Dials, s.DialsFor, s.FramesIn, s.FramesOut, s.Mailbox, s.Dropped, s.Faults, s.Limits)
}

func (o *overlay) do(i int, request func(env.Call, mono.Time) env.Local) *env.Outcome {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second+o.slow)
	defer cancel()
	out, err := o.nodes[i].Do(ctx, request)
	if err != nil {
		o.t.Fatalf("node %d: %v", i, err)
	}
	return out
}

func (o *overlay) publish(i int, g idspace.ID) *env.Outcome {
	o.t.Helper()
	return o.do(i, func(c env.Call, d mono.Time) env.Local {
		return &env.PublishRequest{Call: c, GUID: g, App: app, Deadline: d}
	})
}

func (o *overlay) unpublish(i int, g idspace.ID) *env.Outcome {
	o.t.Helper()
	return o.do(i, func(c env.Call, d mono.Time) env.Local {
		return &env.UnpublishRequest{Call: c, GUID: g, App: app, Deadline: d}
	})
}

func (o *overlay) locate(i int, g idspace.ID) *env.Outcome {
	o.t.Helper()
	return o.do(i, func(c env.Call, d mono.Time) env.Local {
		return &env.LocateRequest{Call: c, GUID: g, App: app, Limit: 4, First: true, Deadline: d}
	})
}

// send routes a message to the object, or to the root of key.
func (o *overlay) send(i int, key idspace.ID, object bool) *env.Outcome {
	o.t.Helper()
	return o.do(i, func(c env.Call, d mono.Time) env.Local {
		return &env.SendRequest{Call: c, Key: key, Object: object, App: app, Payload: []byte("ping"), Deadline: d}
	})
}

func guid(i int) idspace.ID { return idspace.Hash(fmt.Appendf(nil, "object %d", i)) }

func (o *overlay) ids() (ids []idspace.ID) {
	for _, n := range o.nodes {
		ids = append(ids, n.ID())
	}
	return ids
}

// checkPath demands that a message took at most 5 hops, got closer to its key at each,
// and ended at the key's root among all nodes.
func (o *overlay) checkPath(key idspace.ID, path []idspace.ID) {
	o.t.Helper()
	if len(path) == 0 || len(path)-1 > 5 {
		o.t.Errorf("path of %d hops to %s", len(path)-1, key.Short())
		return
	}
	for i := 1; i < len(path); i++ {
		if !idspace.Hex.Closer(path[i], path[i-1], key) {
			o.t.Errorf("hop %d to %s does not come closer", i, key.Short())
		}
	}
	if want := surrogate.Root(idspace.Hex, o.ids(), key); path[len(path)-1] != want {
		o.t.Errorf("%s reached %s, its root is %s", key.Short(), path[len(path)-1].Short(), want.Short())
	}
}

// checkRoots demands that the roots which acknowledged an object are its true ones.
func (o *overlay) checkRoots(g idspace.ID, placed []idspace.ID) {
	o.t.Helper()
	true4 := map[idspace.ID]bool{}
	for salt := range 4 {
		true4[surrogate.Root(idspace.Hex, o.ids(), idspace.Hex.Salted(g, salt, 4))] = true
	}
	for _, id := range placed {
		if !true4[id] {
			o.t.Errorf("%s was placed at %s, which is none of its roots", g.Short(), id.Short())
		}
	}
}

// holes lists the slots that are empty though a node would fill them.
func (o *overlay) holes() (all []string) {
	ids := o.ids()
	for i, h := range o.nodes {
		h.Inspect(func(core *node.Node) {
			for k, id := range ids {
				if core.Tables().Map.FillsHole(id) {
					all = append(all, fmt.Sprintf("node %d lacks %d", i, k))
				}
			}
		})
	}
	return all
}

// settle waits in real time until no map has a false hole.
func (o *overlay) settle(most time.Duration) {
	o.t.Helper()
	tick, end := time.NewTicker(200*time.Millisecond), time.After(most)
	defer tick.Stop()
	for len(o.holes()) > 0 {
		select {
		case <-tick.C:
		case <-end:
			o.t.Fatalf("false holes after %v: %v", most, o.holes())
		}
	}
}

// dials counts the connections that were opened so far, by what for.
func (o *overlay) dials() map[string]uint64 {
	all := map[string]uint64{}
	for _, node := range o.nodes {
		for what, n := range node.Status().DialsFor {
			all[what] += n
		}
	}
	return all
}

// upkeep is what connections may be opened for while nothing but publishing and looking up
// goes on: beacons are the gate's, which measures whom coordinates call nearer, and the
// rest follows from somebody getting in by it, or is the probe for a node's own ID.
var upkeep = []string{"beacon", "record-request", "routed self-probe"}

// exercise publishes objects from random nodes, finds each from several others, sends
// to it and routes to random keys: nobody is dialed for any of that (design §1).
func (o *overlay) exercise(objects, askers int) {
	o.t.Helper()
	servers := make([]int, objects)
	before := o.dials()
	for i := range servers {
		servers[i] = o.rng.IntN(len(o.nodes))
		out := o.publish(servers[i], guid(i))
		if out.Status != env.OK || len(out.Placed) < 3 {
			o.t.Fatalf("publish of object %d: %v, %d roots", i, out.Status, len(out.Placed))
		}
		o.checkRoots(guid(i), out.Placed)
	}
	for i, server := range servers {
		for range askers {
			out := o.locate(o.rng.IntN(len(o.nodes)), guid(i))
			if out.Status != env.OK || out.Replicas[0].Server != o.nodes[server].ID() {
				o.t.Errorf("locate of object %d: %v", i, out.Status)
			}
		}
		if out := o.send(o.rng.IntN(len(o.nodes)), guid(i), true); out.Status != env.OK || string(out.Reply) != "ping" {
			o.t.Errorf("message to object %d: %v %s", i, out.Status, out.Error)
		}
		key := guid(1_000_000 + i)
		if out := o.send(o.rng.IntN(len(o.nodes)), key, false); out.Status != env.OK {
			o.t.Errorf("message to the root of %s: %v", key.Short(), out.Status)
		} else {
			o.checkPath(key, out.Path)
		}
	}
	if out := o.locate(0, guid(-1)); out.Status != env.Absent {
		o.t.Errorf("locate of nothing: %v", out.Status)
	}
	meanwhile := map[string]uint64{}
	for what, n := range o.dials() {
		if n -= before[what]; n > 0 {
			meanwhile[what] = n
			if !slices.Contains(upkeep, what) {
				o.t.Errorf("%d dials for %s", n, what)
			}
		}
	}
	o.t.Logf("%d nodes, %d objects, %d locates; dials meanwhile: %v", len(o.nodes), objects, objects*askers, meanwhile)
}

// latency is that of hosts strewn over a square: 1 to about 60 ms one way.
func latency(seed uint64, hosts int) func(from, to int) time.Duration {
	r := rand.New(rand.NewPCG(seed, 9))
	x, y := make([]float64, hosts), make([]float64, hosts)
	for i := range x {
		x[i], y[i] = r.Float64(), r.Float64()
	}
	return func(from, to int) time.Duration {
		dx, dy := x[from]-x[to], y[from]-y[to]
		return time.Millisecond + time.Duration((dx*dx+dy*dy)*float64(30*time.Millisecond))
	}
}

// simulated grows an overlay of real QUIC hosts on a simulated network.
func simulated(t *testing.T, size int, cfg p2p.Config) (*p2ptest.Net, *overlay) {
	t.Helper()
	net := p2ptest.NewNet(t, p2ptest.Config{Seed: uint64(size), Latency: latency(uint64(size), size)})
	o := &overlay{t: t, rng: rand.New(rand.NewPCG(uint64(size), 3))}
	for i := range size {
		o.add(net.Host(limits(t)), cfg)
		o.join(i)
	}
	return net, o
}

// limits are a host's own resource and connection managers, as users are told to have.
func limits(t testing.TB) libp2p.Option {
	t.Helper()
	o, err := p2p.HostOptions(160)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// settled keeps the gate from measuring redundant candidates at random, so that once the
// tables are full few have a reason to dial.
func settled() p2p.Config {
	var cfg p2p.Config
	cfg.Node.Membership.Sample = 24 * time.Hour
	return cfg
}

func TestHundredQUICHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, o := simulated(t, size, settled())
		time.Sleep(time.Minute)
		o.exercise(2*size, 3)
		if holes := o.holes(); len(holes) > 0 {
			t.Errorf("false holes: %v", holes)
		}
		for i := range o.nodes {
			o.nodes[i].Inspect(func(n *node.Node) {
				if err := n.Check(); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

func TestHundredQUICHostsWithFewLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := settled()
		cfg.Node.Links.Cap = 40
		_, o := simulated(t, size, cfg)
		time.Sleep(time.Minute)
		o.exercise(size/2, 2)
		most := 0
		for _, n := range o.nodes {
			s := n.Status()
			most = max(most, s.Node.LinksMost)
		}
		t.Logf("most links of a node at any time: %d", most)
		if most > 40 {
			t.Errorf("a node had %d links, the cap is 40", most)
		}
	})
}

func TestSmallOverlays(t *testing.T) {
	for size := 1; size <= 3; size++ {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, o := simulated(t, size, p2p.Config{})
				time.Sleep(time.Second)
				o.exercise(10, 2)
				last := size - 1
				o.publish(last, guid(500))
				if out := o.unpublish(last, guid(500)); out.Status != env.OK {
					t.Errorf("unpublish: %v", out.Status)
				}
				if out := o.locate(0, guid(500)); out.Status != env.Absent {
					t.Errorf("locate after unpublish: %v", out.Status)
				}
				if out := o.do(last, func(c env.Call, _ mono.Time) env.Local { return &env.LeaveRequest{Call: c} }); out.Status != env.OK {
					t.Errorf("leave: %v", out.Status)
				}
			})
		})
	}
}

func TestHundredTCPHostsOnLoopback(t *testing.T) {
	o := &overlay{t: t, rng: rand.New(rand.NewPCG(1, 3)), slow: 2 * time.Minute}
	for i := range size {
		o.add(p2ptest.Loopback(t, uint64(i), 1, limits(t))[0], settled())
		o.join(i)
	}
	o.settle(2 * time.Minute)
	o.exercise(size/2, 2)
}

// TestTwoNetworksOnTheSameHostsNeverMeet runs two overlays on the same three hosts:
// no record of one is seen in the other, neither asked for nor as a table entry.
func TestTwoNetworksOnTheSameHostsNeverMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{Seed: 5})
		red := &overlay{t: t, rng: rand.New(rand.NewPCG(1, 1))}
		blue := &overlay{t: t, rng: rand.New(rand.NewPCG(2, 2))}
		for i := range 3 {
			h := net.Host(limits(t))
			red.add(h, p2p.Config{Network: "red"})
			red.join(i)
			if i > 0 { // blue lacks the first host, which knows nothing of it
				blue.add(h, p2p.Config{Network: "blue"})
				blue.join(i - 1)
			}
		}
		time.Sleep(time.Minute)
		red.publish(1, guid(1))
		if out := blue.locate(0, guid(1)); out.Status != env.Absent {
			t.Errorf("blue finds what red has published: %v", out.Status)
		}
		for _, n := range blue.nodes {
			s := n.Status()
			if len(s.Node.Neighbors) != 1 || s.Known != 1 {
				t.Errorf("blue node: %d neighbors, %d known nodes, want 1 and 1", len(s.Node.Neighbors), s.Known)
			}
		}
	})
}

// TestCrashedServersAreForgotten kills hosts without a goodbye: what living servers hold
// is found, and once the life of a pointer is over nobody is sent to the dead. Who is no
// neighbor of a dead server learns of its death in no other way yet.
func TestCrashedServersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, o := simulated(t, 24, settled())
		time.Sleep(30 * time.Second)
		for i := range 24 {
			o.publish(i, guid(i))
			o.publish((i+1)%24, guid(i))
		}
		dead := map[idspace.ID]bool{}
		for i := 1; i < 24; i += 4 {
			net.Crash(i)
			dead[o.nodes[i].ID()] = true
		}
		found := func(when string) (stale int) {
			for i := range 24 {
				out := o.locate(2, guid(i))
				if out.Status != env.OK {
					t.Errorf("%s, object %d has a living server: %v", when, i, out.Status)
				} else if dead[out.Replicas[0].Server] {
					stale++
				}
			}
			return stale
		}
		time.Sleep(10 * time.Second)
		t.Logf("10 s after 6 of 24 servers died, %d of 24 lookups named a dead one first", found("10 s after the crash"))
		time.Sleep(70 * time.Second)
		if stale := found("80 s after the crash"); stale > 0 {
			t.Errorf("%d of 24 lookups name a dead server first 80 s after it died", stale)
		}
	})
}

// TestLossOnTheWire uses an overlay whose links lose 2 % of the packets.
func TestLossOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, o := simulated(t, 16, p2p.Config{})
		net.SetLoss(0.02)
		time.Sleep(time.Minute)
		o.exercise(16, 2)
	})
}
