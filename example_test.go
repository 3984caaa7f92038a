package tapestry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"slices"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/tapestry-dolr/tapestry"
)

// member makes a node on a host of its own, joined by a seed if one is given.
func member(ctx context.Context, seed ...peer.AddrInfo) (*tapestry.Node, peer.AddrInfo) {
	h, err := libp2p.New(
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		tapestry.HostOptions(tapestry.DefaultMaxLinks))
	if err != nil {
		log.Fatal(err)
	}
	n, err := tapestry.New(h, tapestry.WithNetwork("example"))
	if err != nil {
		log.Fatal(err)
	}
	if err := n.Join(ctx, seed...); err != nil {
		log.Fatal(err)
	}
	if err := n.WaitReady(ctx); err != nil {
		log.Fatal(err)
	}
	context.AfterFunc(ctx, func() {
		n.Close()
		h.Close()
	})
	return n, *host.InfoFromHost(h)
}

// pair makes an overlay of two nodes.
func pair() (server, client *tapestry.Node, done func()) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	server, seed := member(ctx)
	client, _ = member(ctx, seed)
	return server, client, cancel
}

// A node is attached to a libp2p host and joins by any member.
func ExampleNew() {
	ctx := context.Background()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		tapestry.HostOptions(tapestry.DefaultMaxLinks))
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	n, err := tapestry.New(h, tapestry.WithNetwork("example"))
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()
	if err := n.Join(ctx); err != nil { // without seeds: the first node of an overlay
		log.Fatal(err)
	}
	if err := n.WaitReady(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(n.Status().State, n.ID() == tapestry.NodeIDFromPeer(h.ID()))
	// Output: active true
}

// A message to everybody, or to all nodes whose ID begins alike.
func ExampleNode_Multicast() {
	server, client, done := pair()
	defer done()
	server.Handle("news", tapestry.HandlerFunc(func(_ context.Context, m tapestry.Message) ([]byte, error) {
		fmt.Printf("%s, to many: %v\n", m.Payload, m.Multicast)
		return nil, nil
	}))
	report, err := client.Multicast(context.Background(), tapestry.Everybody, "news", []byte("a new version is out"))
	fmt.Println(report.Reached, report.Handled, err)
	// Output:
	// a new version is out, to many: true
	// 2 1 <nil>
}

func ExampleNode_Join() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, seed := member(ctx)
	h, err := libp2p.New(libp2p.NoListenAddrs, tapestry.HostOptions(tapestry.DefaultMaxLinks))
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	n, err := tapestry.New(h, tapestry.WithNetwork("example"))
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()
	fmt.Println(n.Join(ctx, seed))
	// Output: <nil>
}

func ExampleNode_WaitReady() {
	n, _, done := pair()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(n.WaitReady(ctx))
	// Output: <nil>
}

func ExampleNode_PublishObject() {
	server, client, done := pair()
	defer done()
	ctx := context.Background()
	guid := tapestry.GUIDFromBytes([]byte("a photo"))
	if err := server.PublishObject(ctx, guid, "photos"); err != nil {
		log.Fatal(err)
	}
	for replica, err := range client.LocateObject(ctx, guid, "photos") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(replica.ID == server.ID())
	}
	// Output: true
}

func ExampleNode_PublishObjects() {
	server, _, done := pair()
	defer done()
	guids := []tapestry.GUID{tapestry.GUIDFromBytes([]byte("one")), tapestry.GUIDFromBytes([]byte("two"))}
	report, err := server.PublishObjects(context.Background(), "photos", slices.Values(guids))
	fmt.Println(report.Placed, len(report.Failed), err)
	// Output: 2 0 <nil>
}

func ExampleNode_UnpublishObject() {
	server, client, done := pair()
	defer done()
	ctx := context.Background()
	guid := tapestry.GUIDFromBytes([]byte("a photo"))
	if err := server.PublishObject(ctx, guid, "photos"); err != nil {
		log.Fatal(err)
	}
	if err := server.UnpublishObject(ctx, guid, "photos"); err != nil {
		log.Fatal(err)
	}
	for _, err := range client.LocateObject(ctx, guid, "photos") {
		fmt.Println(errors.Is(err, tapestry.ErrNotFound))
	}
	// Output: true
}

// Whatever wants a libp2p routing system can have the node for it.
func ExampleNode_Routing() {
	server, client, done := pair()
	defer done()
	ctx := context.Background()
	content := must(cid.Decode("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"))
	if err := server.Routing().Provide(ctx, content, true); err != nil {
		log.Fatal(err)
	}
	for provider := range client.Routing().FindProvidersAsync(ctx, content, 1) {
		fmt.Println("from the server:", provider.ID == server.Status().Peer)
	}
	// Output: from the server: true
}

func ExampleNode_Published() {
	server, _, done := pair()
	defer done()
	guid := tapestry.GUIDFromBytes([]byte("a photo"))
	if err := server.PublishObject(context.Background(), guid, "photos"); err != nil {
		log.Fatal(err)
	}
	for g, app := range server.Published() {
		fmt.Println(app, g == guid)
	}
	// Output: photos true
}

// LocateObject yields the servers of an object, nearest first.
func ExampleNode_LocateObject() {
	one, two, done := pair()
	defer done()
	ctx := context.Background()
	guid := tapestry.GUIDFromBytes([]byte("a photo"))
	for _, n := range []*tapestry.Node{one, two} {
		if err := n.PublishObject(ctx, guid, "photos"); err != nil {
			log.Fatal(err)
		}
	}
	for replica, err := range one.LocateObject(ctx, guid, "photos", tapestry.Limit(1)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("the nearest is itself:", replica.ID == one.ID())
	}
	// Output: the nearest is itself: true
}

