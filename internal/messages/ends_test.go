package messages_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

// TestEverySendEndsOnce lets sends, answers, refusals, replies of the application,
// cancellations and time come in any order, and demands one outcome for each send:
// none or one if it was canceled. An attempt is followed by another only after a
// refusal, or if the first did not leave. Nothing is left behind.
func TestEverySendEndsOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStory(t, false)
		s.served.Add(keyOf(s, "y"), 4)
		canceled := make(map[env.Call]bool)
		var calls env.Call
		pass := func(d time.Duration) { s.env.Advance(d, func(k env.TimerKey) { s.c.OnTimer(s.env, k) }) }
		call := func(rt *rapid.T) env.Call { return env.Call(rapid.IntRange(1, 20).Draw(rt, "call")) }
		rt.Repeat(map[string]func(*rapid.T){
			"send": func(rt *rapid.T) {
				calls++
				s.c.OnSend(s.env, &env.SendRequest{
					Call: calls, Key: s.env.ID(rapid.SampledFrom([]string{"me", "b", "x", "y"}).Draw(rt, "key")), App: "app",
					Object: rapid.Bool().Draw(rt, "object"), Exact: rapid.Bool().Draw(rt, "exact"), Signed: rapid.Bool().Draw(rt, "signed"),
					Deadline: s.env.Now().Add(time.Duration(rapid.IntRange(0, 6).Draw(rt, "deadline")) * time.Second),
				})
			},
			"located": func(rt *rapid.T) {
				m := &env.Located{Call: call(rt), Status: rapid.SampledFrom([]env.Status{env.OK, env.OK, env.Absent, env.Unknown}).Draw(rt, "status")}
				for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"me", "s1", "s2", "s3"}), 0, 3).Draw(rt, "servers") {
					m.Replicas = append(m.Replicas, env.Replica{Server: s.env.ID(name)})
				}
				s.c.OnLocated(s.env, m)
			},
			"cancel": func(rt *rapid.T) {
				if c := call(rt); c <= calls {
					canceled[c] = true
					s.c.OnCancel(s.env, c)
				}
			},
			"handled": func(rt *rapid.T) {
				s.c.OnHandlerReply(s.env, &env.HandlerReply{
					Ticket: uint64(rapid.IntRange(1, 20).Draw(rt, "ticket")), Refused: wire.Refusal(rapid.IntRange(0, 4).Draw(rt, "refused")),
				})
			},
			"answer":  func(rt *rapid.T) { answerAny(rt, s) },
			"advance": func(rt *rapid.T) { pass(time.Duration(rapid.IntRange(1, 2000).Draw(rt, "ms")) * time.Millisecond) },
		})
		pass(time.Minute)
		for c := env.Call(1); c <= calls; c++ {
			if n := s.env.Ended(c); n > 1 || n == 0 && !canceled[c] {
				rt.Fatalf("call %d ended %d times\n%s", c, n, s.env.Drain())
			}
		}
		if sends, inbound := s.c.Outstanding(); sends != 0 || inbound != 0 || s.env.Timers() != 0 {
			rt.Fatalf("%d sends, %d messages and %d timers are left", sends, inbound, s.env.Timers())
		}
	})
}

// answerAny answers any request begun so far in any way, also twice.
func answerAny(t *rapid.T, s *story) {
	if s.router.Requests() == 0 {
		return
	}
	n := rapid.IntRange(max(1, s.router.Requests()-10), s.router.Requests()).Draw(t, "request")
	m := &wire.Routed{Body: wire.Pack(&wire.AppReply{Payload: []byte("yes")})}
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0, 1:
		m.Refusal = wire.Refusal(rapid.IntRange(1, 7).Draw(t, "refusal"))
	case 2:
		s.router.Lose(s.env, n, wire.Refusal(rapid.IntRange(1, 7).Draw(t, "why")))
		return
	}
	s.router.Reply(s.env, n, m, s.env.ID("b"))
}
