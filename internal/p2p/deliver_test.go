package p2p_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/proto"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// request makes a leave request of a call: any local message will do for a double.
func request(call env.Call, _ mono.Time) env.Local { return &env.LeaveRequest{Call: call} }

// replies returns the replies of handlers so far.
func replies(d *double) (all []*env.HandlerReply) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.locals {
		if r, ok := l.(*env.HandlerReply); ok {
			all = append(all, r)
		}
	}
	return all
}

// local returns the i-th local message that came, nil if it has not.
func (d *double) local(i int) env.Local {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i >= len(d.locals) {
		return nil
	}
	return d.locals[i]
}

func TestDoReturnsTheOutcomeOfItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		n := s[0]
		n.onLocal.set(func(w env.World, l env.Local) {
			w.Deliver(&env.Outcome{Call: 12345}) // nobody's
			w.Deliver(&env.Outcome{Call: l.(*env.LeaveRequest).Call, Status: env.NoRoute})
		})
		var deadline, now mono.Time
		out, err := n.Do(context.Background(), func(call env.Call, at mono.Time) env.Local {
			deadline = at
			return request(call, at)
		})
		if err != nil || out.Status != env.NoRoute {
			t.Errorf("%v, %v", out, err)
		}
		n.Act(func(w env.World) { now = w.Now() })
		if left := deadline.Sub(now); left != 30*time.Second {
			t.Errorf("default deadline in %v", left)
		}
	})
}

// TestFollowTellsWhatIsFoundBeforeItReturns: and a caller who has enough is not waited for.
func TestFollowTellsWhatIsFoundBeforeItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		n := s[0]
		canceled := make(chan env.Call, 1)
		n.onLocal.set(func(w env.World, l env.Local) {
			switch l := l.(type) {
			case *env.LeaveRequest:
				w.Deliver(&env.Found{Call: 12345, Replicas: make([]env.Replica, 9)}) // nobody's
				w.Deliver(&env.Found{Call: l.Call, Replicas: make([]env.Replica, 1)})
				w.Deliver(&env.Found{Call: l.Call, Replicas: make([]env.Replica, 2)})
				w.Deliver(&env.Outcome{Call: l.Call})
			case *env.LocateRequest:
				w.Deliver(&env.Found{Call: l.Call, Replicas: make([]env.Replica, 3)})
			case *env.Cancel:
				canceled <- l.Call
			}
		})
		var told []int
		out, err := n.Follow(context.Background(), request, func(some []env.Replica) bool {
			told = append(told, len(some))
			return true
		})
		if err != nil || out == nil || !slices.Equal(told, []int{1, 2}) {
			t.Errorf("%v, %v after %v", out, err, told)
		}
		var call env.Call
		out, err = n.Follow(context.Background(), func(c env.Call, _ mono.Time) env.Local {
			call = c
			return &env.LocateRequest{Call: c}
		}, func([]env.Replica) bool { return false })
		if err != nil || out != nil || <-canceled != call {
			t.Errorf("stopped: %v, %v", out, err)
		}
	})
}

func TestACanceledCallReturnsAtOnceAndIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		n := s[0]
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err := n.Do(ctx, request)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		synctest.Wait()
		call := n.local(0).(*env.LeaveRequest).Call
		if count(n.double, func(c *env.Cancel) bool { return c.Call == call }) != 1 {
			t.Error("the machines were not told")
		}
		if n.Status().Calls != 0 {
			t.Error("the call is still waited for")
		}
		if _, err := n.Do(ctx, request); !errors.Is(err, context.DeadlineExceeded) || n.local(2) != nil {
			t.Error("a call whose context was over reached the machines")
		}
	})
}

func TestACallDoesNotWaitForABusyLoopLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		n := s[0]
		busy := make(chan struct{})
		n.onLocal.set(func(env.World, env.Local) { <-busy })
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		done := make(chan error)
		for range 2000 { // more than the mailbox holds
			go func() {
				_, err := n.Do(ctx, request)
				done <- err
			}()
		}
		for range 2000 {
			if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		n.onLocal.set(nil)
		close(busy)
	})
}

