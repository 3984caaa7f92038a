package tapestry

import (
	"context"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
)

// Handler is an application's process on a node. Each message is delivered on a
// goroutine of its own; a handler that panics is contained and answers its caller
// with an error.
//
// A Handler may also be a Forwarder and a StreamHandler.
type Handler interface {
	// Deliver handles a message and returns the reply, at most MaxPayload bytes. An
	// error travels back as text and is a HandlerError there. ctx ends when the
	// sender's deadline passes or the node closes.
	Deliver(ctx context.Context, m Message) (reply []byte, err error)
}

// HandlerFunc is a Handler that only delivers.
type HandlerFunc func(ctx context.Context, m Message) ([]byte, error)

// Deliver calls f.
func (f HandlerFunc) Deliver(ctx context.Context, m Message) ([]byte, error) { return f(ctx, m) }

// Forwarder is a Handler that also sees the messages of its application that others
// send and that pass through its node on their way to another (the forward upcall of
// the Common API). Their origin is not checked there: From is only claimed.
type Forwarder interface {
	// Forward decides whether a message may pass. It runs inside the node's own step
	// and must not block.
	Forward(ctx context.Context, m Message) Verdict
}

// Verdict is what a Forwarder says of a message.
type Verdict uint8

// The verdicts.
const (
	Pass Verdict = iota // go on to the next hop
	Stop                // go no further: the sender gets ErrNoRoute
)

// StreamHandler is a Handler that also serves bodies over streams (OpenStream).
type StreamHandler interface {
	// Stream serves the object g on s, and closes it. ctx ends when the node closes.
	Stream(ctx context.Context, g GUID, s network.Stream)
}

// Message is what a handler is given.
type Message struct {
	From          ID   // the node that sent it
	Authenticated bool // From signed it; otherwise From is only claimed
	App           AppID
	GUID          GUID // the object that it was sent to; zero if it was sent to a node
	Key           ID   // the identifier that it was routed to; of a multicast its prefix, then zeros
	Multicast     bool // it goes to everybody under a prefix: the reply is not brought back
	Payload       []byte
}

// Handle makes h the process of this node for app; nil removes it. A node needs no
// handler to publish, but whoever sends a message to an object of a server without
// one gets ErrNoHandler. AppIDs that begin with /tapestry/ are the package's own.
func (n *Node) Handle(app AppID, h Handler) {
	n.world.Handle(string(app), upcalls(h))
}

// upcalls adapts h, and what else it can do, to the world's functions.
func upcalls(h Handler) p2p.Handler {
	if h == nil {
		return p2p.Handler{}
	}
	to := p2p.Handler{Deliver: func(ctx context.Context, in p2p.Inbound) ([]byte, error) {
		return h.Deliver(ctx, messageOf(in))
	}}
	if f, ok := h.(Forwarder); ok {
		to.Forward = func(in p2p.Inbound) bool { return f.Forward(context.Background(), messageOf(in)) == Pass }
	}
	if s, ok := h.(StreamHandler); ok {
		to.Stream = s.Stream
	}
	return to
}

func messageOf(in p2p.Inbound) Message {
	return Message{
		From: in.From, Authenticated: in.Authenticated, App: AppID(in.App),
		GUID: in.GUID, Key: in.Key, Multicast: in.Multicast, Payload: in.Payload,
	}
}
