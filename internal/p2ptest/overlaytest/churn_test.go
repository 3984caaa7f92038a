package overlaytest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

const (
	churnMedian = 2 * time.Minute // of the sessions; their mean is 173 s
	churnTime   = 6 * time.Minute // two mean sessions
	churnTick   = 250 * time.Millisecond
	// churnServers is how many places serve each of the shared objects.
	churnServers = 3
	// churnPatience is that with a locate: what users have who set no deadline.
	churnPatience = 10 * time.Second
)

// churn is an overlay whose hosts crash at any time and are replaced at once.
type churn struct {
	*overlay
	net    *p2ptest.Net
	places []*life        // who is there now, member or not yet
	work   sync.WaitGroup // joins, publishes and locates under way

	mu      sync.Mutex
	members []*life
	servers map[idspace.ID][]*life // alive, of objects whose roots have acknowledged
	dead    map[idspace.ID]bool
	answers map[string]int // by what came of a locate
}

// life is what happens at a place from a join to the crash that ends it. Its node serves
// an object of its own, and one that other places serve too.
type life struct {
	index   int // of its host
	node    *p2p.Node
	objects [2]idspace.ID
}

func newChurn(t *testing.T, seed uint64, hosts int) *churn {
	return &churn{
		overlay: &overlay{t: t, rng: rand.New(rand.NewPCG(seed, 7))},
		net:     p2ptest.NewNet(t, p2ptest.Config{Seed: seed, Latency: latency(seed, 10*hosts)}),
		places:  make([]*life, hosts),
		servers: map[idspace.ID][]*life{},
		dead:    map[idspace.ID]bool{},
		answers: map[string]int{},
	}
}

// enter lets a new host join by way of some members, while all else goes on.
func (c *churn) enter(place int) {
	i := len(c.nodes)
	shared := 1_000_000 + place%(len(c.places)/churnServers)
	l := &life{index: i, node: c.add(c.net.Host(limits(c.t)), p2p.Config{}), objects: [2]idspace.ID{guid(i), guid(shared)}}
	c.places[place] = l
	seeds := c.seeds()
	c.work.Go(func() { c.begin(l, seeds) })
}

// seeds are three members at most; they may crash before they are asked.
func (c *churn) seeds() (infos []peer.AddrInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range min(3, len(c.members)) {
		infos = append(infos, info(c.hosts[c.members[c.rng.IntN(len(c.members))].index]))
	}
	return infos
}

// begin makes l a member that serves its objects.
func (c *churn) begin(l *life, seeds []peer.AddrInfo) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	out, err := l.node.Join(ctx, seeds)
	if !c.ended("join", out, err) {
		return
	}
	for _, g := range l.objects {
		out, err := l.node.Do(ctx, func(call env.Call, d mono.Time) env.Local {
			return &env.PublishRequest{Call: call, GUID: g, App: app, Deadline: d}
		})
		if c.ended("publish", out, err) {
			c.change(func() { c.servers[g] = append(c.servers[g], l) }, l)
		}
	}
	c.change(func() { c.members = append(c.members, l) }, l)
}

// change is made unless l has crashed.
func (c *churn) change(f func(), l *life) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead[l.node.ID()] {
		f()
	}
}

// ended reports whether something went well. Only a crash may cut it off.
func (c *churn) ended(what string, out *env.Outcome, err error) bool {
	if err == nil && out.Status == env.OK {
		return true
	}
	if !errors.Is(err, p2p.ErrClosed) {
		c.t.Errorf("%s: %v %v", what, out, err)
	}
	return false
}

// crash ends the life at a place without a goodbye.
func (c *churn) crash(place int) {
	l := c.places[place]
	same := func(o *life) bool { return o == l }
	c.mu.Lock()
	c.dead[l.node.ID()] = true
	c.members = slices.DeleteFunc(c.members, same)
	for _, g := range l.objects {
		c.servers[g] = slices.DeleteFunc(c.servers[g], same)
	}
	c.mu.Unlock()
	c.net.Crash(l.index)
	host := c.hosts[l.index]
	c.work.Go(func() { // nobody hears it
		l.node.Close()
		host.Close()
	})
}