func TestAMessageReachesItsHandlerAndTheReplyComesBack(t *testing.T) {
	key := p2ptest.Key(5, 0)
	sign := func(u *env.Upcall) *wire.SignedRecord {
		payload, _ := proto.Marshal(&wire.MessageRecord{Network: overlay, Call: uint64(u.Call), Key: u.Key[:], App: u.App})
		return p2p.Seal(wire.OriginKind, payload, key)
	}
	id, _ := idOfKey(key)
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		n := s[0]
		var seen []p2p.Inbound
		n.Handle("echo", p2p.Handler{Deliver: func(_ context.Context, m p2p.Inbound) ([]byte, error) {
			seen = append(seen, m)
			return append([]byte("re: "), m.Payload...), nil
		}})
		calls := []*env.Upcall{
			{Ticket: 1, App: "echo", From: id, Call: 7, Payload: []byte("claimed")},
			{Ticket: 2, App: "echo", From: id, Call: 8, Payload: []byte("signed")},
			{Ticket: 3, App: "echo", From: idspace.Hash([]byte("x")), Call: 9, Payload: []byte("another's signature")},
			{Ticket: 4, App: "echo", From: id, Call: 10, Payload: []byte("forged")},
		}
		for _, u := range calls[1:] {
			u.Origin = sign(u)
		}
		calls[3].Origin.Signature[0] ^= 1
		for _, u := range calls {
			n.Act(func(w env.World) { w.Deliver(u) })
			synctest.Wait()
		}
		r := replies(n.double)
		if len(r) != 4 || string(r[0].Payload) != "re: claimed" || string(r[1].Payload) != "re: signed" {
			t.Fatalf("replies: %v", r)
		}
		if r[2].Error == "" || r[3].Error == "" || len(seen) != 2 {
			t.Error("a message with a false signature was delivered")
		}
		if seen[0].Authenticated || !seen[1].Authenticated || seen[1].From != id {
			t.Errorf("seen: %+v", seen)
		}
	})
}

func TestWhatAHandlerDoesWrongStaysWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{Handlers: 2})
		n := s[0]
		hold := make(chan struct{})
		n.Handle("panics", p2p.Handler{Deliver: func(context.Context, p2p.Inbound) ([]byte, error) { panic("oh") }})
		n.Handle("fails", p2p.Handler{Deliver: func(context.Context, p2p.Inbound) ([]byte, error) {
			return nil, errors.New(strings.Repeat("long ", 1000))
		}})
		n.Handle("large", p2p.Handler{Deliver: func(context.Context, p2p.Inbound) ([]byte, error) {
			return make([]byte, wire.MaxPayload+1), nil
		}})
		n.Handle("waits", p2p.Handler{Deliver: func(context.Context, p2p.Inbound) ([]byte, error) {
			<-hold
			return nil, nil
		}})
		for i, app := range []string{"panics", "fails", "large", "nobody", "waits", "waits", "waits"} {
			n.Act(func(w env.World) { w.Deliver(&env.Upcall{Ticket: uint64(i), App: app}) })
			synctest.Wait()
		}
		close(hold)
		synctest.Wait()
		byTicket := map[uint64]*env.HandlerReply{}
		for _, r := range replies(n.double) {
			byTicket[r.Ticket] = r
		}
		if byTicket[0].Error != "handler panicked" || n.Status().Faults["handler panicked"] != 1 {
			t.Errorf("panic: %+v", byTicket[0])
		}
		if l := len(byTicket[1].Error); l != wire.MaxError {
			t.Errorf("error of %d bytes", l)
		}
		if byTicket[2].Error == "" || byTicket[2].Payload != nil {
			t.Error("too large a reply went out")
		}
		if byTicket[3].Refused != wire.Refusal_REFUSAL_NO_HANDLER {
			t.Errorf("no handler: %+v", byTicket[3])
		}
		if byTicket[6].Refused != wire.Refusal_REFUSAL_BUSY || byTicket[4].Refused != 0 || byTicket[5].Refused != 0 {
			t.Error("of three messages at once two are handled and the third is refused")
		}
		if n.Status().Handlers != 0 {
			t.Error("handlers are still counted as running")
		}
	})
}

