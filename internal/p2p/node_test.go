package p2p_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

// member is a real node on a host of the simulated network.
func member(t testing.TB, net *p2ptest.Net, cfg p2p.Config) *p2p.Node {
	t.Helper()
	opt, err := p2p.HostOptions(160)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Network = overlay
	n, err := p2p.New(net.Host(opt), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func addrOf(n *p2p.Node) peer.AddrInfo {
	return peer.AddrInfo{ID: n.Peer(), Addrs: n.Addrs()}
}

func must(t testing.TB, out *env.Outcome, err error) *env.Outcome {
	t.Helper()
	if err != nil || out.Status != env.OK {
		t.Fatalf("%+v, %v", out, err)
	}
	return out
}

func TestRealNodesFormAnOverlayAndServeEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 12
		ctx := context.Background()
		net := p2ptest.NewNet(t, p2ptest.Config{Seed: 2})
		nodes := make([]*p2p.Node, size)
		for i := range nodes {
			nodes[i] = member(t, net, p2p.Config{})
			var seeds []peer.AddrInfo
			if i > 0 {
				seeds = append(seeds, addrOf(nodes[0]))
			}
			out, err := nodes[i].Join(ctx, seeds)
			must(t, out, err)
		}
		time.Sleep(time.Minute)
		before := make([]uint64, size)
		for i, n := range nodes {
			before[i] = n.Status().Dials
			n.Handle("app", p2p.Handler{Deliver: func(_ context.Context, m p2p.Inbound) ([]byte, error) {
				return fmt.Appendf(nil, "%d got %s, signed %v", i, m.Payload, m.Authenticated), nil
			}})
		}
		for i := range nodes {
			guid := idspace.Hash([]byte{byte(i)})
			out, err := nodes[i].Do(ctx, func(call env.Call, deadline mono.Time) env.Local {
				return &env.PublishRequest{Call: call, GUID: guid, App: "app", Deadline: deadline}
			})
			must(t, out, err)
			from := nodes[(i+5)%size]
			out, err = from.Do(ctx, func(call env.Call, deadline mono.Time) env.Local {
				return &env.SendRequest{
					Call: call, Key: guid, Object: true, App: "app", Payload: []byte("hello"), Signed: true, Deadline: deadline,
				}
			})
			if got, want := string(must(t, out, err).Reply), fmt.Sprintf("%d got hello, signed true", i); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		for i, n := range nodes {
			st := n.Status()
			if st.Dials != before[i] {
				t.Errorf("publishing and sending dialed %d times", st.Dials-before[i])
			}
			if len(st.Faults)+len(st.Limits) > 0 {
				t.Errorf("faults %v, limits %v", st.Faults, st.Limits)
			}
			if i == 0 {
				t.Logf("%+v", st)
			}
		}
	})
}