// look lets a random member look for a random object that others serve.
func (c *churn) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := c.members[c.rng.IntN(len(c.members))]
	g := c.members[c.rng.IntN(len(c.members))].objects[c.rng.IntN(2)]
	servers := slices.Clone(c.servers[g])
	if len(servers) == 0 || slices.Contains(servers, from) {
		return
	}
	c.work.Go(func() {
		ctx, cancel := context.WithTimeout(c.t.Context(), churnPatience)
		defer cancel()
		out, err := from.node.Do(ctx, func(call env.Call, d mono.Time) env.Local {
			return &env.LocateRequest{Call: call, GUID: g, App: app, Limit: 4, Deadline: d}
		})
		c.judge(servers, out, err)
	})
}

// A locate has found a living server if it names one, whoever is named before it.
const (
	livingFirst = "a living server first"
	livingLater = "a living server after dead ones"
)

// judge counts what became of a locate, if its asker and one of the servers that there
// were when it began have outlived it.
func (c *churn) judge(servers []*life, out *env.Outcome, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	alive := func(l *life) bool { return !c.dead[l.node.ID()] }
	found := func(r env.Replica) bool { return !c.dead[r.Server] }
	switch {
	case errors.Is(err, p2p.ErrClosed) || !slices.ContainsFunc(servers, alive):
	case err != nil:
		c.answers[err.Error()]++
	case out.Status != env.OK:
		c.answers[out.Status.String()]++
	case found(out.Replicas[0]):
		c.answers[livingFirst]++
	case slices.ContainsFunc(out.Replicas, found):
		c.answers[livingLater]++
	default:
		c.answers["dead servers alone"]++
	}
}

// TestLocatesUnderChurn: of 60 hosts half crash within any 2 minutes, each is replaced at
// once by a host that nobody knows, and of the locates for objects with a living server at
// least 98 % find one. A server is one once its publish has been acknowledged. All joins
// and publishes that no crash cuts off end well.
func TestLocatesUnderChurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChurn(t, 7, churnHosts)
		for place := range c.places {
			c.enter(place)
			c.work.Wait()
		}
		c.run()
		asked := 0
		for _, n := range c.answers {
			asked += n
		}
		found := c.answers[livingFirst] + c.answers[livingLater]
		t.Logf("%d hosts, %d crashes in %v: %d of %d locates found a living server (%.2f %%): %v",
			churnHosts, len(c.dead), churnTime, found, asked, 100*float64(found)/float64(asked), c.answers)
		if len(c.dead) < churnHosts || asked < 1000 || 100*found < 98*asked {
			t.Error("want more crashes than hosts, 1000 locates, and 98 % of them found")
		}
	})
}

// TestManyHostsJoinAtOnce has all hosts but one join within a moment by way of that one: soon
// all are members, and what each of them publishes meanwhile is acknowledged. With this seed three of them are
// each other's roots, and whoever their joins come to knows that somebody lives where they would be.
func TestManyHostsJoinAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChurn(t, 8, atOnce)
		c.enter(0)
		c.work.Wait()
		began := time.Now()
		for place := range c.places[1:] {
			c.enter(place + 1)
		}
		c.work.Wait()
		within := time.Since(began)
		t.Logf("%d hosts joined and published within %v", atOnce, within)
		if len(c.members) != atOnce || within > 15*time.Second {
			t.Errorf("%d members after %v, want %d within 15 s", len(c.members), within, atOnce)
		}
	})
}

// run lets hosts come and go, while members look for what others serve.
func (c *churn) run() {
	survives := math.Exp2(-churnTick.Seconds() / churnMedian.Seconds())
	for begin := time.Now(); time.Since(begin) < churnTime; time.Sleep(churnTick) { // bubble: that of the test
		for place := range c.places {
			if c.rng.Float64() > survives {
				c.crash(place)
				c.enter(place)
			}
		}
		c.look()
	}
	c.work.Wait()
}
