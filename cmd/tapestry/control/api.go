// Package control is the daemon's control API: JSON over HTTP on a unix socket in
// the state directory, which only the daemon's own user can open.
//
// Every verb is POST /v1/VERB with its request as the body and its reply as the
// answer; GET /v1/objects/GUID gives a file's bytes. The header Timeout bounds a
// request, so that the daemon answers before its caller loses patience. What goes
// wrong is answered as {"error": {"code", "message"}} with one of the Codes.
package control

import (
	"context"
	"io"

	"github.com/tapestry-dolr/tapestry"
)

// API is what the daemon does for the command. Errors that are an *Error keep their
// code; others get one by CodeOf.
type API interface {
	Publish(ctx context.Context, q PublishRequest) (PublishReply, error)
	Unpublish(ctx context.Context, q UnpublishRequest) (UnpublishReply, error)
	PublishObjects(ctx context.Context, q ObjectsRequest) (ObjectsReply, error)
	UnpublishObjects(ctx context.Context, q ObjectsRequest) (ObjectsReply, error)
	Locate(ctx context.Context, q LocateRequest) (LocateReply, error)
	Route(ctx context.Context, q RouteRequest) (RouteReply, error)
	Multicast(ctx context.Context, q MulticastRequest) (MulticastReply, error)
	Explain(ctx context.Context, q ExplainRequest) (ExplainReply, error)
	Status(ctx context.Context, q StatusRequest) (StatusReply, error)
	// Fetch gets a file whole and right before it returns; whoever asked closes it.
	Fetch(ctx context.Context, g tapestry.GUID) (io.ReadCloser, Fetched, error)
}

// PublishRequest: publish these files, and every regular file of these folders.
type PublishRequest struct {
	Paths []string `json:"paths"` // absolute
}

// PublishReply says what is published now and what is not.
type PublishReply struct {
	Placed []Object  `json:"placed"`
	Failed []Failure `json:"failed"`
}

// Object is a file that is published.
type Object struct {
	GUID tapestry.GUID `json:"guid"`
	Path string        `json:"path"`
	Size int64         `json:"size"`
}

// Failure is a file that is not, and why.
type Failure struct {
	GUID   tapestry.GUID `json:"guid"`
	Path   string        `json:"path"`
	Reason string        `json:"reason"`
}

// ObjectsRequest: publish these objects, which others serve by way of this node, or take them back.
type ObjectsRequest struct {
	App   tapestry.AppID  `json:"app"`
	GUIDs []tapestry.GUID `json:"guids"`
}

// ObjectsReply says for how many that was done, and for which it was not.
type ObjectsReply struct {
	Done   int              `json:"done"`
	Failed []ObjectsFailure `json:"failed"` // tapestry.MaxFailures at most
	More   int              `json:"more"`   // failures beside those
}

// ObjectsFailure is an object for which it was not, and why.
type ObjectsFailure struct {
	GUID   tapestry.GUID `json:"guid"`
	Reason string        `json:"reason"`
}

// UnpublishRequest: take these objects back.
type UnpublishRequest struct {
	GUIDs []tapestry.GUID `json:"guids"`
}

// UnpublishReply lists what was taken back.
type UnpublishReply struct {
	GUIDs []tapestry.GUID `json:"guids"`
}

// LocateRequest: who serves this object?
type LocateRequest struct {
	GUID  tapestry.GUID  `json:"guid"`
	App   tapestry.AppID `json:"app"`
	First bool           `json:"first"` // take the first answer, measure nothing
	All   bool           `json:"all"`   // every server that any root knows; overrides Limit
	Fresh bool           `json:"fresh"` // believe only the object's roots
	Limit int            `json:"limit"` // 0: as the overlay thinks fit
	// Zone, if not empty, is where servers come first, or with LocalOnly alone count.
	Zone      string `json:"zone"`
	LocalOnly bool   `json:"local_only"`
}

// LocateReply lists the servers, nearest first.
type LocateReply struct {
	GUID     tapestry.GUID `json:"guid"`
	Replicas []Replica     `json:"replicas"`
}

// Replica is one server of an object.
type Replica struct {
	ID       tapestry.ID `json:"id"`
	Peer     string      `json:"peer"`
	Addrs    []string    `json:"addrs"`
	RTTMs    float64     `json:"rtt_ms"`
	Measured bool        `json:"measured"`
}

// RouteRequest: carry a message to an object or a node.
type RouteRequest struct {
	To      tapestry.ID    `json:"to"`
	Target  Target         `json:"target"`
	App     tapestry.AppID `json:"app"`
	Message string         `json:"message"`
	Raced   bool           `json:"raced"` // to an object: copies go towards all its roots at once
}

// Target says what To names.
type Target string

// The targets.
const (
	ToObject    Target = "object"    // the nearest server of the object
	ToNode      Target = "node"      // that very node
	ToSurrogate Target = "surrogate" // the node that answers for the ID
)

// RouteReply says who got the message and what came back.
type RouteReply struct {
	Replica Replica       `json:"replica"`
	Hops    int           `json:"hops"`
	Path    []tapestry.ID `json:"path"`
	RTTMs   float64       `json:"rtt_ms"`
	Reply   string        `json:"reply"`
}

// MulticastRequest: carry a message to every node under a prefix.
type MulticastRequest struct {
	Prefix  string         `json:"prefix"` // hex digits; empty: everybody
	App     tapestry.AppID `json:"app"`
	Message string         `json:"message"`
}

// MulticastReply says how far it has come.
type MulticastReply struct {
	Reached int `json:"reached"` // nodes that have it
	Handled int `json:"handled"` // of those, whose application took it
	Failed  int `json:"failed"`  // parts of the overlay that did not answer
}

// ExplainRequest: how does a search for this object go?
type ExplainRequest struct {
	GUID tapestry.GUID  `json:"guid"`
	App  tapestry.AppID `json:"app"`
}

// ExplainReply is the search, hop by hop.
type ExplainReply struct {
	GUID     tapestry.GUID `json:"guid"`
	Answer   string        `json:"answer"` // found, absent or unknown
	Replicas []Replica     `json:"replicas"`
	Paths    []Path        `json:"paths"`          // how each root was asked
	Laid     []Path        `json:"laid"`           // how the daemon laid its own pointers, if it publishes the object
	Text     string        `json:"text,omitempty"` // all of it, for people
}

// Path is the way to one root of the object.
type Path struct {
	Hops []Hop `json:"hops"`
}

// Hop is one node on a path.
type Hop struct {
	Node     tapestry.ID `json:"node"`
	Rule     string      `json:"rule"`
	Level    int         `json:"level"`
	Digit    int         `json:"digit"`
	Pointers int         `json:"pointers"`
	RTTMs    float64     `json:"rtt_ms"`
	HeldMs   float64     `json:"held_ms"`
}

// StatusRequest: how is the daemon? With Wait: once it is a member.
type StatusRequest struct {
	Wait bool `json:"wait"`
}

// StatusReply is the daemon's state.
type StatusReply struct {
	Version string          `json:"version"`
	Addrs   []string        `json:"addrs"` // to give to others as seeds
	UptimeS float64         `json:"uptime_s"`
	Objects []Object        `json:"objects"`
	Node    tapestry.Status `json:"node"`
}

// Fetched says where a file came from.
type Fetched struct {
	GUID     tapestry.GUID `json:"guid"`
	Size     int64         `json:"size"`
	Replica  Replica       `json:"replica"`
	Hops     int           `json:"hops"`
	RTTMs    float64       `json:"rtt_ms"`
	Attempts int           `json:"attempts"`
	Streamed bool          `json:"streamed"`
}
