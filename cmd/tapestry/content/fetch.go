package content

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/tapestry-dolr/tapestry"
)

// attemptTimeout bounds one message, so that a server that died a moment ago costs
// seconds and not the caller's whole patience.
const attemptTimeout = 3 * time.Second

// stallTimeout is how long a stream may bring nothing.
const stallTimeout = 10 * time.Second

// maxAttempts bounds a fetch whose context does not.
const maxAttempts = 50

// Overlay is what a fetch asks of a node.
type Overlay interface {
	LocateObject(ctx context.Context, g tapestry.GUID, app tapestry.AppID, opts ...tapestry.LocateOption) iter.Seq2[tapestry.Replica, error]
	RouteToObject(ctx context.Context, g tapestry.GUID, app tapestry.AppID, payload []byte, opts ...tapestry.SendOption) (tapestry.Delivery, error)
	RouteToNode(ctx context.Context, id tapestry.ID, app tapestry.AppID, payload []byte, exact tapestry.Exact) (tapestry.Delivery, error)
	OpenStream(ctx context.Context, g tapestry.GUID, app tapestry.AppID, opts ...tapestry.LocateOption) (network.Stream, tapestry.Replica, error)
}

var _ Overlay = (*tapestry.Node)(nil)

// Fetched says what a fetch cost.
type Fetched struct {
	From     tapestry.Replica
	Size     int64
	Hops     int // of the message that was answered
	RTT      time.Duration
	Attempts int
	Streamed bool
}

// errWrongBytes: the bytes do not have the hash that was asked for.
var errWrongBytes = errors.New("the bytes do not have the hash asked for")

// Fetch writes the file g to sink, from the nearest server that gives its true
// bytes. Fetching is idempotent, so it tries again and again until ctx ends, the
// overlay says that there is no such file, or no server is left.
func Fetch(ctx context.Context, n Overlay, g tapestry.GUID, sink Sink) (Fetched, error) {
	f := fetch{n: n, g: g, sink: sink}
	for attempt := 1; ; attempt++ {
		got, err := f.once(ctx)
		got.Attempts = attempt
		if err == nil || final(err) || ctx.Err() != nil || attempt == maxAttempts {
			return got, err
		}
		if got.From.ID != (tapestry.ID{}) {
			f.avoid = append(f.avoid, got.From.ID)
		}
		if reset := sink.Reset(); reset != nil {
			return got, reset
		}
		if !pause(ctx, attempt) {
			return got, err
		}
	}
}

// final reports whether asking again cannot help.
func final(err error) bool {
	return slices.ContainsFunc([]error{
		tapestry.ErrNotFound, tapestry.ErrNotJoined, tapestry.ErrClosed, errSink, errNoneLeft,
	}, func(e error) bool { return errors.Is(err, e) })
}

// pause gives the overlay a moment to notice what went wrong, longer each time.
func pause(ctx context.Context, attempt int) bool {
	t := time.NewTimer(min(time.Duration(attempt)*100*time.Millisecond, time.Second))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// fetch is one Fetch under way.
type fetch struct {
	n     Overlay
	g     tapestry.GUID
	sink  Sink
	avoid []tapestry.ID // servers whose bytes were wrong or did not come
}

// once asks one server. If it names the server beside an error, that server is to
// blame.
func (f *fetch) once(ctx context.Context) (Fetched, error) {
	d, err := f.ask(ctx)
	got := Fetched{From: d.Replica, Hops: d.Hops, RTT: d.RTT}
	if err != nil {
		return got, err
	}
	if len(d.Reply) == 0 {
		return got, errors.New("empty reply")
	}
	body := newBody(f.sink)
	switch kind, rest := d.Reply[0], d.Reply[1:]; kind {
	case replyInline:
		_, err = body.Write(rest)
	case replyStream:
		got.Streamed = true
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > 1<<62 {
			return got, errors.New("reply without a size")
		}
		got.From, err = f.stream(ctx, size, body)
	default:
		err = fmt.Errorf("reply of unknown kind %d", kind)
	}
	got.Size = body.size
	if err == nil && body.guid() != f.g {
		err = errWrongBytes
	}
	return got, err
}

// errNoneLeft: every server that the overlay names has been tried.
var errNoneLeft = errors.New("no server is left that was not tried")

// ask sends the request to the nearest server: to the object, or once there is
// somebody to avoid, to a server by name.
func (f *fetch) ask(ctx context.Context) (tapestry.Delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if len(f.avoid) == 0 {
		return f.n.RouteToObject(ctx, f.g, App, request(f.g))
	}
	for r, err := range f.n.LocateObject(ctx, f.g, App, tapestry.All(), tapestry.Without(f.avoid...)) {
		if errors.Is(err, tapestry.ErrNotFound) {
			return tapestry.Delivery{}, errNoneLeft
		}
		if err != nil {
			return tapestry.Delivery{}, err
		}
		d, err := f.n.RouteToNode(ctx, r.ID, App, request(f.g), tapestry.Exactly)
		d.Replica = r
		return d, err
	}
	return tapestry.Delivery{}, errNoneLeft
}

// stream reads the body of the size that a reply announced.
func (f *fetch) stream(ctx context.Context, size uint64, to io.Writer) (tapestry.Replica, error) {
	s, from, err := f.n.OpenStream(ctx, f.g, App, tapestry.Without(f.avoid...))
	if err != nil {
		return from, err
	}
	defer s.Reset()
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	defer stop()
	got, err := io.Copy(to, io.LimitReader(patient{s}, int64(size)))
	if err == nil && uint64(got) != size {
		err = io.ErrUnexpectedEOF
	}
	return from, err
}

// patient reads a stream as long as it brings something now and then.
type patient struct{ s network.Stream }

func (p patient) Read(b []byte) (int, error) {
	if err := p.s.SetReadDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, err
	}
	return p.s.Read(b)
}
