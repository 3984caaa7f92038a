package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/content"
)

// trip is one fetch: who asked, for what, and who served it.
type trip struct {
	client *member
	object object
	from   tapestry.ID
}

// fetches is what a phase of fetching brought.
type fetches struct {
	fetched, verified int
	hops, hopsOf      int
	trips             []trip
	failures          []string
}

func (f *fetches) hopsMean() float64 { return float64(f.hops) / float64(max(1, f.hopsOf)) }

// fetch has a random client fetch each object.
func (s *show) fetch(ctx context.Context, stage string, objects []object) *fetches {
	clients := s.clients(objects)
	s.done = 0
	var all fetches
	work := make([]trip, len(objects))
	for i, o := range objects {
		work[i] = trip{client: clients[i], object: o}
	}
	each(work, func(t trip) {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		got, err := content.Fetch(ctx, t.client.node, t.object.item.GUID, content.Nowhere{})
		t.from = got.From.ID
		s.mu.Lock()
		all.add(t, got, err)
		s.mu.Unlock()
		s.advance(stage, 1, len(objects))
	})
	return &all
}

// add counts one fetch. One that returns without an error has checked the hash; one
// that brought all bytes and failed at it is fetched and not verified.
func (f *fetches) add(t trip, got content.Fetched, err error) {
	if err == nil || got.Size == t.object.item.Size {
		f.fetched++
	}
	if err != nil {
		f.failures = append(f.failures, fmt.Sprintf("%s (%s): %v", t.object.item.Name, t.object.item.GUID.Short(), err))
		return
	}
	f.verified++
	f.hops += got.Hops
	f.hopsOf++
	f.trips = append(f.trips, t)
}

// Two servers are equally near within these: on loopback an RTT is some hundred
// microseconds, most of it waiting for the processor.
const (
	tieShare = 1.2
	tieTime  = time.Millisecond
)

// nearest is the share of trips that were served by the server with the smallest
// round-trip time from the client, or by one that is as near as that: within a fifth
// or a millisecond of it. The times are the best of three libp2p pings, taken after
// the fetches so that they do not wait for them.
func (s *show) nearest(ctx context.Context, trips []trip) float64 {
	if len(trips) == 0 {
		return 0
	}
	near := 0
	s.done = 0
	each(trips, func(t trip) {
		best, served := time.Duration(-1), time.Duration(-1)
		for _, m := range t.object.servers {
			rtt, ok := roundTrip(ctx, t.client, m)
			if !ok {
				continue
			}
			if best < 0 || rtt < best {
				best = rtt
			}
			if m.node.ID() == t.from {
				served = rtt
			}
		}
		s.advance("measuring", 1, len(trips))
		if served >= 0 && served <= max(time.Duration(tieShare*float64(best)), best+tieTime) {
			s.mu.Lock()
			near++
			s.mu.Unlock()
		}
	})
	return float64(near) / float64(len(trips))
}

// roundTrip is the best of three pings between two hosts.
func roundTrip(ctx context.Context, from, to *member) (best time.Duration, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	from.host.Peerstore().AddAddrs(to.host.ID(), to.host.Addrs(), peerstore.TempAddrTTL)
	answers := ping.Ping(ctx, from.host, to.host.ID())
	for range 3 {
		a := <-answers
		if a.Error != nil {
			return best, ok
		}
		if !ok || a.RTT < best {
			best, ok = a.RTT, true
		}
	}
	return best, ok
}
