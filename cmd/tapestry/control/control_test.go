package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

// fake answers every verb with what it was asked, or with fail.
type fake struct {
	fail  error
	hang  bool
	asked any
}

func answer[A any](ctx context.Context, f *fake, q any, a A) (A, error) {
	f.asked = q
	if f.hang {
		<-ctx.Done()
		return a, ctx.Err()
	}
	return a, f.fail
}

func (f *fake) Publish(ctx context.Context, q control.PublishRequest) (control.PublishReply, error) {
	return answer(ctx, f, q, control.PublishReply{Placed: []control.Object{{Path: q.Paths[0]}}})
}

func (f *fake) Unpublish(ctx context.Context, q control.UnpublishRequest) (control.UnpublishReply, error) {
	return answer(ctx, f, q, control.UnpublishReply(q))
}

func (f *fake) PublishObjects(ctx context.Context, q control.ObjectsRequest) (control.ObjectsReply, error) {
	return answer(ctx, f, q, control.ObjectsReply{Done: len(q.GUIDs)})
}

func (f *fake) UnpublishObjects(ctx context.Context, q control.ObjectsRequest) (control.ObjectsReply, error) {
	return answer(ctx, f, q, control.ObjectsReply{More: len(q.GUIDs)})
}

func (f *fake) Locate(ctx context.Context, q control.LocateRequest) (control.LocateReply, error) {
	return answer(ctx, f, q, control.LocateReply{GUID: q.GUID, Replicas: []control.Replica{{RTTMs: 1.5}}})
}

func (f *fake) Route(ctx context.Context, q control.RouteRequest) (control.RouteReply, error) {
	return answer(ctx, f, q, control.RouteReply{Reply: q.Message})
}

func (f *fake) Multicast(ctx context.Context, q control.MulticastRequest) (control.MulticastReply, error) {
	return answer(ctx, f, q, control.MulticastReply{Reached: len(q.Prefix)})
}

func (f *fake) Explain(ctx context.Context, q control.ExplainRequest) (control.ExplainReply, error) {
	return answer(ctx, f, q, control.ExplainReply{Answer: "absent"})
}

func (f *fake) Status(ctx context.Context, q control.StatusRequest) (control.StatusReply, error) {
	return answer(ctx, f, q, control.StatusReply{Version: "v", Node: tapestry.Status{Peer: "\x00\x01p"}})
}

func (f *fake) Fetch(ctx context.Context, g tapestry.GUID) (io.ReadCloser, control.Fetched, error) {
	got, err := answer(ctx, f, g, control.Fetched{GUID: g, Size: 5})
	return io.NopCloser(strings.NewReader("bytes")), got, err
}

// serve serves api on a socket and returns a client of it.
func serve(t *testing.T, api control.API, timeout time.Duration) *control.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(control.Serve(api))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return control.NewClient(path, timeout)
}

func TestEveryVerbCrossesTheSocket(t *testing.T) {
	c, g := serve(t, new(fake), time.Minute), tapestry.GUIDFromBytes([]byte("x"))
	if a, err := c.Publish(t.Context(), control.PublishRequest{Paths: []string{"/p"}}); err != nil || a.Placed[0].Path != "/p" {
		t.Errorf("publish: %+v, %v", a, err)
	}
	if a, err := c.Unpublish(t.Context(), control.UnpublishRequest{GUIDs: []tapestry.GUID{g}}); err != nil || a.GUIDs[0] != g {
		t.Errorf("unpublish: %+v, %v", a, err)
	}
	many := control.ObjectsRequest{App: "a", GUIDs: []tapestry.GUID{g, {}}}
	if a, err := c.PublishObjects(t.Context(), many); err != nil || a.Done != 2 {
		t.Errorf("publish objects: %+v, %v", a, err)
	}
	if a, err := c.UnpublishObjects(t.Context(), many); err != nil || a.More != 2 {
		t.Errorf("unpublish objects: %+v, %v", a, err)
	}
	if a, err := c.Locate(t.Context(), control.LocateRequest{GUID: g}); err != nil || a.GUID != g || a.Replicas[0].RTTMs != 1.5 {
		t.Errorf("locate: %+v, %v", a, err)
	}
	if a, err := c.Route(t.Context(), control.RouteRequest{To: g, Message: "hello"}); err != nil || a.Reply != "hello" {
		t.Errorf("route: %+v, %v", a, err)
	}
	if a, err := c.Explain(t.Context(), control.ExplainRequest{GUID: g}); err != nil || a.Answer != "absent" {
		t.Errorf("explain: %+v, %v", a, err)
	}
	if a, err := c.Status(t.Context(), control.StatusRequest{}); err != nil || a.Version != "v" {
		t.Errorf("status: %+v, %v", a, err)
	}
	body, got, err := c.Fetch(t.Context(), g)
	if err != nil || got.GUID != g {
		t.Fatalf("fetch: %+v, %v", got, err)
	}
	defer body.Close()
	if b, err := io.ReadAll(body); err != nil || string(b) != "bytes" {
		t.Errorf("fetch: %q, %v", b, err)
	}
}

