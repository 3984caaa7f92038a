package env

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Delivery is what leaves a node towards its application: an Outcome or an Upcall.
type Delivery interface{ delivery() }

// Status is how a request ended.
type Status uint8

// The ways a request ends.
const (
	OK             Status = iota
	Absent                // the roots agree that there is no such object
	Unknown               // the roots could not be asked
	NotJoined             // this node is no member
	NoRoute               // no node to give the message to, or not the one named
	NoHandler             // no process of that name at the node that the message reached
	Busy                  // too much under way, here or there
	TooLarge              // payload beyond wire.MaxPayload
	TimedOut              // nothing was delivered before the deadline
	MaybeDelivered        // the message may have been delivered, its reply did not come
	Limit                 // a limit of the storing node forbids it
	Invalid               // the nodes asked do not accept this node's record
)

var statusNames = [...]string{
	"ok", "absent", "unknown", "not joined", "no route", "no handler", "busy", "payload too large",
	"timed out", "maybe delivered", "limit", "invalid",
}

// String is the status in traces.
func (s Status) String() string { return statusNames[s] }

// StatusOf translates what a peer refused into what the caller is told.
func StatusOf(r wire.Refusal) Status {
	switch r {
	case wire.Refusal_REFUSAL_NONE:
		return OK
	case wire.Refusal_REFUSAL_NO_HANDLER:
		return NoHandler
	case wire.Refusal_REFUSAL_BUSY:
		return Busy
	case wire.Refusal_REFUSAL_TOO_LARGE:
		return TooLarge
	case wire.Refusal_REFUSAL_NOT_JOINED, wire.Refusal_REFUSAL_UNSURE:
		return Unknown
	case wire.Refusal_REFUSAL_LIMIT:
		return Limit
	case wire.Refusal_REFUSAL_DUPLICATE:
		return MaybeDelivered
	case wire.Refusal_REFUSAL_INVALID:
		return Invalid
	}
	return NoRoute
}

// Replica is one server of an object, as an asker sees it.
type Replica struct {
	Server   idspace.ID
	Record   *wire.SignedRecord // the server's node record: where it can be dialed
	RTT      time.Duration      // measured by this node if Measured, else estimated by the pointer's holder
	Measured bool
	Via      []idspace.ID // the way to who has named it, after this node; none if it was this one
	Coord    wire.Coord   // where it is, if that was said
	Doors    []byte       // by whom it is reached, as packed server references, if that was said
}

// Found are servers that the locate Call has come to know, none of them twice: before its Outcome,
// if it was asked for All.
type Found struct {
	Call     Call
	Replicas []Replica
}

// Outcome ends the request Call of the face.
type Outcome struct {
	Call      Call
	Status    Status
	Replicas  []Replica         // locate
	Placed    []idspace.ID      // publish: the roots that acknowledged
	Missing   []idspace.ID      // publish a batch: the objects that too few roots are known to have
	Overtaken []idspace.ID      // publish a batch: the objects that were taken back before it ended
	Replica   Replica           // send: who answered
	Path      []idspace.ID      // send: the nodes that the message passed, origin and target included
	RTT       time.Duration     // send: from departure to reply
	Reply     []byte            // send
	Error     string            // send: the handler's own error
	Notes     [][]*wire.HopNote // explain: one list of hops per root
	Spread    Spread            // multicast

	RetryAfter time.Duration // if Status is Busy or Limit: when to try again, 0 if that is not known
	Refused    []Refused     // if Status is Limit: who said so, as far as that is known
}

// Refused is a node that a limit forbids to keep what was published: a root of the object, or
// the publisher itself.
type Refused struct {
	By         idspace.ID
	Limit      LimitKind
	RetryAfter time.Duration // 0 if that is not known
}

// LimitKind is of what there is too much.
type LimitKind uint8

// The limits (design §8).
const (
	LimitUnsaid LimitKind = iota
	LimitServer           // pointers of one server
	LimitObject           // servers of one object
	LimitNode             // pointers at one node
	LimitBytes            // bytes of pointers at one node
	LimitPeer             // pointers, or bytes of them, that one peer has brought
	LimitServed           // objects of one server, at that server
)

var limitNames = [...]string{
	"not said which", "pointers of one server", "servers of the object", "pointers at one node",
	"bytes of pointers at one node", "pointers brought by one peer", "objects published here",
}

// LimitOf translates which limit a peer has named; one that is not known is not said.
func LimitOf(l wire.Limit) LimitKind {
	if l < wire.Limit_LIMIT_UNSAID || l > wire.Limit_LIMIT_PEER {
		return LimitUnsaid
	}
	return LimitKind(l)
}

// String is the limit as the caller is told.
func (k LimitKind) String() string { return limitNames[min(int(k), len(limitNames)-1)] }

// Spread is how far a multicast has come.
type Spread struct {
	Reached int // nodes that have it
	Handled int // of those, whose application took it without an error
	Failed  int // branches of the tree that did not answer in time
}

// Upcall hands a message to the application process App. The world answers with a
// HandlerReply of the same Ticket.
type Upcall struct {
	For     Room // who waits for the reply: Messages, or Multicast
	Ticket  uint64
	App     string
	GUID    idspace.ID // the object that the message was sent to, zero if to a node
	Key     idspace.ID // the key that it was routed to
	Call    Call
	From    idspace.ID         // who says to have sent it
	Origin  *wire.SignedRecord // its signature, nil if it did not sign; the world checks it
	Payload []byte
	Race    uint64 // names a raced message, of which other copies may come; 0 if it is none
	// Deadline is when nobody waits for the answer any more; zero if that is not known.
	Deadline mono.Time
}

func (*Found) delivery()   {}
func (*Outcome) delivery() {}
func (*Upcall) delivery()  {}
