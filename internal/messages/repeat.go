package messages

import (
	"cmp"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// A message to a bare key that may be delivered more than once is sent again while no
// answer comes (design §7, end-to-end retry): who took it may have died before it answered,
// or somebody on the way back. It goes by another first hop each time, if there is one. Each
// attempt is a call of its own, delivered at most once; the first answer to any of them counts.

// repeatAfter is how long the first attempt is waited for. The wait doubles: what is slow
// for want of room must not be given more, and a node that is slow itself waits longer.
const repeatAfter = 1500 * time.Millisecond

func repeatTimer(call env.Call) env.TimerKey {
	return env.TimerKey{Room: env.Messages, What: timerRepeat, N: uint64(call)}
}

// armRepeat sets the time of the next attempt, if there is to be one.
func (c *Carrier) armRepeat(e env.Env, s *send) {
	if s.Repeat && c.sends[s.Call] == s {
		c.repeatIn(e, s, c.Router.Stretched(repeatAfter)<<s.rounds)
		s.rounds++
	}
}

func (c *Carrier) repeatIn(e env.Env, s *send, d time.Duration) {
	s.due = e.Now().Add(d)
	e.SetTimer(repeatTimer(s.Call), d)
}

// repeat sends a message again.
func (c *Carrier) repeat(e env.Env, call env.Call) {
	s := c.sends[call]
	if s == nil {
		return
	}
	if !c.Router.Room(e) {
		c.repeatIn(e, s, c.Router.RetryAfter(e)) // it would only make more of what is late
		return
	}
	if s.call != 0 {
		s.earlier = append(s.earlier, attempt{s.call, s.routed})
	}
	c.attempt(e, s, s.Key)
	c.armRepeat(e, s)
}

// repealed reports whether a refusal of an attempt does not end s, since the message is, or
// was, sent again: not before whoever is busy wants it.
func (c *Carrier) repealed(e env.Env, s *send, call env.Call, why wire.Refusal) bool {
	if !s.Repeat || final(why) {
		return false
	}
	delete(c.calls, call)
	s.earlier = slices.DeleteFunc(s.earlier, func(a attempt) bool { return a.call == call })
	if s.call == call {
		s.call = 0
	}
	s.last = why
	// At most half of what is left: who lies must not be the last one asked.
	if pause := min(cmp.Or(s.retryAfter, c.Router.RetryAfter(e)), s.Deadline.Sub(e.Now())/2); e.Now().Add(pause) > s.due {
		c.repeatIn(e, s, pause)
	}
	return true
}

// final reports whether another attempt would be refused as well.
func final(why wire.Refusal) bool {
	switch why {
	case wire.Refusal_REFUSAL_BUSY, wire.Refusal_REFUSAL_UNSURE, wire.Refusal_REFUSAL_NOT_JOINED, wire.Refusal_REFUSAL_NO_ROUTE:
		return false
	}
	return true
}

// left is when the attempt that was answered left.
func (s *send) left(call env.Call) attempt {
	for _, a := range s.earlier {
		if a.call == call {
			return a
		}
	}
	return attempt{s.call, s.routed}
}
