package locate_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"pgregory.net/rapid"
)

// TestEveryLocateEndsOnce lets requests, answers, refusals, verdicts, cancellations
// and time come in any order, and demands one outcome for each request: none or one
// if it was canceled. Nothing is left behind.
func TestEveryLocateEndsOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStory(t)
		canceled := make(map[env.Call]bool)
		var calls env.Call
		pass := func(d time.Duration) { s.env.Advance(d, func(k env.TimerKey) { s.l.OnTimer(s.env, k) }) }
		server := rapid.SampledFrom([]string{"me", "s1", "s2", "s3", "s4"})
		rt.Repeat(map[string]func(*rapid.T){
			"locate": func(rt *rapid.T) {
				calls++
				s.l.OnLocate(s.env, &env.LocateRequest{
					Call: calls, GUID: s.object("x"), App: "app", Limit: rapid.IntRange(0, 5).Draw(rt, "limit"),
					First: rapid.Bool().Draw(rt, "first"), Explain: rapid.Bool().Draw(rt, "explain"),
					Deadline: s.env.Now().Add(time.Duration(rapid.IntRange(0, 6).Draw(rt, "deadline")) * time.Second),
				})
			},
			"cancel": func(rt *rapid.T) {
				if call := env.Call(rapid.IntRange(1, 20).Draw(rt, "call")); call <= calls {
					canceled[call] = true
					s.l.OnCancel(s.env, call)
				}
			},
			"answer": func(rt *rapid.T) { answerAny(rt, s, server) },
			"verdict": func(rt *rapid.T) {
				s.l.OnVerdict(s.env, &env.Verdict{
					Peer: s.env.ID(server.Draw(rt, "peer")), For: env.Locate, Alive: rapid.Bool().Draw(rt, "alive"),
					RTT: time.Duration(rapid.IntRange(0, 9).Draw(rt, "rtt")) * time.Millisecond,
				})
			},
			"fetch": func(*rapid.T) {
				s.l.OnFetch(s.env, &env.Fetch{GUID: s.object("x"), App: "app", Towards: s.key("x#1")})
			},
			"advance": func(rt *rapid.T) { pass(time.Duration(rapid.IntRange(1, 2000).Draw(rt, "ms")) * time.Millisecond) },
			"move": func(rt *rapid.T) {
				s.router.Default = s.env.ID(rapid.SampledFrom([]string{"me", "n1"}).Draw(rt, "hop"))
			},
		})
		pass(time.Minute)
		for call := env.Call(1); call <= calls; call++ {
			if n := s.env.Ended(call); n > 1 || n == 0 && !canceled[call] {
				rt.Fatalf("call %d ended %d times\n%s", call, n, s.env.Drain())
			}
		}
		if asks, calls, probes := s.l.Outstanding(); asks != 0 || calls != 0 || probes != 0 || s.env.Timers() != 0 {
			rt.Fatalf("%d requests, %d calls, %d probes and %d timers are left", asks, calls, probes, s.env.Timers())
		}
	})
}

// answerAny answers any request begun so far in any way, also twice.
func answerAny(t *rapid.T, s *story, server *rapid.Generator[string]) {
	if s.router.Requests() == 0 {
		return
	}
	n := rapid.IntRange(max(1, s.router.Requests()-20), s.router.Requests()).Draw(t, "request")
	m, body := new(wire.Routed), new(wire.LocateReply)
	switch rapid.IntRange(0, 5).Draw(t, "how") {
	case 0:
		m.Refusal = wire.Refusal(rapid.IntRange(1, 7).Draw(t, "refusal"))
	case 1:
		s.router.Lose(s.env, n, wire.Refusal(rapid.IntRange(1, 7).Draw(t, "why")))
		return
	case 2, 3:
		for _, name := range rapid.SliceOfNDistinct(server, 1, 4, rapid.ID).Draw(t, "servers") {
			body.Replicas = append(body.Replicas, s.found("x", name, time.Duration(rapid.IntRange(0, 9).Draw(t, "rtt"))*time.Millisecond, ""))
		}
	}
	m.Body = wire.Pack(body)
	s.router.Reply(s.env, n, m, idspace.ID{1})
}
