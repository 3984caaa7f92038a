package content_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/content"
)

// paper is an overlay without nodes: servers in the order of their distance, each
// answering as the test wants.
type paper struct {
	servers []*server
	asked   []tapestry.ID
	gone    int // so many messages get no reply first
}

type server struct {
	content.Server
	lie func(reply []byte) []byte // nil: it tells the truth
	cut int                       // its streams break after so many bytes; 0: they do not
}

func (p *paper) find(without []tapestry.ID) *server {
	for _, s := range p.servers {
		if !slices.Contains(without, s.Node) {
			return s
		}
	}
	return nil
}

func (p *paper) deliver(ctx context.Context, s *server, payload []byte, _ ...tapestry.SendOption) (tapestry.Delivery, error) {
	p.asked = append(p.asked, s.Node)
	d := tapestry.Delivery{Replica: tapestry.Replica{ID: s.Node}, Hops: 1}
	reply, err := s.Deliver(ctx, tapestry.Message{Payload: payload})
	if err != nil {
		return d, tapestry.HandlerError(err.Error())
	}
	if d.Reply = reply; s.lie != nil {
		d.Reply = s.lie(bytes.Clone(reply))
	}
	return d, nil
}

func (p *paper) RouteToObject(ctx context.Context, _ tapestry.GUID, _ tapestry.AppID, payload []byte, _ ...tapestry.SendOption) (tapestry.Delivery, error) {
	if p.gone > 0 {
		p.gone--
		return tapestry.Delivery{}, tapestry.ErrMaybeDelivered
	}
	if len(p.servers) == 0 {
		return tapestry.Delivery{}, tapestry.ErrNotFound
	}
	return p.deliver(ctx, p.servers[0], payload)
}

func (p *paper) RouteToNode(ctx context.Context, id tapestry.ID, _ tapestry.AppID, payload []byte, _ tapestry.Exact) (tapestry.Delivery, error) {
	for _, s := range p.servers {
		if s.Node == id {
			return p.deliver(ctx, s, payload)
		}
	}
	return tapestry.Delivery{}, tapestry.ErrNoRoute
}

// The options of a search cannot be read from outside, so the paper overlay leaves
// out whom it was asked by name before: that is what a fetch wants left out.
func (p *paper) LocateObject(context.Context, tapestry.GUID, tapestry.AppID, ...tapestry.LocateOption) iter.Seq2[tapestry.Replica, error] {
	return func(yield func(tapestry.Replica, error) bool) {
		s := p.find(p.asked)
		if s == nil {
			yield(tapestry.Replica{}, tapestry.ErrNotFound)
			return
		}
		yield(tapestry.Replica{ID: s.Node}, nil)
	}
}

func (p *paper) OpenStream(ctx context.Context, g tapestry.GUID, _ tapestry.AppID, _ ...tapestry.LocateOption) (network.Stream, tapestry.Replica, error) {
	s := p.find(p.asked[:len(p.asked)-1])
	here, there := io.Pipe()
	go s.Stream(ctx, g, &pipe{w: there, cut: s.cut})
	return &pipe{r: here}, tapestry.Replica{ID: s.Node}, nil
}

// pipe is one end of a stream that carries bytes one way.
type pipe struct {
	network.Stream
	r   *io.PipeReader
	w   *io.PipeWriter
	cut int
}

func (p *pipe) SetReadDeadline(time.Time) error { return nil }
func (p *pipe) Read(b []byte) (int, error)      { return p.r.Read(b) }
func (p *pipe) Close() error                    { return p.w.Close() }

func (p *pipe) Write(b []byte) (int, error) {
	if p.cut > 0 {
		n, _ := p.w.Write(b[:min(p.cut, len(b))])
		return n, io.ErrClosedPipe
	}
	return p.w.Write(b)
}

func (p *pipe) Reset() error {
	if p.w != nil {
		p.w.CloseWithError(errors.New("reset"))
	}
	if p.r != nil {
		p.r.Close()
	}
	return nil
}

// memory is a sink that keeps what came.
type memory struct{ bytes.Buffer }

func (m *memory) Reset() error { m.Buffer.Reset(); return nil }

// serving makes servers of one file, numbered from 1, and its GUID.
func serving(t *testing.T, data string, count int) (*paper, tapestry.GUID) {
	t.Helper()
	files := fstest.MapFS{"file": {Data: []byte(data)}}
	item, err := content.Hash(files, "file")
	if err != nil {
		t.Fatal(err)
	}
	p := new(paper)
	for i := range count {
		shelf := new(content.Shelf)
		shelf.Put(item)
		p.servers = append(p.servers, &server{Server: content.Server{Node: tapestry.ID{byte(i + 1)}, Shelf: shelf}})
	}
	return p, item.GUID
}

var sizes = map[string]string{
	"empty":  "",
	"small":  "hello",
	"border": strings.Repeat("x", tapestry.MaxPayload-1),
	"above":  strings.Repeat("x", tapestry.MaxPayload),
	"large":  strings.Repeat("0123456789", 100_000),
}

