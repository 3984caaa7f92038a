package overlaytest

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

// TestThreeFreshHostsThatNameEachOtherFormOneOverlay: none is told to be the first.
func TestThreeFreshHostsThatNameEachOtherFormOneOverlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		o := &overlay{t: t}
		var all []peer.AddrInfo
		for range 3 {
			h := network.Host()
			o.add(h, p2p.Config{})
			all = append(all, info(h))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		joined := make(chan *env.Outcome)
		for i, n := range o.nodes {
			others := slices.DeleteFunc(slices.Clone(all), func(a peer.AddrInfo) bool { return a.ID == o.hosts[i].ID() })
			go func() {
				out, err := n.Join(ctx, others)
				if err != nil {
					t.Error(err)
				}
				joined <- out
			}()
		}
		for range o.nodes {
			if out := <-joined; out.Status != env.OK {
				t.Errorf("join: %v %s", out.Status, out.Error)
			}
		}
		for i := range o.nodes {
			if out := o.publish(i, guid(i)); out.Status != env.OK {
				t.Errorf("publish at %d: %v", i, out.Status)
			}
		}
		for i := range o.nodes {
			for k := range o.nodes {
				if out := o.locate(i, guid(k)); out.Status != env.OK {
					t.Errorf("what %d published, %d finds: %v", k, i, out.Status)
				}
			}
		}
	})
}
