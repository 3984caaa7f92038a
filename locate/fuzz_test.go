package locate_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// FuzzLocate gives a holder requests and an asker answers of any content: no panic,
// and the request ends.
func FuzzLocate(f *testing.F) {
	guid, key := idspace.Hash([]byte("x")), idspace.Hex.Salted(idspace.Hash([]byte("x")), 1, 4)
	s := newStory(f)
	f.Add(
		wire.Pack(&wire.Locate{Guid: guid[:], App: "app", Salt: 1, Limit: 1 << 31}), uint64(1<<63),
		wire.Pack(&wire.LocateReply{Replicas: []*wire.FoundReplica{s.found("x", "s1", time.Hour, ""), s.found("x", "s1", 0, "")}}),
	)
	far := wire.Point{Vec: [wire.CoordDims]float64{9, 9, 9, 9}, Height: 9, Error: 0.1}.Pack()
	near := s.found("x", "s2", 0, "")
	near.Coord = far[:]
	f.Add(
		wire.Pack(&wire.Locate{Guid: guid[:], App: "app", Here: true, Coord: far[:]}), uint64(0),
		wire.Pack(&wire.LocateReply{Replicas: []*wire.FoundReplica{near}}),
	)
	f.Fuzz(func(t *testing.T, request []byte, spent uint64, reply []byte) {
		s := newStory(t)
		s.l.OnLocate(s.env, &env.LocateRequest{Call: 1, GUID: guid, App: "app"})
		from := s.env.ID("asker")
		s.router.Arrive(s.env, "a", &wire.Routed{
			Call: 1, Key: key[:], BodyKind: wire.BodyKind_BODY_LOCATE, Body: request, Path: from[:], SpentUs: spent,
		})
		s.router.Reply(s.env, 1, &wire.Routed{Body: reply}, from)
		s.l.Passed(s.env, pointers.Key{GUID: guid, App: "app"}, key)
		s.l.OnFetch(s.env, &env.Fetch{GUID: guid, App: "app", Towards: key})
		s.router.Reply(s.env, s.router.Requests(), &wire.Routed{Body: reply}, from)
		if n := len(s.l.Cached(pointers.Key{GUID: guid, App: "app"}, s.env.Now())); n > wire.MaxFound {
			t.Fatalf("%d pointers cached", n)
		}
		s.env.Advance(time.Minute, func(k env.TimerKey) { s.l.OnTimer(s.env, k) })
		if s.env.Ended(1) != 1 || s.env.Timers() != 0 {
			t.Fatalf("ended %d times, %d timers left", s.env.Ended(1), s.env.Timers())
		}
	})
}