func TestFilesOfAnySizeArriveWhole(t *testing.T) {
	for name, data := range sizes {
		t.Run(name, func(t *testing.T) {
			p, g := serving(t, data, 2)
			var got memory
			f, err := content.Fetch(t.Context(), p, g, &got)
			if err != nil || got.String() != data {
				t.Fatalf("got %d bytes of %d, %v", got.Len(), len(data), err)
			}
			if streamed := len(data) >= tapestry.MaxPayload; f.Streamed != streamed || f.Size != int64(len(data)) || f.Attempts != 1 {
				t.Errorf("%+v, want streamed %v", f, streamed)
			}
			if g != tapestry.GUIDFromBytes([]byte(data)) {
				t.Errorf("the GUID %s is not that of the bytes", g)
			}
		})
	}
}

func TestAServerThatFailsIsLeftForTheNext(t *testing.T) {
	wrong := func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
	for name, test := range map[string]struct {
		data  string
		spoil func(*server)
	}{
		"wrong bytes":   {"hello", func(s *server) { s.lie = wrong }},
		"empty reply":   {"hello", func(s *server) { s.lie = func([]byte) []byte { return nil } }},
		"unknown kind":  {"hello", func(s *server) { s.lie = func([]byte) []byte { return []byte{9} } }},
		"no size":       {sizes["large"], func(s *server) { s.lie = func([]byte) []byte { return []byte{1} } }},
		"broken stream": {sizes["large"], func(s *server) { s.cut = 1000 }},
		"file gone":     {"hello", func(s *server) { s.Shelf = new(content.Shelf) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, g := serving(t, test.data, 2)
				test.spoil(p.servers[0])
				var got memory
				f, err := content.Fetch(t.Context(), p, g, &got)
				if err != nil || got.String() != test.data {
					t.Fatalf("got %d bytes of %d, %v", got.Len(), len(test.data), err)
				}
				if f.From.ID != p.servers[1].Node || f.Attempts != 2 {
					t.Errorf("from %s at attempt %d", f.From.ID, f.Attempts)
				}
			})
		})
	}
}

func TestFetchingGivesUpWhenNobodyIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, g := serving(t, "hello", 3)
		for _, s := range p.servers {
			s.lie = func([]byte) []byte { return []byte("\x00other") }
		}
		if _, err := content.Fetch(t.Context(), p, g, new(memory)); err == nil {
			t.Fatal("wrong bytes were taken")
		}
		if len(p.asked) != 3 {
			t.Errorf("asked %d servers of 3", len(p.asked))
		}
	})
}

func TestALostReplyIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, g := serving(t, "hello", 1)
		p.gone = 3
		f, err := content.Fetch(t.Context(), p, g, new(memory))
		if err != nil || f.Attempts != 4 {
			t.Errorf("attempt %d: %v", f.Attempts, err)
		}
	})
}

func TestAnAbsentFileIsNotAskedForAgain(t *testing.T) {
	f, err := content.Fetch(t.Context(), new(paper), tapestry.GUID{}, new(memory))
	if !errors.Is(err, tapestry.ErrNotFound) || f.Attempts != 1 {
		t.Errorf("attempt %d: %v", f.Attempts, err)
	}
}

func TestFetchingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, g := serving(t, "hello", 1)
		p.gone = 1 << 30
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := content.Fetch(ctx, p, g, new(memory)); err == nil {
			t.Error("no error")
		}
	})
}

// full is a sink without room.
type full struct{ memory }

func (*full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestAFullDiskIsNobodyElsesFault(t *testing.T) {
	p, g := serving(t, "hello", 3)
	f, err := content.Fetch(t.Context(), p, g, new(full))
	if err == nil || f.Attempts != 1 || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("attempt %d: %v", f.Attempts, err)
	}
}

func TestMessagesForPeopleAreShownAndAnswered(t *testing.T) {
	var shown []string
	s := content.Server{Node: tapestry.ID{7}, Shelf: new(content.Shelf), Show: func(m tapestry.Message) {
		shown = append(shown, string(m.Payload))
	}}
	for _, text := range []string{"hello", "get", "get me out"} {
		reply, err := s.Deliver(t.Context(), tapestry.Message{Payload: []byte(text)})
		if err != nil || !strings.Contains(string(reply), s.Node.String()) {
			t.Errorf("%q: reply %q, %v", text, reply, err)
		}
	}
	if len(shown) != 3 {
		t.Errorf("shown: %q", shown)
	}
}

func TestAFolderIsHashedWholeAndOnce(t *testing.T) {
	files := fstest.MapFS{"a/1": {Data: []byte("one")}, "a/b/2": {Data: []byte("two")}, "same": {Data: []byte("one")}, "empty": {}}
	items, err := content.HashAll(files)
	if err != nil || len(items) != 3 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	for _, item := range items {
		if want := tapestry.GUIDFromBytes(files[item.Name].Data); item.GUID != want {
			t.Errorf("%s: %s, want %s", item.Name, item.GUID, want)
		}
	}
}

func TestAFileThatChangedIsNotServed(t *testing.T) {
	files := fstest.MapFS{"file": {Data: []byte("one")}}
	item, err := content.Hash(files, "file")
	if err != nil {
		t.Fatal(err)
	}
	files["file"] = &fstest.MapFile{Data: []byte("other")}
	if f, err := item.Open(); err == nil {
		f.Close()
		t.Error("a changed file was opened")
	}
}
