package p2p

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/proto"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// maxBodyHello is how large the hello of a direct stream may be.
const maxBodyHello = wire.MaxApp + idspace.Size + 16

// Why a direct stream is reset by the node that was to serve it: codes of our own,
// beyond those of libp2p (docs/protocol.md §8).
const (
	BodyNoHandler network.StreamErrorCode = 0x7a01 // no process of that name, or none that serves streams
	BodyBusy      network.StreamErrorCode = 0x7a02 // too many streams under way
	BodyFailed    network.StreamErrorCode = 0x7a03 // the process panicked
)

// ErrNoAddress says that nobody knows where a node can be dialed.
var ErrNoAddress = errors.New("no address of the node is known")

// Why direct streams are refused.
const (
	faultBodyHello = "malformed hello of a direct stream"
	faultBodyApp   = "no handler for a direct stream"
	faultBodyBusy  = "too many direct streams"
	faultBodyPanic = "stream handler panicked"
)

// OpenStream opens a direct stream to the process app of a server, for the body of
// the object guid (docs/protocol.md §8). Unlike messages it dials the server, which
// its node record, if not nil, says how to reach. That the server serves no such
// process shows when the stream is read: it is reset with BodyNoHandler.
func (n *Node) OpenStream(ctx context.Context, server idspace.ID, record *wire.SignedRecord, app string, guid idspace.ID) (network.Stream, error) {
	if !n.life.enter() {
		return nil, ErrClosed
	}
	defer n.life.leave()
	ctx, cancel := n.bounded(ctx)
	defer cancel()
	defer context.AfterFunc(n.life.ctx, cancel)()
	if record != nil {
		if err := n.records.record(ctx, record, nil); err != nil {
			return nil, fmt.Errorf("record of %s: %w", server.Short(), err)
		}
	}
	p, ok := n.book.peer(server)
	if !ok {
		return nil, fmt.Errorf("%s: %w", server.Short(), ErrNoAddress)
	}
	if n.host.Network().Connectedness(p) != network.Connected {
		n.counts.bodyDials.Add(1)
		if err := n.dialPeer(ctx, server, p); err != nil {
			n.counts.limit(err)
			return nil, err
		}
	}
	s, err := n.openStream(ctx, p, n.bodies)
	if err != nil {
		n.counts.limit(err)
		return nil, err
	}
	if err := sayBody(s, &wire.StreamHello{App: app, Guid: guid[:]}); err != nil {
		s.Reset()
		return nil, err
	}
	return s, nil
}

// sayBody writes the hello of a direct stream.
func sayBody(s io.Writer, hello *wire.StreamHello) error {
	body, err := proto.Marshal(hello)
	if err != nil {
		return err
	}
	_, err = s.Write(append(binary.AppendUvarint(nil, uint64(len(body))), body...))
	return err
}

// hearBody reads the hello of a direct stream, and not a byte more.
func hearBody(s io.Reader) (*wire.StreamHello, error) {
	size, err := binary.ReadUvarint(oneByte{s})
	if err != nil {
		return nil, err
	}
	if size > maxBodyHello {
		return nil, fmt.Errorf("hello of %d bytes, at most %d allowed", size, maxBodyHello)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(s, body); err != nil {
		return nil, err
	}
	hello := new(wire.StreamHello)
	if err := proto.Unmarshal(body, hello); err != nil {
		return nil, err
	}
	if len(hello.Guid) != idspace.Size || len(hello.App) > wire.MaxApp {
		return nil, fmt.Errorf("hello for an app of %d bytes and a guid of %d", len(hello.App), len(hello.Guid))
	}
	return hello, nil
}

// oneByte is an io.ByteReader that reads nothing ahead.
type oneByte struct{ io.Reader }

func (r oneByte) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}

// acceptBody serves a direct stream that a peer opened.
func (n *Node) acceptBody(s network.Stream) {
	if !n.life.enter() {
		s.ResetWithError(network.StreamShutdown)
		return
	}
	defer n.life.leave()
	if err := n.serveBody(s); err != nil {
		n.refuse(s, err)
		return
	}
	s.Close()
}

func (n *Node) serveBody(s network.Stream) error {
	if s.Conn().Stat().Limited {
		return &fault{why: faultRelayed, code: network.StreamGated}
	}
	if err := reserve(s, streamMemory); err != nil {
		return &fault{faultLimit, network.StreamResourceLimitExceeded, err}
	}
	ctx, cancel := context.WithCancel(n.life.ctx)
	defer cancel()
	// A handler that waits for its peer must not keep a closing node waiting.
	defer context.AfterFunc(ctx, func() { s.ResetWithError(network.StreamShutdown) })()
	s.SetReadDeadline(time.Now().Add(helloTimeout))
	hello, err := hearBody(s)
	if err != nil {
		return violation(faultBodyHello, err)
	}
	s.SetReadDeadline(time.Time{})
	h := n.apps.handler(hello.App)
	if h.Stream == nil {
		return &fault{why: faultBodyApp, code: BodyNoHandler}
	}
	select {
	case n.apps.streams <- struct{}{}:
		defer func() { <-n.apps.streams }()
	default:
		return &fault{why: faultBodyBusy, code: BodyBusy}
	}
	return contained(hello.App, func() { h.Stream(ctx, wire.ID(hello.Guid), s) })
}

// contained runs a stream handler; what it panics with is an error.
func contained(app string, f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			logger.Errorw("stream handler panicked", "app", app, "panic", p, "stack", string(debug.Stack()))
			err = &fault{why: faultBodyPanic, code: BodyFailed}
		}
	}()
	f()
	return nil
}
