package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tapestry-dolr/tapestry"
)

// Names in requests and answers.
const (
	timeoutHeader = "Timeout"
	fetchedHeader = "Fetched"
	maxRequest    = 1 << 20 // bytes of a request's body
)

// Serve returns the control API as an HTTP handler.
func Serve(api API) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/publish", verb(api.Publish))
	mux.Handle("POST /v1/unpublish", verb(api.Unpublish))
	mux.Handle("POST /v1/publish-objects", verb(api.PublishObjects))
	mux.Handle("POST /v1/unpublish-objects", verb(api.UnpublishObjects))
	mux.Handle("POST /v1/locate", verb(api.Locate))
	mux.Handle("POST /v1/route", verb(api.Route))
	mux.Handle("POST /v1/multicast", verb(api.Multicast))
	mux.Handle("POST /v1/explain", verb(api.Explain))
	mux.Handle("POST /v1/status", verb(api.Status))
	mux.Handle("GET /v1/objects/{guid}", object(api))
	return mux
}

// verb serves one verb of the API.
func verb[Q, A any](do func(context.Context, Q) (A, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel, err := bounded(r)
		if err != nil {
			refuse(w, err)
			return
		}
		defer cancel()
		var q Q
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil {
			refuse(w, &Error{BadRequest, "request: " + err.Error()})
			return
		}
		a, err := do(ctx, q)
		if err != nil {
			refuse(w, err)
			return
		}
		answer(w, http.StatusOK, a)
	}
}

// object serves a file's bytes.
func object(api API) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel, err := bounded(r)
		if err != nil {
			refuse(w, err)
			return
		}
		defer cancel()
		g, err := tapestry.ParseID(r.PathValue("guid"))
		if err != nil {
			refuse(w, &Error{BadRequest, err.Error()})
			return
		}
		body, got, err := api.Fetch(ctx, g)
		if err != nil {
			refuse(w, err)
			return
		}
		defer body.Close()
		about, err := json.Marshal(got)
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set(fetchedHeader, string(about))
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", fmt.Sprint(got.Size))
		// A caller that hung up is no error of ours, and has nobody to be told.
		_, _ = io.Copy(w, body)
	}
}

// bounded is r's context with the deadline that its header asks for.
func bounded(r *http.Request) (context.Context, context.CancelFunc, error) {
	text := r.Header.Get(timeoutHeader)
	if text == "" {
		ctx, cancel := context.WithCancel(r.Context())
		return ctx, cancel, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return nil, nil, &Error{BadRequest, fmt.Sprintf("header %s: %q is no duration", timeoutHeader, text)}
	}
	ctx, cancel := context.WithTimeout(r.Context(), d)
	return ctx, cancel, nil
}

// refusal is the answer to a request that was not served.
type refusal struct {
	Error Error `json:"error"`
}

func refuse(w http.ResponseWriter, err error) {
	code := CodeOf(err)
	if after := retryAfter(err); after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
	answer(w, code.status(), refusal{Error{code, err.Error()}})
}

// retryAfter is when to try again, 0 if err does not say.
func retryAfter(err error) time.Duration {
	var busy *tapestry.BusyError
	var limit *tapestry.LimitError
	switch {
	case errors.As(err, &busy):
		return busy.RetryAfter
	case errors.As(err, &limit):
		return limit.RetryAfter
	}
	return 0
}

func answer(w http.ResponseWriter, status int, a any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A caller that hung up is no error of ours, and has nobody to be told.
	_ = json.NewEncoder(w).Encode(a)
}
