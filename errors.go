package tapestry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// What a verb can end with, besides a context's own errors. They come wrapped in
// an *OpError; test for them with errors.Is.
var (
	// ErrNotFound: the roots agree that there is no such object.
	ErrNotFound = errors.New("no such object")
	// ErrUnknown: the roots could not be asked, so nothing is known of the object.
	ErrUnknown = errors.New("the object's roots could not be asked")
	// ErrNotJoined: this node is not an active member of an overlay.
	ErrNotJoined = errors.New("not a member of an overlay")
	// ErrNoRoute: there is no node to give the message to, or not the one named.
	ErrNoRoute = errors.New("no route")
	// ErrClosed: this node has been closed.
	ErrClosed = errors.New("node closed")
	// ErrPayloadTooLarge: the payload is larger than MaxPayload; use OpenStream.
	ErrPayloadTooLarge = errors.New("payload too large")
	// ErrBusy: too much is under way, here or at the node asked; try again later. A
	// *BusyError says when, if that is known.
	ErrBusy = errors.New("busy")
	// ErrNoHandler: the message reached a node where nobody handles its AppID.
	ErrNoHandler = errors.New("no handler for the application")
	// ErrMaybeDelivered: the message may have been delivered; its reply did not come.
	// Whoever sends an idempotent message may simply send it again.
	ErrMaybeDelivered = errors.New("maybe delivered: no reply came")
	// ErrNoSeeds: the sources of WithSeeds name nobody to join by.
	ErrNoSeeds = p2p.ErrNoSeeds
	// ErrOption: an option has an impossible value.
	ErrOption = errors.New("invalid option")
	// ErrLimit: a limit of the nodes that would store the object forbids it. A *LimitError
	// says which, as far as they have said so.
	ErrLimit = errors.New("limit reached")
	// ErrInvalid: the nodes that would store the object do not accept this node's record of it.
	ErrInvalid = errors.New("record not accepted")
	// ErrDatastore: the datastore (WithDatastore) could not be read or written. What was
	// asked for has not been done.
	ErrDatastore = p2p.ErrDatastore
)

// HandlerError is the error that the handler of a message returned, as text.
type HandlerError string

// Error is the handler's text, marked as the other side's.
func (e HandlerError) Error() string { return "handler: " + string(e) }

// BusyError is ErrBusy by a node that says when to try again: errors.Is(err, ErrBusy) holds.
type BusyError struct {
	RetryAfter time.Duration // drawn at random, so that not all who were refused come back at once
}

// Error says when to try again.
func (e *BusyError) Error() string {
	return fmt.Sprintf("%v, try again in %v", ErrBusy, e.RetryAfter.Round(time.Millisecond))
}

// Unwrap returns ErrBusy.
func (e *BusyError) Unwrap() error { return ErrBusy }

// LimitError is ErrLimit by nodes that say more: errors.Is(err, ErrLimit) holds.
type LimitError struct {
	Refusals   []LimitRefusal
	RetryAfter time.Duration // the soonest that any of them may have room, 0 if none says
}

// LimitRefusal is one node that did not keep the object: a root of it, or this node itself.
type LimitRefusal struct {
	By         ID
	Limit      string        // of what there is too much, in words; "not said which" by a node of another version
	RetryAfter time.Duration // 0 if it does not say
}

// Error names the nodes, their limits, and when to try again.
func (e *LimitError) Error() string {
	var b strings.Builder
	b.WriteString(ErrLimit.Error())
	for i, r := range e.Refusals {
		fmt.Fprintf(&b, "%s %s (%s)", [...]string{": by", ", by"}[min(i, 1)], r.By.Short(), r.Limit)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, "; try again in %v", e.RetryAfter.Round(time.Millisecond))
	}
	return b.String()
}

// Unwrap returns ErrLimit.
func (e *LimitError) Unwrap() error { return ErrLimit }

func limitError(o *env.Outcome) error {
	if len(o.Refused) == 0 && o.RetryAfter == 0 {
		return ErrLimit
	}
	e := &LimitError{RetryAfter: o.RetryAfter}
	for _, r := range o.Refused {
		e.Refusals = append(e.Refusals, LimitRefusal{r.By, r.Limit.String(), r.RetryAfter})
		if r.RetryAfter > 0 && (e.RetryAfter == 0 || r.RetryAfter < e.RetryAfter) {
			e.RetryAfter = r.RetryAfter
		}
	}
	return e
}

// OpError says which verb failed, and for what.
type OpError struct {
	Op  string // the verb: "join", "publish", "locate", …
	ID  ID     // the object or node it was about; zero if about none
	Err error  // one of the errors above, a context's error, or the cause
}

// Error prints the verb, the ID if there is one, and the cause.
func (e *OpError) Error() string {
	if e.ID.IsZero() {
		return fmt.Sprintf("tapestry: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("tapestry: %s %s: %v", e.Op, e.ID, e.Err)
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// checkApp refuses an application that cannot be named on the wire.
func checkApp(op string, key pointers.Key) error {
	if key.App != "" && key.Valid() {
		return nil
	}
	return &OpError{Op: op, ID: key.GUID, Err: fmt.Errorf("%w: application ID of %d bytes: want 1 to %d bytes of UTF-8",
		ErrOption, len(key.App), wire.MaxApp)}
}

// statusErrors translates what the core says of a request into what callers branch on.
var statusErrors = map[env.Status]error{
	env.Absent:         ErrNotFound,
	env.Unknown:        ErrUnknown,
	env.NotJoined:      ErrNotJoined,
	env.NoRoute:        ErrNoRoute,
	env.NoHandler:      ErrNoHandler,
	env.Busy:           ErrBusy,
	env.TooLarge:       ErrPayloadTooLarge,
	env.TimedOut:       context.DeadlineExceeded,
	env.MaybeDelivered: ErrMaybeDelivered,
	env.Invalid:        ErrInvalid,
}

// outcomeError is nil if o is env.OK, else the error that stands for its status.
func outcomeError(o *env.Outcome) error {
	if o.Status == env.OK {
		return nil
	}
	if o.Status == env.Busy && o.RetryAfter > 0 {
		return &BusyError{o.RetryAfter}
	}
	if o.Status == env.Limit {
		return limitError(o)
	}
	if err, ok := statusErrors[o.Status]; ok {
		return err
	}
	return fmt.Errorf("ended with status %v", o.Status)
}
