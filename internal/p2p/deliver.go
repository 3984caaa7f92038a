package p2p

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/proto"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Inbound is a message that reached this node, or passes through it.
type Inbound struct {
	From          idspace.ID // who sent it
	Authenticated bool       // its signature says so; otherwise it is only claimed
	App           string
	GUID          idspace.ID // the object that it was sent to, zero if to a node
	Key           idspace.ID // the key that it was routed to
	Multicast     bool       // it goes to everybody under a prefix, which is what Key begins with
	Call          env.Call
	Payload       []byte
}

// Handler is what an application does with messages and streams. Any field may be nil.
type Handler struct {
	// Deliver answers a message. It runs in a goroutine of its own; ctx ends at the
	// caller's deadline and when the node closes, and Deliver must then return.
	Deliver func(ctx context.Context, m Inbound) (reply []byte, err error)
	// Forward sees messages that pass through this node, unauthenticated; false stops
	// one. It runs on the loop: it must not block, nor call the node.
	Forward func(m Inbound) bool
	// Stream serves a direct stream for the body of an object. The stream is closed
	// when Stream returns, and reset when ctx ends.
	Stream func(ctx context.Context, guid idspace.ID, s network.Stream)
}

// apps are the application's handlers.
type apps struct {
	mu       sync.RWMutex
	handlers map[string]Handler

	messages chan struct{} // a token per message under way
	streams  chan struct{} // and per direct stream
}

func newApps(atOnce int) *apps {
	return &apps{
		handlers: map[string]Handler{},
		messages: make(chan struct{}, atOnce), streams: make(chan struct{}, atOnce),
	}
}

// Handle sets what the process app of this node does. A Handler without any function
// removes it.
func (n *Node) Handle(app string, h Handler) {
	n.apps.mu.Lock()
	defer n.apps.mu.Unlock()
	if h.Deliver == nil && h.Forward == nil && h.Stream == nil {
		delete(n.apps.handlers, app)
		return
	}
	n.apps.handlers[app] = h
}

func (a *apps) handler(app string) Handler {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.handlers[app]
}

// forward asks the application about a message that passes through.
func (a *apps) forward(u *env.Upcall) (goOn bool) {
	h := a.handler(u.App)
	if h.Forward == nil {
		return true
	}
	defer func() {
		if p := recover(); p != nil {
			logger.Errorw("forward handler panicked", "app", u.App, "panic", p, "stack", string(debug.Stack()))
			goOn = true
		}
	}()
	return h.Forward(inbound(u))
}

func inbound(u *env.Upcall) Inbound {
	return Inbound{From: u.From, App: u.App, GUID: u.GUID, Key: u.Key, Multicast: u.For == env.Multicast, Call: u.Call, Payload: u.Payload}
}

// Deliver hands an outcome to who waits for it, or a message to its handler.
func (l *loop) Deliver(d env.Delivery) {
	switch d := d.(type) {
	case *env.Found:
		l.calls.found(d)
	case *env.Outcome:
		if answer := l.calls.end(d.Call); answer != nil {
			answer <- d
		}
	case *env.Upcall:
		if why := l.upcall(d); why != wire.Refusal_REFUSAL_NONE {
			l.due = append(l.due, &env.HandlerReply{For: d.For, Ticket: d.Ticket, Refused: why})
		}
	}
}

// upcall starts the handler of a message, or says why it is not handled.
func (l *loop) upcall(u *env.Upcall) wire.Refusal {
	h := l.apps.handler(u.App)
	if h.Deliver == nil {
		return wire.Refusal_REFUSAL_NO_HANDLER
	}
	select {
	case l.apps.messages <- struct{}{}:
	default:
		return wire.Refusal_REFUSAL_BUSY
	}
	if !l.life.start(func() { l.handle(u, h) }) {
		<-l.apps.messages
		return wire.Refusal_REFUSAL_BUSY
	}
	return wire.Refusal_REFUSAL_NONE
}

// handle runs a handler and gives its reply to the machines.
func (n *Node) handle(u *env.Upcall, h Handler) {
	reply := &env.HandlerReply{For: u.For, Ticket: u.Ticket}
	m, err := n.authenticate(u)
	if err == nil {
		reply.Payload, err = n.deliver(u, h, m)
	}
	if err == nil && len(reply.Payload) > wire.MaxPayload {
		err = fmt.Errorf("reply of %d bytes, at most %d allowed", len(reply.Payload), wire.MaxPayload)
	}
	if err != nil {
		text := err.Error()
		reply.Payload, reply.Error = nil, text[:min(len(text), wire.MaxError)]
	}
	<-n.apps.messages
	n.mail.post(reply)
}

// deliver calls the handler; what it panics with is an error.
func (n *Node) deliver(u *env.Upcall, h Handler, m Inbound) (reply []byte, err error) {
	ctx, cancel := context.WithCancel(n.life.ctx)
	if u.Deadline != 0 {
		ctx, cancel = context.WithDeadline(n.life.ctx, n.clock.at(u.Deadline))
	}
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			logger.Errorw("handler panicked", "app", u.App, "panic", p, "stack", string(debug.Stack()))
			n.counts.faults.add(faultPanic)
			err = errors.New("handler panicked")
		}
	}()
	return h.Deliver(ctx, m)
}

// authenticate checks the origin's signature of a message, if it has one, and that it
// is the sender's. That it is a signature of this message the machines have checked.
func (n *Node) authenticate(u *env.Upcall) (Inbound, error) {
	m := inbound(u)
	if u.Origin == nil {
		return m, nil
	}
	raw, err := proto.Marshal(u.Origin)
	if err != nil {
		return m, err
	}
	by, err := signer(raw)
	if err == nil && idOf(by) != u.From {
		err = errors.New("it is another node's")
	}
	if err != nil {
		n.counts.faults.add(faultOrigin)
		return m, fmt.Errorf("signature of the message's origin: %w", err)
	}
	m.Authenticated = true
	return m, nil
}
