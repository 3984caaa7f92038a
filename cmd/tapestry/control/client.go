package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/tapestry-dolr/tapestry"
)

// grace is how long the daemon gets beyond a request's timeout to say so itself.
const grace = 2 * time.Second

// Client speaks to the daemon behind one socket.
type Client struct {
	socket  string
	timeout time.Duration
	http    http.Client
}

var _ API = (*Client)(nil)

// NewClient returns a client of the daemon whose control socket is at path. timeout
// bounds each request; 0 leaves that to the context.
func NewClient(path string, timeout time.Duration) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{socket: path, timeout: timeout, http: http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Publish asks for files to be published.
func (c *Client) Publish(ctx context.Context, q PublishRequest) (PublishReply, error) {
	return call[PublishReply](ctx, c, "publish", q)
}

// Unpublish asks for objects to be taken back.
func (c *Client) Unpublish(ctx context.Context, q UnpublishRequest) (UnpublishReply, error) {
	return call[UnpublishReply](ctx, c, "unpublish", q)
}

// PublishObjects asks for objects to be published that are no files.
func (c *Client) PublishObjects(ctx context.Context, q ObjectsRequest) (ObjectsReply, error) {
	return call[ObjectsReply](ctx, c, "publish-objects", q)
}

// UnpublishObjects asks for them to be taken back.
func (c *Client) UnpublishObjects(ctx context.Context, q ObjectsRequest) (ObjectsReply, error) {
	return call[ObjectsReply](ctx, c, "unpublish-objects", q)
}

// Locate asks who serves an object.
func (c *Client) Locate(ctx context.Context, q LocateRequest) (LocateReply, error) {
	return call[LocateReply](ctx, c, "locate", q)
}

// Route sends a message.
func (c *Client) Route(ctx context.Context, q RouteRequest) (RouteReply, error) {
	return call[RouteReply](ctx, c, "route", q)
}

// Multicast sends a message to many.
func (c *Client) Multicast(ctx context.Context, q MulticastRequest) (MulticastReply, error) {
	return call[MulticastReply](ctx, c, "multicast", q)
}

// Explain asks how a search goes.
func (c *Client) Explain(ctx context.Context, q ExplainRequest) (ExplainReply, error) {
	return call[ExplainReply](ctx, c, "explain", q)
}

// Status asks how the daemon is.
func (c *Client) Status(ctx context.Context, q StatusRequest) (StatusReply, error) {
	return call[StatusReply](ctx, c, "status", q)
}

// Fetch asks for a file.
func (c *Client) Fetch(ctx context.Context, g tapestry.GUID) (io.ReadCloser, Fetched, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url("objects/"+g.String()), nil)
	if err != nil {
		return nil, Fetched{}, err
	}
	response, err := c.send(r)
	if err != nil {
		return nil, Fetched{}, err
	}
	var got Fetched
	if err := json.Unmarshal([]byte(response.Header.Get(fetchedHeader)), &got); err != nil {
		response.Body.Close()
		return nil, got, fmt.Errorf("daemon's answer: header %s: %w", fetchedHeader, err)
	}
	return response.Body, got, nil
}

func url(path string) string { return "http://daemon/v1/" + path }

// call runs one verb.
func call[A any](ctx context.Context, c *Client, name string, q any) (a A, err error) {
	body, err := json.Marshal(q)
	if err != nil {
		return a, err
	}
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout+grace)
		defer cancel()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url(name), bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	response, err := c.send(r)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		return a, fmt.Errorf("daemon's answer: %w", err)
	}
	return a, nil
}

// send returns an answer that is not a refusal; its body is the caller's to close.
func (c *Client) send(r *http.Request) (*http.Response, error) {
	if c.timeout > 0 {
		r.Header.Set(timeoutHeader, c.timeout.String())
	}
	response, err := c.http.Do(r)
	var dialing *net.OpError
	switch {
	case errors.As(err, &dialing) && dialing.Op == "dial":
		return nil, &Error{NoDaemon, fmt.Sprintf("no daemon answers at %s: %v", c.socket, dialing.Err)}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil, &Error{Timeout, "no answer from the daemon in time"}
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusOK:
		return response, nil
	}
	defer response.Body.Close()
	var no refusal
	if err := json.NewDecoder(response.Body).Decode(&no); err != nil {
		return nil, fmt.Errorf("daemon's answer %s: %w", response.Status, err)
	}
	return nil, &no.Error
}
