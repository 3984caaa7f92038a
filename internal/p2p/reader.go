package p2p

import (
	"bufio"
	"context"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

const (
	// helloTimeout is how long a new stream may be silent.
	helloTimeout = 10 * time.Second
	// streamMemory is what one stream costs in buffers.
	streamMemory = 16 << 10
	// readBuffer is how much of a stream is read ahead.
	readBuffer = 4 << 10
	// maxBad is how many messages with a bad record a peer may send before it is cut off.
	maxBad = 5
)

// reader reads one stream of a peer: it decodes and checks frames, and hands
// messages to the loop in their order.
type reader struct {
	*Node
	source *source
	stream network.Stream
	from   *bufio.Reader
	ctx    context.Context
	failed error  // what the stream itself ended with
	frame  []byte // the last frame, used again
	held   int    // memory reserved for frame
}

// accept serves a stream that a peer opened; libp2p gives it a goroutine.
func (n *Node) accept(s network.Stream) {
	if !n.life.enter() {
		s.ResetWithError(network.StreamShutdown)
		return
	}
	defer n.life.leave()
	src, err := n.inbound.admit(s)
	if err != nil {
		n.refuse(s, err)
		return
	}
	ctx, cancel := context.WithCancel(n.life.ctx)
	defer cancel()
	// A closing node must not wait for a peer's next frame.
	stop := context.AfterFunc(ctx, func() { s.ResetWithError(network.StreamShutdown) })
	r := &reader{Node: n, source: src, stream: s, ctx: ctx}
	r.from = bufio.NewReaderSize(r, readBuffer)
	err = r.run()
	stop()
	last := n.inbound.ended(src, s)
	if err != nil {
		n.refuse(s, err)
	} else {
		s.Close()
	}
	if last {
		n.mail.put(deserted{src.id})
	}
}

// refuse ends a stream for what err says of its peer.
func (n *Node) refuse(s network.Stream, err error) {
	f := &fault{why: faultMalformed, code: network.StreamProtocolViolation, cause: err}
	errors.As(err, &f)
	s.ResetWithError(f.code)
	p := s.Conn().RemotePeer()
	if f.shuns() {
		n.inbound.shun(p)
	}
	n.counts.limit(err)
	n.report(f.why, idOf(p))
}

// report counts something wrong with a peer, and tells observers if the loop has time.
func (n *Node) report(why string, peer idspace.ID) {
	n.counts.faults.add(why)
	n.mail.offer(report{&env.Dropped{Why: why, Peer: peer}})
}

// Read reads the stream, and remembers how it ended.
func (r *reader) Read(b []byte) (int, error) {
	n, err := r.stream.Read(b)
	if err != nil {
		r.failed = err
	}
	return n, err
}

// run reads the stream to its end. An error is the peer's fault, or a limit of the host.
func (r *reader) run() error {
	if err := reserve(r.stream, streamMemory); err != nil {
		return &fault{faultLimit, network.StreamResourceLimitExceeded, err}
	}
	hello, err := r.greet()
	if err != nil || hello == nil {
		return err
	}
	r.inbound.greeted(r.source, r.stream, r.book.generation(r.source.id), hello.Known())
	for m, size := wire.Message(hello), len(r.frame); ; {
		if !r.deliver(m, size) {
			return nil
		}
		if m, size, err = r.next(); m == nil {
			return err
		}
		if m.Kind() == wire.KindHello {
			return violation(faultHello, nil)
		}
	}
}

// greet reads and checks the first frame, which must be a hello. Without error and
// hello, the stream has ended before.
func (r *reader) greet() (*wire.Hello, error) {
	r.stream.SetReadDeadline(time.Now().Add(helloTimeout))
	defer r.stream.SetReadDeadline(time.Time{})
	err := r.readFrame()
	switch {
	case err == nil:
	case isTimeout(r.failed):
		return nil, violation(faultSlowHello, nil)
	default:
		return nil, r.broken(err)
	}
	m, err := wire.Decode(r.frame)
	if err != nil {
		return nil, violation(faultNoHello, err)
	}
	hello, ok := m.(*wire.Hello)
	switch {
	case !ok:
		return nil, violation(faultNoHello, nil)
	case hello.Network != r.cfg.Network:
		return nil, violation(faultForeign, nil)
	case hello.Version != version:
		return nil, violation(faultVersion, nil)
	}
	return hello, r.introduced(hello)
}

// introduced checks that the record in a hello is the peer's own, or known if it has none.
func (r *reader) introduced(hello *wire.Hello) error {
	if hello.Record == nil {
		if r.book.record(r.source.id) == nil {
			return violation(faultNoRecord, nil)
		}
		return nil
	}
	if err := r.records.record(r.ctx, hello.Record, r.source); errors.Is(err, errForeign) {
		return violation(faultForeign, err)
	} else if err != nil {
		return violation(faultRecord, err)
	}
	if rec, err := hello.Record.Node(); err != nil || rec.ID() != r.source.id {
		return violation(faultRecord, err)
	}
	return nil
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// next returns the next message that is as it should be. Without error and message,
// the stream has ended.
func (r *reader) next() (wire.Message, int, error) {
	for {
		if err := r.readFrame(); err != nil {
			return nil, 0, r.broken(err)
		}
		if !r.source.rate.Allow() {
			return nil, 0, &fault{why: faultFlood, code: network.StreamRateLimited}
		}
		m, err := wire.Decode(r.frame)
		if errors.Is(err, wire.ErrUnknownKind) {
			r.report(faultUnknown, r.source.id)
			continue
		}
		if err != nil {
			return nil, 0, violation(faultMalformed, err)
		}
		if err := r.records.message(r.ctx, m, r.source); err != nil {
			if r.ctx.Err() != nil {
				return nil, 0, nil
			}
			r.report(faultBad, r.source.id)
			if !vouched(m) {
				continue
			}
			if r.source.bad++; r.source.bad >= maxBad {
				return nil, 0, violation(faultForged, err)
			}
			continue
		}
		return m, len(r.frame), nil
	}
}

// vouched reports whether a peer that keeps to the protocol has checked the records in m
// before it sent m. The answer to a locate it merely passed on: whoever forged that must
// not have its neighbor cut off.
func vouched(m wire.Message) bool {
	r, ok := m.(*wire.Routed)
	return !ok || !r.Reply || r.BodyKind != wire.BodyKind_BODY_LOCATE
}

// readFrame reads one frame into r.frame, and accounts for a larger buffer.
func (r *reader) readFrame() (err error) {
	if cap(r.frame) > maxKept {
		r.frame = nil
		r.stream.Scope().ReleaseMemory(r.held)
		r.held = 0
	}
	r.frame, err = wire.ReadFrame(r.from, r.frame)
	if err != nil {
		return err
	}
	r.counts.framesIn.Add(1)
	r.counts.bytesIn.Add(uint64(len(r.frame)))
	if more := cap(r.frame) - r.held; more > streamMemory {
		if err := r.stream.Scope().ReserveMemory(more, network.ReservationPriorityMedium); err != nil {
			return &fault{faultLimit, network.StreamResourceLimitExceeded, err}
		}
		r.held += more
	}
	return nil
}

// broken says whether a stream that can be read no further is the peer's fault.
func (r *reader) broken(err error) error {
	switch {
	case errors.As(err, new(*fault)):
		return err
	case r.failed == nil && errors.Is(err, wire.ErrTooLarge):
		return violation(faultTooLarge, err)
	case r.failed == nil:
		return violation(faultMalformed, err)
	case r.failed == io.EOF && err != io.EOF:
		return violation(faultCutOff, err)
	}
	return nil
}

// deliver hands a message to the loop, when the peer has credit for it.
func (r *reader) deliver(m wire.Message, size int) bool {
	if !r.source.credit.take(r.ctx, size) {
		return false
	}
	select {
	case r.mail.frames <- arrival{r.source.id, m, r.source, size}:
		return true
	case <-r.ctx.Done():
		return false
	}
}
