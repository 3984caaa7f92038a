package tapestry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

const app tapestry.AppID = "test"

// settle is the time after which all nodes of a small overlay know each other.
const settle = 20 * time.Second

// world makes an overlay of count nodes on a simulated network; the test must run in
// a bubble, which fails if a goroutine outlives it.
func world(t *testing.T, count int, opts ...tapestry.Option) []*tapestry.Node {
	t.Helper()
	net := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
	var nodes []*tapestry.Node
	var seeds []peer.AddrInfo
	for range count {
		h := net.Host(tapestry.HostOptions(tapestry.DefaultMaxLinks))
		n, err := tapestry.New(h, opts...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		if err := n.Join(t.Context(), seeds...); err != nil {
			t.Fatalf("node %d: %v", len(nodes), err)
		}
		if err := n.WaitReady(t.Context()); err != nil {
			t.Fatalf("node %d: %v", len(nodes), err)
		}
		seeds = []peer.AddrInfo{*host.InfoFromHost(h)}
		nodes = append(nodes, n)
	}
	time.Sleep(settle) // bubble: that of the test
	return nodes
}

// replicas collects what LocateObject yields.
func replicas(t *testing.T, n *tapestry.Node, g tapestry.GUID, opts ...tapestry.LocateOption) (ids []tapestry.ID, err error) {
	t.Helper()
	for r, e := range n.LocateObject(t.Context(), g, app, opts...) {
		if e != nil {
			return ids, e
		}
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// echo answers with what it got and who it is.
type echo struct {
	id tapestry.ID

	mu  sync.Mutex
	got []tapestry.Message
}

func (e *echo) Deliver(_ context.Context, m tapestry.Message) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, m)
	switch string(m.Payload) {
	case "fail":
		return nil, errors.New("as you wish")
	case "panic":
		panic("as you wish")
	}
	return append([]byte(e.id.Short()+" "), m.Payload...), nil
}

func (e *echo) Stream(_ context.Context, g tapestry.GUID, s network.Stream) {
	fmt.Fprintf(s, "%s streams %s", e.id.Short(), g.Short())
	s.Close()
}

func (e *echo) last() tapestry.Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.got[len(e.got)-1]
}

func (e *echo) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.got)
}

func echoes(nodes []*tapestry.Node) []*echo {
	var all []*echo
	for _, n := range nodes {
		e := &echo{id: n.ID()}
		n.Handle(app, e)
		all = append(all, e)
	}
	return all
}

func TestOverlaysOfOneTwoAndThreeNodesDoEverything(t *testing.T) {
	for count := 1; count <= 3; count++ {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { doEverything(t, world(t, count)) })
		})
	}
}

