package tapestry

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// Prefix is the first digits of identifiers, and stands for every node whose ID begins
// with them. The zero Prefix is no digits at all: everybody.
type Prefix struct {
	id     ID // its digits, then zeros
	digits int
}

// Everybody is the prefix of all IDs.
var Everybody Prefix

// ParsePrefix reads a prefix from its hex digits, at most 40: "3f" is every node whose ID
// begins with 3f, "" is everybody.
func ParsePrefix(s string) (Prefix, error) {
	most := idspace.Hex.Digits()
	if len(s) > most {
		return Prefix{}, fmt.Errorf("prefix of %d hex digits, at most %d", len(s), most)
	}
	id, err := ParseID(s + strings.Repeat("0", most-len(s)))
	if err != nil {
		return Prefix{}, fmt.Errorf("prefix %q: want up to %d hex digits", s, most)
	}
	return Prefix{id, len(s)}, nil
}

// PrefixOf is the first digits of an ID, from 0 to 40 of them.
func PrefixOf(id ID, digits int) (Prefix, error) {
	if digits < 0 || digits > idspace.Hex.Digits() {
		return Prefix{}, fmt.Errorf("prefix of %d digits: want 0 to %d", digits, idspace.Hex.Digits())
	}
	return ParsePrefix(id.String()[:digits])
}

// String is the prefix's hex digits.
func (p Prefix) String() string { return p.id.String()[:p.digits] }

// Covers reports whether id begins with p.
func (p Prefix) Covers(id ID) bool { return idspace.Hex.CommonPrefix(p.id, id) >= p.digits }

// MulticastReport is how far a message to many has come.
type MulticastReport struct {
	Reached int // nodes that have it, this one included if it is under the prefix
	Handled int // of those, whose application took it without an error
	Failed  int // parts of the overlay that did not answer: how many nodes they are is not known
}

// Multicast brings payload to every node under a prefix, this one included, and returns
// when all have answered or the deadline has passed. Each node gets it once, over the
// links that there are: about as many messages as nodes, and as many answers. What
// handlers reply is not brought back, only how many of them returned no error; a node
// without a handler for app counts as reached. Failed above 0 means that some may have got
// it all the same.
func (n *Node) Multicast(ctx context.Context, to Prefix, app AppID, payload []byte) (MulticastReport, error) {
	const op = "multicast"
	if err := checkApp(op, pointers.Key{App: string(app)}); err != nil {
		return MulticastReport{}, err
	}
	if len(payload) > MaxPayload {
		return MulticastReport{}, &OpError{Op: op, Err: ErrPayloadTooLarge}
	}
	payload = bytes.Clone(payload) // it may be on its way still when a canceled call has returned
	out, err := n.do(ctx, op, ID{}, func(c env.Call, until mono.Time) env.Local {
		return &env.MulticastRequest{
			Call: c, Prefix: to.id, Digits: to.digits, App: string(app), Payload: payload,
			Signed: n.settings.signed, Deadline: until,
		}
	})
	if err != nil {
		return MulticastReport{}, err
	}
	return MulticastReport{Reached: out.Spread.Reached, Handled: out.Spread.Handled, Failed: out.Spread.Failed}, nil
}
