package tapestry

import (
	"bytes"
	"context"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// Exact says what RouteToNode does when there is no node of the ID given.
type Exact bool

// The values of Exact.
const (
	Exactly   Exact = true  // only that node will do: otherwise ErrNoRoute
	Surrogate Exact = false // the ID's surrogate, the node that answers for it, takes the message
)

// Delivery is what became of a message.
type Delivery struct {
	Replica Replica       // the node that handled it
	Hops    int           // overlay links that it crossed
	Path    []ID          // the nodes that it passed, this one and the last included
	RTT     time.Duration // from departure to reply
	Reply   []byte        // what the handler returned
}

// SendOption shapes one RouteToObject.
type SendOption func(*sending)

// sending is what SendOptions make of a message.
type sending struct{ raced bool }

// Raced sends copies of the message towards all roots of the object at once, and each goes to the
// nearest server that is known on its way: the fastest delivery there is, for messages that do no
// harm twice. In about a quarter of all cases more than one server gets it; each gets it once,
// unless no reply comes for 1.5 s and it is sent again. The reply is the first one. The Delivery
// does not say at what addresses its server can be dialed.
func Raced() SendOption { return func(s *sending) { s.raced = true } }

// RouteToObject carries payload to the nearest server of g that handles app, and
// brings its reply back. Unless it is Raced it delivers at most once: if it cannot tell
// whether the message arrived, it returns ErrMaybeDelivered rather than trying another replica.
//
// A handler's own error comes back as a HandlerError, with a Delivery that says
// whose it is.
func (n *Node) RouteToObject(ctx context.Context, g GUID, app AppID, payload []byte, opts ...SendOption) (Delivery, error) {
	var s sending
	for _, o := range opts {
		o(&s)
	}
	return n.send(ctx, "route to object", &env.SendRequest{
		Key: g, Object: true, Raced: s.raced, App: string(app), Payload: payload,
	})
}

// RouteToNode carries payload to the node id, or with Surrogate to the node that
// answers for that ID, and brings its reply back. It delivers at most once.
func (n *Node) RouteToNode(ctx context.Context, id ID, app AppID, payload []byte, exact Exact) (Delivery, error) {
	return n.send(ctx, "route to node", &env.SendRequest{Key: id, Exact: bool(exact), App: string(app), Payload: payload})
}

// Query carries payload to the node that answers for key, its surrogate, and brings its
// reply back. Unlike RouteToNode it sends the message again while no answer comes, to
// whoever answers for key then: after 1.5 s, and after waits that double. So handlers may see
// it more than once, on one node or on two; for questions, which do no harm, and for
// whatever the application itself can tell to be a repetition.
func (n *Node) Query(ctx context.Context, key ID, app AppID, payload []byte) (Delivery, error) {
	return n.send(ctx, "query", &env.SendRequest{Key: key, Repeat: true, App: string(app), Payload: payload})
}

func (n *Node) send(ctx context.Context, op string, ask *env.SendRequest) (Delivery, error) {
	if err := checkApp(op, pointers.Key{GUID: ask.Key, App: ask.App}); err != nil {
		return Delivery{}, err
	}
	if len(ask.Payload) > MaxPayload {
		return Delivery{}, &OpError{Op: op, ID: ask.Key, Err: ErrPayloadTooLarge}
	}
	ask.Signed = n.settings.signed
	ask.Payload = bytes.Clone(ask.Payload) // it may be on its way still when a canceled call has returned
	out, err := n.do(ctx, op, ask.Key, func(c env.Call, until mono.Time) env.Local {
		request := *ask
		request.Call, request.Deadline = c, until
		return &request
	})
	if err != nil {
		return Delivery{}, err
	}
	d := Delivery{Path: out.Path, Hops: max(0, len(out.Path)-1), RTT: out.RTT, Reply: out.Reply}
	if d.Replica, err = replicaOf(out.Replica); err != nil {
		return d, err
	}
	if out.Error != "" {
		return d, &OpError{Op: op, ID: ask.Key, Err: HandlerError(out.Error)}
	}
	return d, nil
}