func doEverything(t *testing.T, nodes []*tapestry.Node) {
	echoes(nodes)
	server, g := nodes[0], tapestry.GUIDFromBytes([]byte("object"))
	if err := server.PublishObject(t.Context(), g, app); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if ids, err := replicas(t, n, g); err != nil || !slices.Equal(ids, []tapestry.ID{server.ID()}) {
			t.Errorf("located %v, %v", ids, err)
		}
		d, err := n.RouteToObject(t.Context(), g, app, []byte("hello"))
		if err != nil || string(d.Reply) != server.ID().Short()+" hello" || d.Replica.ID != server.ID() {
			t.Errorf("route to object: %+v, %v", d, err)
		}
		if fast, err := n.RouteToObject(t.Context(), g, app, []byte("hello"), tapestry.Raced()); err != nil ||
			string(fast.Reply) != server.ID().Short()+" hello" || fast.Replica.ID != server.ID() {
			t.Errorf("race to object: %+v, %v", fast, err)
		}
		if d.Hops != len(d.Path)-1 || d.Path[0] != n.ID() || d.Path[d.Hops] != server.ID() {
			t.Errorf("path %v, %d hops", d.Path, d.Hops)
		}
		for _, to := range nodes {
			d, err := n.RouteToNode(t.Context(), to.ID(), app, []byte("hi"), tapestry.Exactly)
			if err != nil || string(d.Reply) != to.ID().Short()+" hi" {
				t.Errorf("route to node: %+v, %v", d, err)
			}
			if d, err = n.Query(t.Context(), to.ID(), app, []byte("ho")); err != nil || string(d.Reply) != to.ID().Short()+" ho" {
				t.Errorf("query: %+v, %v", d, err)
			}
		}
		if d, err := n.RouteToNode(t.Context(), g, app, nil, tapestry.Surrogate); err != nil || len(d.Reply) == 0 {
			t.Errorf("route to surrogate: %+v, %v", d, err)
		}
		x, err := n.Explain(t.Context(), g, app)
		if err != nil || x.Answer != "found" || len(x.Replicas) != 1 || len(x.Paths) != tapestry.DefaultRoots || (len(x.Laid) > 0) != (n == server) {
			t.Errorf("explain: %+v, %v", x, err)
		}
		if n != server {
			checkStream(t, n, g, server.ID())
		}
	}
	many := guids(60)
	if r, err := server.PublishObjects(t.Context(), app, slices.Values(many)); err != nil || r.Placed != len(many) {
		t.Errorf("publish many: %+v, %v", r, err)
	}
	for i, m := range many {
		if ids, err := replicas(t, nodes[i%len(nodes)], m); err != nil || len(ids) != 1 {
			t.Errorf("one of many: %v, %v", ids, err)
		}
	}
	if err := server.UnpublishObject(t.Context(), g, app); err != nil {
		t.Fatal(err)
	}
	if r, err := server.UnpublishObjects(t.Context(), app, slices.Values(many)); err != nil || r.Withdrawn != len(many) {
		t.Errorf("unpublish many: %+v, %v", r, err)
	}
	for _, n := range nodes {
		for _, g := range []tapestry.GUID{g, many[0]} {
			if ids, err := replicas(t, n, g); !errors.Is(err, tapestry.ErrNotFound) {
				t.Errorf("after unpublish: %v, %v", ids, err)
			}
		}
	}
}

// TestWhatIsTakenBackWhileItsBatchIsUnderWayStaysSo: the batch says that of the object, and does not publish it again.
func TestWhatIsTakenBackWhileItsBatchIsUnderWayStaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, many := world(t, 3), guids(60)
		taken := make(chan error)
		go func() {
			for !nodes[0].Status().Ready || nodes[0].Status().Published == 0 {
				time.Sleep(time.Millisecond)
			}
			taken <- nodes[0].UnpublishObject(t.Context(), many[7], app)
		}()
		r, err := nodes[0].PublishObjects(t.Context(), app, slices.Values(many))
		if !errors.Is(err, tapestry.ErrBusy) || r.Placed != len(many)-1 || len(r.Failed) != 1 || r.Failed[0].GUID != many[7] {
			t.Errorf("%+v, %v", r, err)
		}
		if err := <-taken; err != nil {
			t.Error(err)
		}
		if ids, err := replicas(t, nodes[1], many[7]); !errors.Is(err, tapestry.ErrNotFound) {
			t.Errorf("located %v, %v", ids, err)
		}
	})
}

func checkStream(t *testing.T, n *tapestry.Node, g tapestry.GUID, from tapestry.ID) {
	t.Helper()
	s, r, err := n.OpenStream(t.Context(), g, app)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	b, err := io.ReadAll(s)
	if err != nil || string(b) != from.Short()+" streams "+g.Short() || r.ID != from || len(r.Peer.Addrs) == 0 {
		t.Errorf("stream from %+v: %q, %v", r, b, err)
	}
}

func TestEveryVerbSaysWhyItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := world(t, 2)
		echoes(nodes[1:])
		n, ctx, g := nodes[0], t.Context(), tapestry.GUIDFromBytes([]byte("object"))
		if err := nodes[1].PublishObject(ctx, g, app); err != nil {
			t.Fatal(err)
		}
		route := func(id tapestry.ID, a tapestry.AppID, payload string, exact tapestry.Exact) error {
			_, err := n.RouteToNode(ctx, id, a, []byte(payload), exact)
			return err
		}
		object := func(a tapestry.AppID, payload string) error {
			_, err := n.RouteToObject(ctx, g, a, []byte(payload))
			return err
		}
		_, noStream := replicas(t, n, tapestry.GUID{1})
		for name, test := range map[string]struct{ got, want error }{
			"absent":      {noStream, tapestry.ErrNotFound},
			"other app":   {object("other", "x"), tapestry.ErrNotFound},
			"no node":     {route(tapestry.ID{1}, app, "x", tapestry.Exactly), tapestry.ErrNoRoute},
			"no handler":  {route(nodes[1].ID(), "other", "x", tapestry.Exactly), tapestry.ErrNoHandler},
			"too large":   {object(app, strings.Repeat("x", tapestry.MaxPayload+1)), tapestry.ErrPayloadTooLarge},
			"handler":     {object(app, "fail"), tapestry.HandlerError("as you wish")},
			"no app":      {n.PublishObject(ctx, g, ""), tapestry.ErrOption},
			"long app":    {object(tapestry.AppID(strings.Repeat("x", 200)), ""), tapestry.ErrOption},
			"bad replica": {second(replicas(t, n, g, tapestry.Limit(0))), tapestry.ErrOption},
		} {
			var op *tapestry.OpError
			if !errors.Is(test.got, test.want) || !errors.As(test.got, &op) || op.Op == "" {
				t.Errorf("%s: %v, want an OpError of %v", name, test.got, test.want)
			}
		}
		var panicked tapestry.HandlerError
		if err := object(app, "panic"); !errors.As(err, &panicked) {
			t.Errorf("a handler that panics: %v", err)
		}
		if err := object(app, strings.Repeat("x", tapestry.MaxPayload-9)); err != nil {
			t.Errorf("a payload as large as allowed: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// verbs are all that ask the overlay something.
func verbs(n *tapestry.Node) map[string]func(context.Context) error {
	g := tapestry.GUIDFromBytes([]byte("object"))
	return map[string]func(context.Context) error{
		"publish":   func(ctx context.Context) error { return n.PublishObject(ctx, g, app) },
		"unpublish": func(ctx context.Context) error { return n.UnpublishObject(ctx, g, app) },
		"locate": func(ctx context.Context) error {
			for _, err := range n.LocateObject(ctx, g, app) {
				return err
			}
			return nil
		},
		"publish objects": func(ctx context.Context) error {
			return second(n.PublishObjects(ctx, app, slices.Values([]tapestry.GUID{g})))
		},
		"multicast":       func(ctx context.Context) error { return second(n.Multicast(ctx, tapestry.Everybody, app, nil)) },
		"route to object": func(ctx context.Context) error { return second(n.RouteToObject(ctx, g, app, nil)) },
		"route to node": func(ctx context.Context) error {
			return second(n.RouteToNode(ctx, g, app, nil, tapestry.Surrogate))
		},
		"query": func(ctx context.Context) error { return second(n.Query(ctx, g, app, nil)) },
		"open stream": func(ctx context.Context) error {
			_, _, err := n.OpenStream(ctx, g, app)
			return err
		},
		"explain":    func(ctx context.Context) error { return second(n.Explain(ctx, g, app)) },
		"wait ready": n.WaitReady,
	}
}

func TestWithoutAnOverlayVerbsSayNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := tapestry.New(p2ptest.NewNet(t, p2ptest.Config{}).Host())
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		for name, verb := range verbs(n) {
			want := tapestry.ErrNotJoined
			if name == "wait ready" {
				want = context.DeadlineExceeded
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := verb(ctx); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
			cancel()
		}
	})
}