// A handler answers the messages that are routed to the objects its node serves.
func ExampleNode_RouteToObject() {
	server, client, done := pair()
	defer done()
	ctx := context.Background()
	server.Handle("greeter", tapestry.HandlerFunc(func(_ context.Context, m tapestry.Message) ([]byte, error) {
		return append([]byte("hello, "), m.Payload...), nil
	}))
	guid := tapestry.GUIDFromBytes([]byte("the greeter"))
	if err := server.PublishObject(ctx, guid, "greeter"); err != nil {
		log.Fatal(err)
	}
	delivery, err := client.RouteToObject(ctx, guid, "greeter", []byte("world"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, in %d hop\n", delivery.Reply, delivery.Hops)
	// Output: hello, world, in 1 hop
}

func ExampleNode_RouteToNode() {
	server, client, done := pair()
	defer done()
	ctx := context.Background()
	server.Handle("clock", tapestry.HandlerFunc(func(context.Context, tapestry.Message) ([]byte, error) {
		return []byte("late"), nil
	}))
	delivery, err := client.RouteToNode(ctx, server.ID(), "clock", nil, tapestry.Exactly)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(delivery.Reply))

	// No node has this ID. With Surrogate the node that answers for it would get the message.
	_, err = client.RouteToNode(ctx, tapestry.ID{1}, "clock", nil, tapestry.Exactly)
	fmt.Println(errors.Is(err, tapestry.ErrNoRoute))
	// Output:
	// late
	// true
}

// A question may be asked twice: whoever answers for the key by then, answers.
func ExampleNode_Query() {
	server, client, done := pair()
	defer done()
	for _, n := range []*tapestry.Node{server, client} {
		n.Handle("who", tapestry.HandlerFunc(func(context.Context, tapestry.Message) ([]byte, error) {
			return []byte(n.ID().String()), nil
		}))
	}
	delivery, err := client.Query(context.Background(), server.ID(), "who", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(delivery.Reply) == server.ID().String())
	// Output: true
}

func ExampleNode_Handle() {
	server, client, done := pair()
	defer done()
	server.Handle("even", tapestry.HandlerFunc(func(_ context.Context, m tapestry.Message) ([]byte, error) {
		if len(m.Payload)%2 != 0 {
			return nil, errors.New("odd")
		}
		return []byte("ok"), nil
	}))
	_, err := client.RouteToNode(context.Background(), server.ID(), "even", []byte("abc"), tapestry.Exactly)
	var there tapestry.HandlerError
	fmt.Println(errors.As(err, &there), there)
	// Output: true handler: odd
}

// library serves bodies over streams, which have no size limit.
type library struct{}

func (library) Deliver(context.Context, tapestry.Message) ([]byte, error) {
	return nil, errors.New("open a stream")
}

func (library) Stream(_ context.Context, g tapestry.GUID, s network.Stream) {
	defer s.Close()
	fmt.Fprintf(s, "the body of %s", g.Short())
}

func ExampleNode_OpenStream() {
	server, client, done := pair()
	defer done()
	ctx := context.Background()
	guid := tapestry.GUIDFromBytes([]byte("a long book"))
	server.Handle("books", library{})
	if err := server.PublishObject(ctx, guid, "books"); err != nil {
		log.Fatal(err)
	}
	stream, replica, err := client.OpenStream(ctx, guid, "books")
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	body, err := io.ReadAll(stream)
	fmt.Println(string(body), replica.ID == server.ID(), err)
	// Output: the body of b4e2bb70 true <nil>
}

func ExampleNode_Explain() {
	server, client, done := pair()
	defer done()
	ctx := context.Background()
	guid := tapestry.GUIDFromBytes([]byte("a photo"))
	if err := server.PublishObject(ctx, guid, "photos"); err != nil {
		log.Fatal(err)
	}
	explanation, err := client.Explain(ctx, guid, "photos")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(explanation.Answer, "asking", len(explanation.Paths), "roots")
	// Output: found asking 4 roots
}

func ExampleNode_Status() {
	server, _, done := pair()
	defer done()
	s := server.Status()
	fmt.Println(s.Network, s.State, s.Ready, s.Links)
	// Output: example active true 1
}

func ExampleNode_Leave() {
	server, client, done := pair()
	defer done()
	ctx := context.Background()
	guid := tapestry.GUIDFromBytes([]byte("a photo"))
	if err := server.PublishObject(ctx, guid, "photos"); err != nil {
		log.Fatal(err)
	}
	if err := server.Leave(ctx); err != nil {
		log.Fatal(err)
	}
	for _, err := range client.LocateObject(ctx, guid, "photos") {
		fmt.Println(errors.Is(err, tapestry.ErrNotFound))
	}
	// Output: true
}

func ExampleNode_Close() {
	server, _, done := pair()
	defer done()
	fmt.Println(server.Close())
	_, err := server.RouteToObject(context.Background(), tapestry.GUID{}, "photos", nil)
	fmt.Println(errors.Is(err, tapestry.ErrClosed))
	// Output:
	// <nil>
	// true
}

func ExampleOpError() {
	server, _, done := pair()
	defer done()
	err := server.PublishObject(context.Background(), tapestry.GUIDFromBytes(nil), "")
	var op *tapestry.OpError
	if errors.As(err, &op) {
		fmt.Println(op.Op, op.ID.Short())
	}
	// Output: publish e3b0c442
}
