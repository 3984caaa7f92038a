package control

import (
	"context"
	"errors"
	"net/http"

	"github.com/tapestry-dolr/tapestry"
)

// Code is why a request was not served, in one word.
type Code string

// The codes.
const (
	NotFound   Code = "not_found"
	Unknown    Code = "unknown" // the overlay could not tell
	Timeout    Code = "timeout"
	Maybe      Code = "maybe_delivered"
	NoRoute    Code = "no_route"
	NoHandler  Code = "no_handler"
	NotJoined  Code = "not_joined"
	TooLarge   Code = "too_large"
	Busy       Code = "busy"
	Limit      Code = "limit"     // of the nodes that would store the object
	Invalid    Code = "invalid"   // the record, by the nodes that would store the object
	Datastore  Code = "datastore" // the daemon's, which is full, read-only or damaged
	BadRequest Code = "bad_request"
	Internal   Code = "error"
	NoDaemon   Code = "no_daemon" // the socket does not answer; only the client says so
)

// Error is a request that was not served.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// codes maps what the overlay's verbs end with, the more telling before the less.
var codes = []struct {
	err  error
	code Code
}{
	{tapestry.ErrNotFound, NotFound},
	{tapestry.ErrUnknown, Unknown},
	{tapestry.ErrMaybeDelivered, Maybe},
	{tapestry.ErrNoRoute, NoRoute},
	{tapestry.ErrNoHandler, NoHandler},
	{tapestry.ErrNotJoined, NotJoined},
	{tapestry.ErrPayloadTooLarge, TooLarge},
	{tapestry.ErrBusy, Busy},
	{tapestry.ErrLimit, Limit},
	{tapestry.ErrInvalid, Invalid},
	{tapestry.ErrDatastore, Datastore},
	{tapestry.ErrOption, BadRequest},
	{context.DeadlineExceeded, Timeout},
	{context.Canceled, Timeout},
}

// CodeOf is the code of any error.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return Internal
}

// statuses are the HTTP statuses of the codes that are not the server's own fault.
var statuses = map[Code]int{
	NotFound: http.StatusNotFound, BadRequest: http.StatusBadRequest, TooLarge: http.StatusRequestEntityTooLarge,
	Unknown: http.StatusGatewayTimeout, Timeout: http.StatusGatewayTimeout, Maybe: http.StatusGatewayTimeout,
	NotJoined: http.StatusServiceUnavailable, Busy: http.StatusServiceUnavailable,
	Limit: http.StatusInsufficientStorage, Datastore: http.StatusInsufficientStorage,
	NoRoute: http.StatusBadGateway, NoHandler: http.StatusBadGateway, Invalid: http.StatusBadGateway,
}

func (c Code) status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}