func TestACanceledContextReturnsAtOnceAndFreesWhatItHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := world(t, 2)[1]
		for name, verb := range verbs(n) {
			if name == "wait ready" {
				continue // it is ready, and says so
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			begin := time.Now()
			if err := verb(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(begin); took != 0 {
				t.Errorf("%s took %v", name, took)
			}
		}
		synctest.Wait()
		if s := n.Status(); s.Calls != 0 {
			t.Errorf("%d calls are kept", s.Calls)
		}
	})
}

func TestVerbsUnderWayEndWhenTheyAreCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := world(t, 3)[2]
		for name, verb := range verbs(n) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond) // a link takes 5
			verb(ctx)                                                         // with or without success: it returns
			if name != "wait ready" && ctx.Err() == nil && name != "unpublish" {
				t.Logf("%s was done before its time", name)
			}
			cancel()
		}
		time.Sleep(time.Minute)
		if s := n.Status(); s.Calls != 0 || s.Pending != 0 {
			t.Errorf("%d calls and %d envelopes are kept", s.Calls, s.Pending)
		}
	})
}

func TestCloseEndsEverythingAndTwiceIsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := world(t, 2, tapestry.WithTracer(tapestry.Tracer{Ready: func() {}}))
		n := nodes[1]
		blocked := make(chan struct{})
		nodes[0].Handle(app, tapestry.HandlerFunc(func(ctx context.Context, _ tapestry.Message) ([]byte, error) {
			close(blocked)
			<-ctx.Done()
			return nil, ctx.Err()
		}))
		under := make(chan error)
		go func() { under <- second(n.RouteToNode(t.Context(), nodes[0].ID(), app, nil, tapestry.Exactly)) }()
		<-blocked
		if err := errors.Join(n.Close(), n.Close()); err != nil {
			t.Error(err)
		}
		if err := <-under; !errors.Is(err, tapestry.ErrClosed) {
			t.Errorf("a verb under way: %v", err)
		}
		for name, verb := range verbs(n) {
			if name == "wait ready" {
				continue // it was ready
			}
			if err := verb(t.Context()); !errors.Is(err, tapestry.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if s := n.Status(); s.State != "closed" || s.Ready {
			t.Errorf("state %s, ready %v", s.State, s.Ready)
		}
	})
}

func TestLeavingTakesBackWhatWasPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, g, many := world(t, 3), tapestry.GUIDFromBytes([]byte("object")), guids(2000)
		if err := nodes[2].PublishObject(t.Context(), g, app); err != nil {
			t.Fatal(err)
		}
		if _, err := nodes[2].PublishObjects(t.Context(), app, slices.Values(many)); err != nil {
			t.Fatal(err)
		}
		if err := nodes[2].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, n := range nodes[:2] {
			for _, g := range append(many[i:len(many):len(many)], g) {
				if ids, err := replicas(t, n, g); !errors.Is(err, tapestry.ErrNotFound) {
					t.Fatalf("after it left: %v, %v", ids, err)
				}
			}
		}
		if err := nodes[2].PublishObject(t.Context(), g, app); !errors.Is(err, tapestry.ErrNotJoined) {
			t.Errorf("publish after leaving: %v", err)
		}
	})
}

func TestPublishObjectsReportsWhatBecameOfEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := world(t, 3)
		var guids []tapestry.GUID
		for i := range 200 {
			guids = append(guids, tapestry.GUIDFromBytes(fmt.Append(nil, i)))
		}
		report, err := nodes[0].PublishObjects(t.Context(), app, slices.Values(guids))
		if err != nil || report.Placed != len(guids) || len(report.Failed) != 0 {
			t.Fatalf("%d placed, %d failed, %v", report.Placed, len(report.Failed), err)
		}
		for g, a := range nodes[0].Published() {
			if i := slices.Index(guids, g); i < 0 || a != app {
				t.Errorf("%s for %s is published", g, a)
			} else {
				guids = slices.Delete(guids, i, i+1)
			}
		}
		if len(guids) != 0 {
			t.Errorf("%d objects are not published", len(guids))
		}
		nodes[1].Close()
		report, err = nodes[1].PublishObjects(t.Context(), app, slices.Values([]tapestry.GUID{{1}, {2}}))
		if !errors.Is(err, tapestry.ErrClosed) || report.Placed != 0 || len(report.Failed) != 2 || report.Failed[0].Reason == "" {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

func TestReplicasComeNearestFirstAndAsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, g := world(t, 5), tapestry.GUIDFromBytes([]byte("object"))
		for _, n := range nodes[:4] {
			if err := n.PublishObject(t.Context(), g, app); err != nil {
				t.Fatal(err)
			}
		}
		n, last := nodes[4], time.Duration(0)
		var all []tapestry.ID
		for r, err := range n.LocateObject(t.Context(), g, app, tapestry.All()) {
			if err != nil || r.RTT < last && r.Measured {
				t.Errorf("%+v after %v, %v", r, last, err)
			}
			last, all = r.RTT, append(all, r.ID)
		}
		if len(all) != 4 {
			t.Fatalf("found %d of 4", len(all))
		}
		if ids, err := replicas(t, n, g, tapestry.Limit(2)); err != nil || len(ids) != 2 {
			t.Errorf("limit 2: %v, %v", ids, err)
		}
		if ids, err := replicas(t, n, g, tapestry.Without(all[:3]...)); err != nil || !slices.Equal(ids, all[3:]) {
			t.Errorf("without three: %v, %v", ids, err)
		}
		if ids, err := replicas(t, n, g, tapestry.Without(all...)); !errors.Is(err, tapestry.ErrNotFound) {
			t.Errorf("without all: %v, %v", ids, err)
		}
		if ids, err := replicas(t, n, g, tapestry.First()); err != nil || len(ids) == 0 {
			t.Errorf("first: %v, %v", ids, err)
		}
	})
}

func TestASignedMessageIsAuthenticatedAndAnUnsignedIsNot(t *testing.T) {
	for _, signed := range []string{"signed", "unsigned"} {
		synctest.Test(t, func(t *testing.T) {
			var opts []tapestry.Option
			if signed == "signed" {
				opts = append(opts, tapestry.WithSignedMessages())
			}
			nodes, g := world(t, 2, opts...), tapestry.GUIDFromBytes([]byte("object"))
			all := echoes(nodes)
			if err := nodes[0].PublishObject(t.Context(), g, app); err != nil {
				t.Fatal(err)
			}
			if _, err := nodes[1].RouteToObject(t.Context(), g, app, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			m := all[0].last()
			if _, err := nodes[1].RouteToObject(t.Context(), g, app, []byte("hello"), tapestry.Raced()); err != nil {
				t.Fatal(err)
			}
			if raced := all[0].last(); raced.Authenticated != m.Authenticated || raced.From != m.From {
				t.Errorf("%s, raced: %+v", signed, raced)
			}
			if m.From != nodes[1].ID() || m.Authenticated != (signed == "signed") || m.GUID != g || m.App != app || !bytes.Equal(m.Payload, []byte("hello")) {
				t.Errorf("%s: %+v", signed, m)
			}
		})
	}
}

// TestAQueryOutlivesWhoWasAsked: who answers for the key when it is asked again, answers.
func TestAQueryOutlivesWhoWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := world(t, 6)
		echoes(nodes)
		asked := make(chan struct{})
		nodes[3].Handle(app, tapestry.HandlerFunc(func(ctx context.Context, _ tapestry.Message) ([]byte, error) {
			close(asked)
			<-ctx.Done()
			return nil, ctx.Err()
		}))
		go func() {
			<-asked
			nodes[3].Close()
		}()
		d, err := nodes[0].Query(t.Context(), nodes[3].ID(), app, []byte("who"))
		if err != nil || d.Replica.ID == nodes[3].ID() {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

// gate is a handler that lets nothing pass.
type gate struct{ echo }

func (*gate) Forward(context.Context, tapestry.Message) tapestry.Verdict { return tapestry.Stop }

func TestAForwarderCanStopWhatPassesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := world(t, 40)
		echoes(nodes)
		target, middle := detour(t, nodes)
		send := func() (tapestry.Delivery, error) {
			return nodes[0].RouteToNode(t.Context(), target, app, []byte("hello"), tapestry.Exactly)
		}
		middle.Handle(app, &gate{})
		if d, err := send(); !errors.Is(err, tapestry.ErrNoRoute) {
			t.Errorf("stopped on its way: %+v, %v", d, err)
		}
		middle.Handle(app, nil)
		if _, err := send(); err != nil {
			t.Errorf("with the handler gone: %v", err)
		}
	})
}

