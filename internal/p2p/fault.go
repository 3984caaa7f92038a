package p2p

import (
	"github.com/libp2p/go-libp2p/core/network"
)

// fault is what a peer did wrong, or why it is not served. Its stream is reset.
type fault struct {
	why   string // a fixed phrase that can be counted
	code  network.StreamErrorCode
	cause error // nil if why says it all
}

func (f *fault) Error() string {
	if f.cause == nil {
		return f.why
	}
	return f.why + ": " + f.cause.Error()
}

func (f *fault) Unwrap() error { return f.cause }

// What peers are refused for. shunned says whose guilt it is.
const (
	faultRelayed   = "relayed connection"
	faultShunned   = "peer is shunned"
	faultStreams   = "too many streams"
	faultLimit     = "resource limit"
	faultNoHello   = "no hello first"
	faultSlowHello = "no hello in time"
	faultHello     = "hello again"
	faultForeign   = "foreign network"
	faultVersion   = "unknown version"
	faultNoRecord  = "hello without a record"
	faultRecord    = "record is not the peer's own"
	faultMalformed = "malformed frame"
	faultTooLarge  = "frame too large"
	faultCutOff    = "frame cut off"
	faultFlood     = "flood"
	faultForged    = "bad records"
	// These lose one message, not the stream.
	faultUnknown = "unknown kind"
	faultBad     = "bad record"
	faultOrigin  = "signature of a message's origin"
	faultPanic   = "handler panicked"
)

// violation is a fault of a peer that breaks the protocol.
func violation(why string, cause error) *fault {
	return &fault{why, network.StreamProtocolViolation, cause}
}

// shuns reports whether the peer is refused for a while.
func (f *fault) shuns() bool {
	switch f.why {
	case faultNoHello, faultHello, faultRecord, faultMalformed, faultTooLarge, faultCutOff, faultFlood, faultForged:
		return true
	}
	return false
}
