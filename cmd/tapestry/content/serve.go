package content

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/tapestry-dolr/tapestry"
)

// The first byte of a reply.
const (
	replyInline = 0
	replyStream = 1
)

// verb begins the payload that asks for a file; its GUID follows.
var verb = []byte("get")

func request(g tapestry.GUID) []byte { return append(bytes.Clone(verb), g[:]...) }

// requested is the file that payload asks for, if it is a request at all.
func requested(payload []byte) (g tapestry.GUID, ok bool) {
	rest, ok := bytes.CutPrefix(payload, verb)
	if !ok || len(rest) != len(g) {
		return g, false
	}
	return tapestry.GUID(rest), true
}

// errNoItem is what a server says that does not hold the object, or no longer.
var errNoItem = errors.New("not served here")

// Server answers for the files on a shelf.
type Server struct {
	Node  tapestry.ID // who serves, for people's messages
	Shelf *Shelf
	// Show is told of messages for people; nil drops them.
	Show func(m tapestry.Message)
}

var (
	_ tapestry.Handler       = (*Server)(nil)
	_ tapestry.StreamHandler = (*Server)(nil)
)

// Deliver answers a request for a file, or a message for people.
func (s *Server) Deliver(_ context.Context, m tapestry.Message) ([]byte, error) {
	g, ok := requested(m.Payload)
	if !ok {
		if s.Show != nil {
			s.Show(m)
		}
		return fmt.Appendf(nil, "received by %s", s.Node), nil
	}
	item, ok := s.Shelf.Item(g)
	if !ok {
		return nil, errNoItem
	}
	if item.Size+1 > tapestry.MaxPayload {
		return binary.AppendUvarint([]byte{replyStream}, uint64(item.Size)), nil
	}
	f, err := item.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, tapestry.MaxPayload))
	return append([]byte{replyInline}, body...), err
}

// Stream sends the bytes of g.
func (s *Server) Stream(ctx context.Context, g tapestry.GUID, out network.Stream) {
	stop := context.AfterFunc(ctx, func() { out.Reset() })
	defer stop()
	if err := s.send(g, out); err != nil {
		out.Reset()
		return
	}
	out.Close()
}

func (s *Server) send(g tapestry.GUID, out io.Writer) error {
	item, ok := s.Shelf.Item(g)
	if !ok {
		return errNoItem
	}
	f, err := item.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(out, f)
	return err
}
