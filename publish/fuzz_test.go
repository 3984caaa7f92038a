package publish_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// FuzzPublish gives a holder bodies that decoded, from a peer that means no good: no
// panic, and the tables stay right.
func FuzzPublish(f *testing.F) {
	guid, server := idspace.Hash([]byte("x")), idspace.Hash([]byte("s1"))
	key := idspace.Hex.Salted(guid, 1, 4)
	good := wire.Pack(&wire.Publish{
		Pointer: envtest.Pointer("s1", &wire.BatchRecord{
			Guid: guid[:], App: "app", Server: server[:], Generation: 1, Counter: 1, LifeS: 3600,
		}),
		Server: envtest.Node("s1", 1), Salt: 1, Roots: 4, LeftS: 3600, Pulse: envtest.Pulse("s1", 0),
	})
	f.Add(good, key[:], uint64(1), []byte{}, int32(0), int32(0), uint32(0))
	f.Add(good, key[:], uint64(1<<63), wire.Pack(&wire.PublishReply{HeldGeneration: 1 << 62, HeldCounter: 1 << 50}), int32(0), int32(0), uint32(0))
	f.Add(good, key[:], uint64(1), []byte{}, int32(wire.Refusal_REFUSAL_LIMIT), int32(wire.Limit_LIMIT_PEER), uint32(1000))
	f.Add(good, key[:], uint64(1), []byte{}, int32(wire.Refusal_REFUSAL_LIMIT), int32(-1), uint32(1<<32-1))
	f.Add(good, key[:], uint64(1), []byte{}, int32(99), int32(1<<30), uint32(1))
	f.Fuzz(func(t *testing.T, body, key []byte, spent uint64, reply []byte, why, limit int32, again uint32) {
		if len(key) != idspace.Size {
			return // the codec has seen to that
		}
		s := newStory(t)
		s.router.Arrive(s.env, "a", &wire.Routed{
			Call: 1, Key: key, BodyKind: wire.BodyKind_BODY_PUBLISH, Body: body, Path: server[:], SpentUs: spent,
		})
		s.p.OnPublish(s.env, publishRequest(s))
		for n := 1; n <= min(4, s.router.Requests()); n++ {
			s.router.Reply(s.env, n, &wire.Routed{
				Body: reply, Refusal: wire.Refusal(why), Limit: wire.Limit(limit), RetryAfterMs: again,
			}, server)
		}
		s.pass(2 * time.Minute)
		if err := s.store.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func publishRequest(s *story) *env.PublishRequest {
	return &env.PublishRequest{Call: 1, GUID: s.object("x"), App: "app"}
}