// detour finds a node that the first reaches through another, and that other.
func detour(t *testing.T, nodes []*tapestry.Node) (target tapestry.ID, middle *tapestry.Node) {
	t.Helper()
	for _, to := range nodes {
		d, err := nodes[0].RouteToNode(t.Context(), to.ID(), app, nil, tapestry.Exactly)
		if err != nil {
			t.Fatal(err)
		}
		if d.Hops > 1 {
			i := slices.IndexFunc(nodes, func(n *tapestry.Node) bool { return n.ID() == d.Path[1] })
			return to.ID(), nodes[i]
		}
	}
	t.Fatal("every node is one hop away")
	return target, nil
}

func TestTheTracerSeesWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := map[string]int{}
		see := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			seen[what]++
		}
		nodes := world(t, 3, tapestry.WithTracer(tapestry.Tracer{
			Ready:           func() { see("ready") },
			NeighborChanged: func(tapestry.ID, string) { see("neighbor") },
			Forwarded:       func(h tapestry.TraceHop) { see("forwarded " + h.Kind) },
			Arrived:         func(a tapestry.TraceArrival) { see("arrived " + a.Kind) },
			Stored:          func(tapestry.GUID, tapestry.ID) { see("stored") },
			Removed:         func(tapestry.GUID, tapestry.ID, string) { see("removed") },
			Measured:        func(tapestry.ID, time.Duration) { see("measured") },
			LinkUsed:        func(tapestry.ID, string, string, bool) { see("link") },
		}))
		doEverything(t, nodes)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		for _, what := range []string{"ready", "forwarded publish", "arrived locate", "stored", "measured", "link"} {
			if seen[what] == 0 {
				t.Errorf("%q was not seen: %v", what, seen)
			}
		}
	})
}

// TestAZoneMustBeNamed: an empty one is this node's own, and this node may have none.
func TestAZoneMustBeNamed(t *testing.T) {
	g := tapestry.GUIDFromBytes([]byte("object"))
	synctest.Test(t, func(t *testing.T) {
		n := world(t, 1)[0]
		for name, o := range map[string]tapestry.LocateOption{
			"none":      tapestry.Prefer(""),
			"too long":  tapestry.LocalOnly(strings.Repeat("z", 1000)),
			"no string": tapestry.Prefer("\xff"),
		} {
			if _, err := replicas(t, n, g, o); !errors.Is(err, tapestry.ErrOption) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		n := world(t, 1, tapestry.WithZone("eu/ber"))[0]
		if err := n.PublishObject(t.Context(), g, app); err != nil {
			t.Fatal(err)
		}
		for _, o := range []tapestry.LocateOption{tapestry.LocalOnly(""), tapestry.LocalOnly("eu"), tapestry.Fresh()} {
			if ids, err := replicas(t, n, g, o); err != nil || len(ids) != 1 {
				t.Errorf("%v, %v", ids, err)
			}
		}
		if ids, err := replicas(t, n, g, tapestry.LocalOnly("us")); !errors.Is(err, tapestry.ErrNotFound) {
			t.Errorf("elsewhere: %v, %v", ids, err)
		}
	})
}
