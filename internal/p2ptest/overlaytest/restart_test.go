package overlaytest

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

// TestARestartElsewhereIsAMemberSoon crashes a node and starts it again at another address, as a
// daemon that listens on any port does. Its neighbors have connections to where it was, which they
// take to be open for half a minute.
func TestARestartElsewhereIsAMemberSoon(t *testing.T) {
	for _, pause := range []time.Duration{0, time.Second, 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			const size = 6
			net := p2ptest.NewNet(t, p2ptest.Config{Seed: size, Latency: latency(1, size+1)})
			o := &overlay{t: t, rng: rand.New(rand.NewPCG(size, 3))}
			for i := range size {
				o.add(net.Host(limits(t)), settled())
				o.join(i)
			}
			time.Sleep(time.Minute)
			net.Crash(3)
			time.Sleep(pause)
			n := o.add(net.Again(3, limits(t)), settled())
			began := time.Now()
			out, err := n.Join(context.Background(), []peer.AddrInfo{info(o.hosts[0]), info(o.hosts[5])})
			took := time.Since(began)
			t.Logf("%v after it crashed it joins: member after %v", pause, took)
			if err != nil || out.Status != env.OK || took > memberSoon {
				t.Errorf("%v %v after %v: %s", out, err, took, brief(n))
			}
		})
	}
}

// memberSoon is how long a node that was started again may take to be a member: no neighbor waits for what it
// has sent to where the node was.
const memberSoon = time.Second
