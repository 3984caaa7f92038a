package p2p_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// ours returns the stacks of goroutines that run code of this package.
func ours() (all []string) {
	buf := make([]byte, 1<<20)
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "internal/p2p.(") {
			all = append(all, g)
		}
	}
	return all
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, s := sites(t, 4, p2p.Config{})
		n, peer, walled := s[0], s[1], s[2]
		net.Firewall(2)
		raw := newRaw(t, n)
		half := raw.open()
		half.Write([]byte{0x80}) // part of a hello
		inFrame := raw.greet()
		inFrame.Write([]byte{200, 1, 2, 3}) // part of a frame
		wait := func(ctx context.Context) { <-ctx.Done() }
		n.Handle("app", p2p.Handler{
			Deliver: func(ctx context.Context, _ p2p.Inbound) ([]byte, error) { wait(ctx); return nil, nil },
			Stream:  func(_ context.Context, _ idspace.ID, s network.Stream) { io.ReadAll(s) },
		})
		peer.Act(func(w env.World) { w.SendDial(n.ID(), beacon(1)) })
		body, err := peer.OpenStream(context.Background(), n.ID(), n.Record(), "app", n.ID())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		n.Act(func(w env.World) {
			w.Send(peer.ID(), beacon(1))
			w.SendDial(walled.ID(), beacon(1)) // a dial that is under way
			w.SetTimer(env.TimerKey{}, time.Hour)
			w.Deliver(&env.Upcall{App: "app"})
		})
		events, stop := n.Subscribe(1, nil)
		defer stop()
		failed := make(chan error)
		go func() {
			_, err := n.Do(context.Background(), request)
			failed <- err
		}()
		synctest.Wait()
		n.Act(func(w env.World) { w.Send(peer.ID(), beacon(2)) }) // is still written
		begun := time.Now()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("closing took %v", took)
		}
		if err := <-failed; !errors.Is(err, p2p.ErrClosed) {
			t.Errorf("a call under way: %v", err)
		}
		for range events { // ends, because the channel is closed
		}
		if _, err := io.ReadAll(body); err == nil {
			t.Error("a direct stream outlived the node")
		}
		time.Sleep(time.Second)
		if last := peer.got(wire.KindBeacon); len(last) != 2 {
			t.Errorf("%d beacons arrived, want 2", len(last))
		}
		for _, x := range s[1:] {
			x.Close()
		}
		if left := ours(); len(left) > 0 {
			t.Errorf("%d goroutines left, first:\n%s", len(left), left[0])
		}
	})
}

func TestAClosedNodeRefusesEverythingAndCloseIsIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 2, p2p.Config{})
		n := s[0]
		if _, err := p2p.NewWith(n.host, p2p.Config{Network: overlay}, new(double)); err == nil {
			t.Error("a host took a second node of the same network")
		}
		n.Close()
		n.Close()
		ctx := context.Background()
		if _, err := n.Do(ctx, request); !errors.Is(err, p2p.ErrClosed) {
			t.Errorf("Do: %v", err)
		}
		if _, err := n.OpenStream(ctx, s[1].ID(), nil, "a", s[1].ID()); !errors.Is(err, p2p.ErrClosed) {
			t.Errorf("OpenStream: %v", err)
		}
		if st := n.Status(); st.Peer != n.host.ID() {
			t.Errorf("Status: %+v", st)
		}
		events, _ := n.Subscribe(1, nil)
		if _, ok := <-events; ok {
			t.Error("a subscription to a closed node is open")
		}
		// The host can carry another node of the same network.
		again := start(t, n.host, p2p.Config{})
		introduce(again, s[1])
		s[1].Act(func(w env.World) { w.SendDial(again.ID(), beacon(1)) })
		time.Sleep(time.Second)
		if len(again.got(wire.KindBeacon)) != 1 {
			t.Error("the second node on the host hears nothing")
		}
	})
}

func TestTheHostMayCloseFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 2, p2p.Config{})
		s[0].Act(func(w env.World) { w.SendDial(s[1].ID(), beacon(1)) })
		time.Sleep(time.Second)
		s[0].host.Close()
		s[0].Act(func(w env.World) { w.SendDial(s[1].ID(), beacon(2)) })
		time.Sleep(10 * time.Second)
		if err := s[0].Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestSlowSubscribersLoseEventsAndNobodyElseDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := 0
		_, s := sites(t, 1, p2p.Config{Observe: func(env.Event) { seen++ }})
		events, stop := s[0].Subscribe(3, nil)
		for range 10 {
			s[0].Act(func(w env.World) { w.Emit(&env.Ready{}) })
		}
		if st := s[0].Status(); st.EventsLost != 7 || len(events) != 3 || seen != 10 {
			t.Errorf("lost %d, queued %d, observed %d", st.EventsLost, len(events), seen)
		}
		stop()
		stop()
		s[0].Act(func(w env.World) { w.Emit(&env.Ready{}) })
		if st := s[0].Status(); st.EventsLost != 7 {
			t.Error("who has stopped still loses events")
		}
	})
}
