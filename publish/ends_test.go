package publish_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

// TestEveryRequestEndsOnce lets requests, answers, refusals, changes, cancellations
// and time come in any order, and demands one outcome for each request: none or one
// if it was canceled. What it meets on the way must keep the tables right.
func TestEveryRequestEndsOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStory(t)
		canceled := make(map[env.Call]bool)
		var calls env.Call
		object := rapid.Custom(func(rt *rapid.T) idspace.ID {
			return s.object(rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "object"))
		})
		deadline := func(rt *rapid.T) int64 { return int64(rapid.IntRange(0, 6).Draw(rt, "deadline")) }
		actions := map[string]func(*rapid.T){
			"publish": func(rt *rapid.T) {
				calls++
				s.p.OnPublish(s.env, &env.PublishRequest{
					Call: calls, GUID: object.Draw(rt, "guid"), App: "app", Explain: rapid.Bool().Draw(rt, "explain"),
					Deadline: s.env.Now().Add(time.Duration(deadline(rt)) * time.Second),
				})
			},
			"unpublish": func(rt *rapid.T) {
				calls++
				s.p.OnUnpublish(s.env, &env.UnpublishRequest{
					Call: calls, GUID: object.Draw(rt, "guid"), App: "app",
					Deadline: s.env.Now().Add(time.Duration(deadline(rt)) * time.Second),
				})
			},
			"cancel": func(rt *rapid.T) {
				call := env.Call(rapid.IntRange(1, 20).Draw(rt, "call"))
				if call <= calls {
					canceled[call] = true
					s.p.OnCancel(s.env, call)
				}
			},
			"answer":  func(rt *rapid.T) { answerAny(rt, s) },
			"advance": func(rt *rapid.T) { s.pass(time.Duration(rapid.IntRange(1, 3000).Draw(rt, "ms")) * time.Millisecond) },
			"move": func(rt *rapid.T) {
				s.router.Default = s.env.ID(rapid.SampledFrom([]string{"me", "n1", "n2"}).Draw(rt, "hop"))
			},
			"leave": func(rt *rapid.T) {
				if rapid.IntRange(0, 5).Draw(rt, "leave") == 0 {
					s.p.OnWithdraw(s.env)
				}
			},
			"return": func(*rapid.T) { s.p.OnActivated() },
			"":       func(rt *rapid.T) { s.check(rt) },
		}
		rt.Repeat(actions)
		s.pass(time.Minute)
		for call := env.Call(1); call <= calls; call++ {
			if n := s.env.Ended(call); n > 1 || n == 0 && !canceled[call] {
				rt.Fatalf("call %d ended %d times\n%s", call, n, s.env.Drain())
			}
		}
		if _, jobs := s.p.Outstanding(); jobs != 0 {
			rt.Fatalf("%d jobs wait for ever", jobs)
		}
	})
}

func (s *story) pass(d time.Duration) {
	s.env.Advance(d, func(k env.TimerKey) {
		if k.Room == env.Tree {
			s.tree.OnTimer(s.env, k)
			return
		}
		s.p.OnTimer(s.env, k)
	})
}

func (s *story) check(t *rapid.T) {
	for _, check := range []func() error{s.store.Check, s.served.Check} {
		if err := check(); err != nil {
			t.Fatal(err)
		}
	}
}

// answerAny answers any request begun so far in any way, also twice.
func answerAny(t *rapid.T, s *story) {
	if s.router.Requests() == 0 {
		return
	}
	n := rapid.IntRange(max(1, s.router.Requests()-20), s.router.Requests()).Draw(t, "request")
	m := &wire.Routed{Body: wire.Pack(&wire.PublishReply{
		HeldGeneration: uint64(rapid.IntRange(0, 8).Draw(t, "generation")),
		HeldCounter:    uint64(rapid.IntRange(0, 20).Draw(t, "counter")),
	})}
	switch rapid.IntRange(0, 5).Draw(t, "how") {
	case 0:
		m.Refusal = wire.Refusal(rapid.IntRange(1, 11).Draw(t, "refusal"))
		m.Limit, m.RetryAfterMs = wire.Limit(rapid.Int32().Draw(t, "limit")), rapid.Uint32().Draw(t, "again")
	case 1:
		s.router.Lose(s.env, n, wire.Refusal(rapid.IntRange(1, 11).Draw(t, "why")))
		return
	}
	s.router.Reply(s.env, n, m, s.env.ID("root"))
}
