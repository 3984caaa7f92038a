package routing

import (
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Verdict is what an upcall wants done with a request that passes.
type Verdict uint8

// The verdicts.
const (
	Continue Verdict = iota // forward it; at the root: refuse it, nobody was there to serve it
	Consumed                // the machine answers it, now or later
)

// At is where a request is when its upcall is asked.
type At struct {
	Root bool          // this node is the root of the key, as far as it knows
	Soon bool          // it is no member yet, and will be the root
	Next surrogate.Hop // where the request goes if the verdict is Continue
	From idspace.ID    // the hop it came from; this node itself at the origin
	Note *wire.HopNote // this node's line in the explanation, nil if none is wanted
	Body *[]byte       // what goes on instead of the request's body, if the machine sets it
}

// Upcall is what a machine offers for the kind of body that it serves (the Common
// API's forward and deliver in one; JSAC §IV-B).
type Upcall interface {
	// OnHop is asked at every node that a request passes, origin and root included,
	// before it is forwarded. It must not change r.
	OnHop(e env.Env, r *wire.Routed, at At) Verdict
	// OnReply is the reply to a call that began here.
	OnReply(e env.Env, r *wire.Routed)
	// OnLost tells that a call that began here could not go on from here.
	OnLost(e env.Env, r *wire.Routed, why wire.Refusal)
}
