package demo

import (
	"context"
	"fmt"
	"slices"
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

	served  time.Duration // round trip to whom it came from, zero if that is not known
	nearest time.Duration // and to the nearest server
}

// fetches is what a phase of fetching brought.
type fetches struct {
	fetched, verified int
	hops, hopsOf      int
	trips             []*trip
	failures          []string
}

func (f *fetches) hopsMean() float64 { return float64(f.hops) / float64(max(1, f.hopsOf)) }

// fetch has a random client fetch each object.
func (s *show) fetch(ctx context.Context, stage string, objects []object) *fetches {
	clients := s.clients(objects)
	s.done = 0
	var all fetches
	work := make([]*trip, len(objects))
	for i, o := range objects {
		work[i] = &trip{client: clients[i], object: o}
	}
	each(work, func(t *trip) {
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
func (f *fetches) add(t *trip, got content.Fetched, err error) {
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

// measured is what the overlay did of what was possible.
type measured struct {
	nearest  float64   // share of the trips that the nearest server served
	stretch  []float64 // of messages, sorted: how long one took there and back, by the nearest server's round trip
	failures []string
}

// measure compares trips with the round-trip times to all servers, and then sends a message to some
// of their objects, one after another: all of it is done after the fetches, so that nothing waits for
// them.
func (s *show) measure(ctx context.Context, trips []*trip) (m measured) {
	s.done = 0
	each(trips, func(t *trip) {
		t.ping(ctx)
		s.advance("measuring", 1, len(trips))
	})
	near := 0
	for _, t := range trips {
		if t.wasNearest() {
			near++
		}
	}
	m.nearest = float64(near) / float64(max(1, len(trips)))
	for _, t := range trips[:min(len(trips), maxMessages)] {
		took, err := t.message(ctx)
		switch {
		case err != nil:
			m.failures = append(m.failures, fmt.Sprintf("message to %s: %v", t.object.item.Name, err))
		case t.nearest > 0:
			m.stretch = append(m.stretch, float64(took)/float64(t.nearest))
		}
	}
	slices.Sort(m.stretch)
	return m
}

// ping measures the round trips to all servers of the object: the best of three libp2p pings each.
func (t *trip) ping(ctx context.Context) {
	for _, server := range t.object.servers {
		rtt, ok := roundTrip(ctx, t.client, server)
		if !ok {
			continue
		}
		if t.nearest == 0 || rtt < t.nearest {
			t.nearest = rtt
		}
		if server.node.ID() == t.from {
			t.served = rtt
		}
	}
}

// wasNearest reports whether no server is nearer to the client than the one that served it, by more
// than a fifth or a millisecond.
func (t *trip) wasNearest() bool {
	return t.served > 0 && t.served <= max(time.Duration(tieShare*float64(t.nearest)), t.nearest+tieTime)
}

// maxMessages is how many messages are sent to measure how long they take.
const maxMessages = 200

// message sends the object of a trip a message that does no harm twice, and waits for its reply.
func (t *trip) message(ctx context.Context) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	began := time.Now()
	_, err = t.client.node.RouteToObject(ctx, t.object.item.GUID, content.App, []byte("how far?"), tapestry.Raced())
	return time.Since(began), err
}

// quantile is what the share q of sorted does not exceed, 0 of nothing.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))]
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
