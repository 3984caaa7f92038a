package p2p

import (
	"bufio"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"

	"github.com/tapestry-dolr/tapestry/internal/wire"
)

const (
	// openTimeout bounds opening a stream on a connection that is open.
	openTimeout = 5 * time.Second
	// writeTimeout is how long a peer may leave a write unread before it is given up.
	writeTimeout = 15 * time.Second
	// farewell is how long a closing writer tries to send what it still has.
	farewell = 500 * time.Millisecond
	// writeBuffer gathers the batches that wait into one write.
	writeBuffer = 8 << 10
)

// writers are the buffers of writers that write; hundreds of them wait.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, writeBuffer) }}

// writer owns the stream of a link: it opens it, writes what the queue holds, and
// ends with it.
type writer struct {
	*Node
	link     *link
	stream   *outStream
	greeting []byte      // the hello, until it is written
	answered atomic.Bool // the peer speaks our protocol
	broken   chan struct{}
}

// run is the writer's goroutine.
func (w *writer) run() {
	if err := w.open(); err != nil {
		w.counts.limit(err)
		w.mail.put(lost{link: w.link})
		return
	}
	if err := w.write(); err != nil {
		w.stream.Reset()
		w.mail.put(lost{link: w.link, answered: w.answered.Load()})
		return
	}
	w.close()
}

// open opens the stream and says hello on it.
func (w *writer) open() error {
	dialed, err := w.connect(w.link)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(w.life.ctx, openTimeout)
	defer cancel()
	w.stream, err = w.openStream(ctx, w.link.peer, w.protocol)
	if err != nil {
		return err
	}
	if w.greeting, err = wire.AppendFrame(nil, w.own.hello(w.link.known, w.inbound.hasOurs(w.link.peer, w.book.generation(w.link.id)))); err != nil {
		w.stream.Reset()
		return err
	}
	w.broken = make(chan struct{})
	if !w.life.start(w.watch) {
		return w.stream.Reset()
	}
	w.mail.put(opened{w.link, dialed})
	return nil
}

// watch reads what the peer never sends, to learn when it ends the stream.
func (w *writer) watch() {
	defer close(w.broken)
	if _, err := w.stream.Read(nil); err == nil { // the negotiation alone
		w.answered.Store(true)
		io.CopyN(io.Discard, w.stream, 1)
	}
}

// write sends batches until the link is not wanted (nil) or the stream breaks.
func (w *writer) write() error {
	for {
		select {
		case <-w.link.queue.wake:
		case <-w.broken:
			return io.ErrClosedPipe
		case <-w.link.gone:
			return nil
		case <-w.life.over():
			return nil
		}
		if err := w.send(writeTimeout); err != nil {
			return err
		}
	}
}

// send writes everything that waits, as one write if it fits the buffer.
func (w *writer) send(within time.Duration) error {
	out := writers.Get().(*bufio.Writer)
	out.Reset(w.stream)
	defer func() {
		out.Reset(nil)
		writers.Put(out)
	}()
	w.stream.SetWriteDeadline(time.Now().Add(within))
	out.Write(w.greeting) // an error comes back from what follows
	w.greeting = nil
	for batches := w.link.queue.take(); len(batches) > 0; batches = w.link.queue.take() {
		for i, b := range batches {
			if _, err := out.Write(b.data); err != nil {
				w.discard(batches[i:])
				return err
			}
			w.counts.framesOut.Add(uint64(b.frames))
			w.counts.bytesOut.Add(uint64(len(b.data)))
			freeBuffer(b.data)
		}
	}
	if out.Buffered() > 0 {
		w.counts.flushes.Add(1)
	}
	return out.Flush()
}

// discard counts batches that could not be written.
func (w *writer) discard(batches []batch) {
	for _, b := range batches {
		w.counts.drops.addN(linkLost, uint64(b.frames))
	}
}

// close sends what is left and ends the stream in order. The negotiation is over by
// now, or will never be: it is not waited for.
func (w *writer) close() {
	if w.send(farewell) != nil {
		w.stream.Reset()
		return
	}
	w.stream.Stream.Close()
}

// outStream is a stream that this node opened. The protocol is negotiated along
// with the first bytes: waiting for the answer, or for identify as the host's own
// NewStream does, would cost every new link one round trip more.
type outStream struct {
	network.Stream
	negotiated io.ReadWriteCloser
}

func (s *outStream) Read(b []byte) (int, error)  { return s.negotiated.Read(b) }
func (s *outStream) Write(b []byte) (int, error) { return s.negotiated.Write(b) }

// Close ends the stream in both directions.
func (s *outStream) Close() error {
	// Closing finishes the negotiation first, for which the peer may let us wait.
	s.SetReadDeadline(time.Now().Add(openTimeout))
	return s.negotiated.Close()
}

// CloseWrite tells the peer that nothing follows.
func (s *outStream) CloseWrite() error {
	s.Write(nil) // the negotiation, if nothing was written
	return s.Stream.CloseWrite()
}

// openStream opens a stream to a connected peer, within the host's limits: by the connection over
// which the peer speaks, if it does. It never dials, nor takes a relayed connection (design §5).
func (n *Node) openStream(ctx context.Context, p peer.ID, proto protocol.ID) (s *outStream, err error) {
	var raw network.Stream
	if c := n.inbound.conn(p, n.book.generation(idOf(p))); c != nil {
		raw, err = c.NewStream(ctx)
	} else {
		raw, err = n.host.Network().NewStream(network.WithNoDial(ctx, "tapestry"), p)
	}
	if err != nil {
		return nil, err
	}
	if err := raw.SetProtocol(proto); err != nil {
		raw.ResetWithError(network.StreamResourceLimitExceeded)
		return nil, err
	}
	if err := reserve(raw, streamMemory); err != nil {
		raw.ResetWithError(network.StreamResourceLimitExceeded)
		return nil, err
	}
	return &outStream{Stream: raw, negotiated: multistream.NewMSSelect(raw, proto)}, nil
}

// reserve puts a stream, and the memory of its buffers, on the overlay's account.
func reserve(s network.Stream, memory int) error {
	if err := s.Scope().SetService(serviceName); err != nil {
		return err
	}
	return s.Scope().ReserveMemory(memory, network.ReservationPriorityAlways)
}
