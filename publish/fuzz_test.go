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
		Pointer: envtest.Pointer("s1", &wire.PointerRecord{
			Guid: guid[:], App: "app", Server: server[:], Generation: 1, Counter: 1, LifeS: 3600,
		}),
		Server: envtest.Node("s1", 1), Salt: 1, Roots: 4, LeftS: 3600, Pulse: envtest.Pulse("s1", 0),
	})
	f.Add(good, key[:], uint64(1), []byte{})
	f.Add(good, key[:], uint64(1<<63), wire.Pack(&wire.PublishReply{HeldGeneration: 1 << 62, HeldCounter: 1 << 50}))
	f.Fuzz(func(t *testing.T, body, key []byte, spent uint64, reply []byte) {
		if len(key) != idspace.Size {
			return // the codec has seen to that
		}
		s := newStory(t)
		s.router.Arrive(s.env, "a", &wire.Routed{
			Call: 1, Key: key, BodyKind: wire.BodyKind_BODY_PUBLISH, Body: body, Path: server[:], SpentUs: spent,
		})
		s.p.OnPublish(s.env, publishRequest(s))
		s.router.Reply(s.env, 1, &wire.Routed{Body: reply}, server)
		s.pass(2 * time.Minute)
		if err := s.store.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func publishRequest(s *story) *env.PublishRequest {
	return &env.PublishRequest{Call: 1, GUID: s.object("x"), App: "app"}
}
