package messages_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// FuzzMessage gives a receiver requests and a sender replies of any content: no
// panic, and nothing is left behind.
func FuzzMessage(f *testing.F) {
	guid := make([]byte, 20)
	f.Add(wire.Pack(&wire.AppMessage{App: "app", Payload: []byte("hi")}), uint32(0), []byte{})
	f.Add(
		wire.Pack(&wire.AppMessage{App: "app", Guid: guid, Origin: &wire.SignedRecord{PayloadType: []byte(wire.OriginKind)}}),
		^uint32(0), wire.Pack(&wire.AppReply{Error: "no"}),
	)
	f.Add(
		wire.Pack(&wire.AppMessage{App: "app", Guid: guid, Via: append(guid, guid...), Race: 1, Here: true}), uint32(1), []byte{},
	)
	f.Fuzz(func(t *testing.T, request []byte, deadline uint32, reply []byte) {
		s := newStory(t, true)
		from := s.env.ID("sender")
		for _, key := range []string{"me", "b"} {
			at := s.env.ID(key)
			s.router.Arrive(s.env, key, &wire.Routed{
				Call: 1, Key: at[:], BodyKind: wire.BodyKind_BODY_MESSAGE, Body: request, Path: from[:], DeadlineMs: deadline,
				Exact: key == "b", Follow: key == "b",
			})
		}
		s.c.OnSend(s.env, &env.SendRequest{Call: 1, Key: s.env.ID("b"), App: "app"})
		s.router.Reply(s.env, 1, &wire.Routed{Body: reply}, from)
		s.env.Advance(10*time.Minute, func(k env.TimerKey) { s.c.OnTimer(s.env, k) })
		if sends, inbound := s.c.Outstanding(); sends != 0 || inbound != 0 || s.env.Ended(1) != 1 {
			t.Fatalf("%d sends, %d messages left, ended %d times", sends, inbound, s.env.Ended(1))
		}
	})
}
