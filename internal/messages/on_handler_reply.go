package messages

import (
	"fmt"
	"strings"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// OnHandlerReply sends the application's reply back. A reply that comes after the
// caller's deadline, or a second one, finds no request and is dropped.
func (c *Carrier) OnHandlerReply(e env.Env, m *env.HandlerReply) {
	r := c.handBack(e, m.Ticket)
	if r == nil {
		e.Emit(&env.Dropped{Why: "message: late reply"})
		return
	}
	if m.Refused != wire.Refusal_REFUSAL_NONE {
		c.Router.Answer(e, r, nil, m.Refused)
		return
	}
	reply := &wire.AppReply{Payload: m.Payload, Error: text(m.Error)}
	if len(reply.Payload) > wire.MaxPayload {
		// Not a refusal, which would prove that nothing was delivered.
		reply.Error = fmt.Sprintf("reply of %d bytes, at most %d allowed", len(reply.Payload), wire.MaxPayload)
		reply.Payload = nil
	}
	c.Router.Answer(e, r, wire.Pack(reply), wire.Refusal_REFUSAL_NONE)
}

// text cuts an error to what the wire carries, as valid UTF-8.
func text(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), wire.MaxError)], "")
}