func TestErrorsKeepTheirCodeAcrossTheSocket(t *testing.T) {
	for err, want := range map[error]control.Code{
		tapestry.ErrNotFound:          control.NotFound,
		tapestry.ErrUnknown:           control.Unknown,
		tapestry.ErrNotJoined:         control.NotJoined,
		tapestry.ErrNoRoute:           control.NoRoute,
		tapestry.ErrNoHandler:         control.NoHandler,
		tapestry.ErrPayloadTooLarge:   control.TooLarge,
		tapestry.ErrBusy:              control.Busy,
		tapestry.ErrLimit:             control.Limit,
		tapestry.ErrInvalid:           control.Invalid,
		tapestry.ErrDatastore:         control.Datastore,
		tapestry.ErrMaybeDelivered:    control.Maybe,
		context.DeadlineExceeded:      control.Timeout,
		errors.New("something broke"): control.Internal,
	} {
		c := serve(t, &fake{fail: fmt.Errorf("deep inside: %w", &tapestry.OpError{Op: "locate", Err: err})}, time.Minute)
		_, got := c.Locate(t.Context(), control.LocateRequest{})
		if control.CodeOf(got) != want || !strings.Contains(got.Error(), err.Error()) {
			t.Errorf("%v came as %s: %v", err, control.CodeOf(got), got)
		}
		if _, _, got := c.Fetch(t.Context(), tapestry.GUID{}); control.CodeOf(got) != want {
			t.Errorf("fetch: %v came as %s", err, control.CodeOf(got))
		}
	}
}

func TestABusyDaemonSaysWhenToTryAgain(t *testing.T) {
	api := &fake{fail: &tapestry.OpError{Op: "locate", Err: &tapestry.BusyError{RetryAfter: 1200 * time.Millisecond}}}
	w := httptest.NewRecorder()
	control.Serve(api).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/locate", strings.NewReader("{}")))
	if got := w.Header().Get("Retry-After"); w.Code != http.StatusServiceUnavailable || got != "2" {
		t.Errorf("status %d, Retry-After %q: want 503, 2 (seconds)", w.Code, got)
	}
	if !strings.Contains(w.Body.String(), "try again in 1.2s") {
		t.Errorf("it says %s", w.Body)
	}
}

func TestAFullOverlaySaysWhenToTryAgain(t *testing.T) {
	api := &fake{fail: &tapestry.OpError{Op: "publish", Err: &tapestry.LimitError{
		Refusals: []tapestry.LimitRefusal{{By: tapestry.ID{0xab}, Limit: "pointers of one server"}}, RetryAfter: 30 * time.Second,
	}}}
	w := httptest.NewRecorder()
	control.Serve(api).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/publish", strings.NewReader(`{"paths":["/a"]}`)))
	if got := w.Header().Get("Retry-After"); w.Code != http.StatusInsufficientStorage || got != "30" {
		t.Errorf("status %d, Retry-After %q: want 507, 30 (seconds)", w.Code, got)
	}
	if !strings.Contains(w.Body.String(), "by ab000000 (pointers of one server); try again in 30s") || !strings.Contains(w.Body.String(), `"limit"`) {
		t.Errorf("it says %s", w.Body)
	}
}

func TestADaemonThatIsNotThereHasACodeOfItsOwn(t *testing.T) {
	c := control.NewClient(filepath.Join(t.TempDir(), "none"), 0)
	if _, err := c.Status(t.Context(), control.StatusRequest{}); control.CodeOf(err) != control.NoDaemon {
		t.Errorf("%v", err)
	}
}

func TestTheDaemonKnowsHowLongItsCallerWaits(t *testing.T) {
	c := serve(t, &fake{hang: true}, 20*time.Millisecond)
	if _, err := c.Locate(t.Context(), control.LocateRequest{}); control.CodeOf(err) != control.Timeout {
		t.Errorf("%v", err)
	}
}

func TestACallerThatHangsUpIsNotWaitedFor(t *testing.T) {
	c := serve(t, &fake{hang: true}, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Locate(ctx, control.LocateRequest{}); control.CodeOf(err) != control.Timeout {
		t.Errorf("%v", err)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"no JSON":        httptest.NewRequest("POST", "/v1/locate", strings.NewReader("{")),
		"unknown field":  httptest.NewRequest("POST", "/v1/locate", strings.NewReader(`{"guild": ""}`)),
		"bad GUID":       httptest.NewRequest("POST", "/v1/locate", strings.NewReader(`{"guid": "12"}`)),
		"bad object":     httptest.NewRequest("GET", "/v1/objects/12", nil),
		"huge":           httptest.NewRequest("POST", "/v1/route", strings.NewReader(`{"message":"`+strings.Repeat("x", 2<<20)+`"}`)),
		"bad timeout":    withTimeout("soon"),
		"negative":       withTimeout("-1s"),
		"nothing at all": httptest.NewRequest("POST", "/v1/status", nil),
	} {
		w := httptest.NewRecorder()
		control.Serve(new(fake)).ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"bad_request"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func withTimeout(text string) *http.Request {
	r := httptest.NewRequest("POST", "/v1/status", strings.NewReader("{}"))
	r.Header.Set("Timeout", text)
	return r
}