func TestAHandlersContextEndsWithTheDeadlineAndWithTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		n := s[0]
		ended := make(chan error, 2)
		n.Handle("waits", p2p.Handler{Deliver: func(ctx context.Context, _ p2p.Inbound) ([]byte, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}})
		n.Act(func(w env.World) {
			w.Deliver(&env.Upcall{Ticket: 1, App: "waits", Deadline: w.Now().Add(time.Second)})
			w.Deliver(&env.Upcall{Ticket: 2, App: "waits"})
		})
		time.Sleep(2 * time.Second)
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		n.Close()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestForwardHandlersSeeWhatPassesAndMayStopIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		n := s[0]
		n.Handle("gate", p2p.Handler{Forward: func(m p2p.Inbound) bool { return len(m.Payload) < 3 }})
		n.Handle("panics", p2p.Handler{Forward: func(p2p.Inbound) bool { panic("oh") }})
		for _, c := range []struct {
			app, payload string
			pass         bool
		}{{"gate", "no", true}, {"gate", "long", false}, {"panics", "", true}, {"none", "long", true}} {
			if got := n.Forward(&env.Upcall{App: c.app, Payload: []byte(c.payload)}); got != c.pass {
				t.Errorf("%s %q: %v", c.app, c.payload, got)
			}
		}
		n.Handle("gate", p2p.Handler{})
		if !n.Forward(&env.Upcall{App: "gate", Payload: []byte("long")}) {
			t.Error("a handler that was removed still stops messages")
		}
	})
}

func TestABodyGoesOverADirectStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{})
		a, b := start(t, net.Host(), p2p.Config{}), start(t, net.Host(), p2p.Config{})
		guid := idspace.Hash([]byte("object"))
		body := bytes.Repeat([]byte("tapestry"), 1<<17) // 1 MiB
		b.Handle("store", p2p.Handler{Stream: func(_ context.Context, g idspace.ID, s network.Stream) {
			question, _ := io.ReadAll(s)
			if g == guid && string(question) == "all of it" {
				s.Write(body)
			}
		}})
		b.Handle("panics", p2p.Handler{Stream: func(context.Context, idspace.ID, network.Stream) { panic("oh") }})
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := a.OpenStream(ctx, b.ID(), nil, "store", guid); !errors.Is(err, p2p.ErrNoAddress) {
			t.Errorf("without an address: %v", err)
		}
		ask := func(app string) ([]byte, error) {
			s, err := a.OpenStream(ctx, b.ID(), b.Record(), app, guid)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			s.Write([]byte("all of it"))
			s.CloseWrite()
			return io.ReadAll(s)
		}
		if got, err := ask("store"); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		for app, code := range map[string]network.StreamErrorCode{"nobody": p2p.BodyNoHandler, "panics": p2p.BodyFailed} {
			_, err := ask(app)
			if !errors.Is(err, &network.StreamError{ErrorCode: code, Remote: true}) {
				t.Errorf("%s: %v", app, err)
			}
		}
		if st := a.Status(); st.BodyDials != 1 || st.Dials != 0 {
			t.Errorf("dials: %d for bodies, %d for links", st.BodyDials, st.Dials)
		}
		forged := b.Record()
		forged.Signature = bytes.Clone(forged.Signature)
		forged.Signature[0] ^= 1
		if _, err := a.OpenStream(ctx, b.ID(), forged, "store", guid); err == nil {
			t.Error("a forged record was taken")
		}
	})
}

func TestAMalformedBodyHelloIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		r := newRaw(t, s[0])
		short, _ := proto.Marshal(&wire.StreamHello{App: "a", Guid: []byte("short")})
		for _, b := range [][]byte{{0xff, 0xff, 0x7f}, {2, 0xff, 0xff}, append([]byte{byte(len(short))}, short...)} {
			stream, err := r.host.NewStream(context.Background(), s[0].host.ID(), p2p.BodyProtocol(overlay))
			if err != nil {
				t.Fatal(err)
			}
			stream.Write(b)
			if code := resetCode(stream); code != network.StreamProtocolViolation {
				t.Errorf("%x: ended with %#x", b, code)
			}
		}
		if s[0].Status().Faults["malformed hello of a direct stream"] != 3 {
			t.Errorf("faults: %v", s[0].Status().Faults)
		}
	})
}
