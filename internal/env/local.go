package env

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Local is a message from this node to itself: from the face, from the world, or
// from machine to machine. The list is closed; wire cannot encode any of it and no
// peer can send it.
type Local interface{ local() }

// ---- from the world ----

// Unreachable: a SendDial to Peer could not open a link.
type Unreachable struct{ Peer idspace.ID }

// LinkOpened: a link to Peer has been opened, and what waited for it leaves now.
type LinkOpened struct {
	Peer   idspace.ID
	Dialed bool // this node has dialed it, at its address
}

// LinkClosed: the connection to Peer has gone.
type LinkClosed struct{ Peer idspace.ID }

// SelfChanged: this node's own record is new (its addresses, its version, its lease).
type SelfChanged struct {
	Record *wire.SignedRecord
	Lease  *lease.Chain // that the record names, if it is another one
}

// ---- from the face; Call names the answer, which comes back as an Outcome ----

// Call is 64 random bits that name one request and its answer.
type Call uint64

// JoinRequest: become a member by way of one of Seeds; no seeds founds an overlay.
type JoinRequest struct {
	Call  Call
	Seeds []idspace.ID
}

// Seeds: the world has looked up again where an overlay may be found: by what the user
// named, and by neighbors remembered from an earlier life. To membership.
type Seeds struct{ IDs []idspace.ID }

// LeaveRequest: hand over and say goodbye.
type LeaveRequest struct{ Call Call }

// PublishRequest: this node serves GUID for App.
type PublishRequest struct {
	Call     Call
	GUID     idspace.ID
	App      string
	Deadline mono.Time
	Explain  bool
}

// PublishBatchRequest: this node serves all objects of Part, which is a whole batch, for App.
type PublishBatchRequest struct {
	Call     Call
	App      string
	Part     *batch.Part
	Deadline mono.Time
}

// UnpublishRequest: this node serves GUID for App no longer.
type UnpublishRequest struct {
	Call     Call
	GUID     idspace.ID
	App      string
	Deadline mono.Time
}

// LocateRequest: who serves GUID for App? Answered with Located, to the machine
// For or, if that is Face, as an Outcome.
type LocateRequest struct {
	Call     Call
	For      Room
	GUID     idspace.ID
	App      string
	Limit    int    // most replicas wanted
	First    bool   // the first answer will do; otherwise gather and measure
	All      bool   // tell every server as it is found, and wait for all roots
	Fresh    bool   // believe roots only, and as many as it takes to know of every withdrawal
	Zone     string // servers there come first, or with Local alone count
	Local    bool
	Cached   bool // a cached pointer will do: the servers themselves are asked next
	Explain  bool
	Deadline mono.Time
}

// SendRequest: carry Payload to the node Key (exactly, or its root), or, with
// Object set, to the nearest server of the object Key. With Repeat it may be delivered more
// than once: it is sent again while no answer comes. Raced, to an object, it may be delivered by
// several of its servers: copies go towards all roots at once.
type SendRequest struct {
	Call     Call
	Key      idspace.ID
	Object   bool
	Exact    bool
	App      string
	Payload  []byte
	Signed   bool
	Repeat   bool
	Raced    bool
	Deadline mono.Time
}

// MulticastRequest: carry Payload to every node whose identifier begins with the first
// Digits digits of Prefix.
type MulticastRequest struct {
	Call     Call
	Prefix   idspace.ID
	Digits   int
	App      string
	Payload  []byte
	Signed   bool
	Deadline mono.Time
}

// HandlerReply: the application has handled the message that was delivered as Ticket.
type HandlerReply struct {
	For     Room // of the Upcall
	Ticket  uint64
	Payload []byte
	Error   string       // the handler's own error, "" if none
	Refused wire.Refusal // why it was not handled at all, if it was not
}

// Cancel: nobody waits for Call any more.
type Cancel struct{ Call Call }

// ---- from machine to machine ----

// Heard: routing had an acknowledgement from Peer after RTT. To heartbeat.
type Heard struct {
	Peer idspace.ID
	RTT  time.Duration
}

// Missed: routing had no acknowledgement from Peer in time. To heartbeat.
type Missed struct{ Peer idspace.ID }

// Probe: is Peer alive, and may this node use it? To heartbeat, which answers with
// a Verdict. UseNone measures only.
type Probe struct {
	Peer idspace.ID
	Use  wire.Use
	For  Room
}

// Verdict answers Probe; for Heartbeat nobody: an answer came when its series was over.
type Verdict struct {
	Peer    idspace.ID
	For     Room
	Alive   bool
	Refused bool // alive, but its links or ours are at their cap
	RTT     time.Duration
	Coord   wire.Coord // where it says that it is
	By      idspace.ID // not alive: who reaches it nevertheless, zero if nobody is known to
}

// Use: this node uses Peer so from now on; UseNone lets it go. To heartbeat.
type Use struct {
	Peer    idspace.ID
	Use     wire.Use
	Protect bool // leaf set, or primary of level 0 or 1: must not be trimmed
	// Generation is that of Peer's record: deaths are told with it.
	Generation uint64
}

// Hints: a neighbor says that these nodes are dead. From membership to heartbeat, which
// sees for itself.
type Hints struct {
	From   idspace.ID
	Refs   []byte // short references
	Silent bool   // it does not say so: it does not name them where it would, and may not have met them
}

// Pointed: Peer began to point at this node. From heartbeat to membership: a
// candidate whose link is already paid for.
type Pointed struct{ Peer idspace.ID }

// Up, Suspect and Down are heartbeat's judgements of a neighbor. To membership.
type (
	Up      struct{ Peer idspace.ID }
	Suspect struct{ Peer idspace.ID }
	Down    struct {
		Peer  idspace.ID
		Why   DownReason
		Heirs []byte     // short references that a leaving neighbor named as replacements
		By    idspace.ID // CutOff: who reaches it
	}
)

// DownReason is why a neighbor can no longer be used.
type DownReason uint8

// The reasons.
const (
	Dead     DownReason = iota // it did not answer any probe
	Left                       // it said goodbye
	Unlinked                   // it or we are at the cap of links and let go
	CutOff                     // this node does not reach it, and somebody else does
)

// State is what observers are told of a neighbor that went for this reason.
func (r DownReason) State() NeighborState {
	return [...]NeighborState{Dead: NeighborDead, Left: NeighborLeft, Unlinked: NeighborUnlinked, CutOff: NeighborCutOff}[r]
}

// Changed: the neighbor map or leaf set is not what it was, or a neighbor's state is
// not. From membership to routing, then publish, in that order.
type Changed struct {
	Added, Removed []idspace.ID
	Dead           []idspace.ID // of Removed, those found dead or gone by their own word
}

// Named: a witness says that this node stands where this one's map has nobody: does it
// live, and may it be used? From witness to membership, which answers Judged when its gate
// has decided. Alive does not mean that it is in a table: it, or this node, may have no room.
type (
	Named  struct{ Record *wire.SignedRecord }
	Judged struct {
		Peer  idspace.ID
		Alive bool
		By    idspace.ID // alive, but not for this node: who reaches it
	}
)

// Witnessed: more is known of a hole. From witness to routing.
type Witnessed struct{}

// Strangers: an overlay has been met that this one did not know of. Until then nothing is
// known to be absent. From membership to locate and witness.
type Strangers struct{ Until mono.Time }

// Activated: this node is a member now. From membership to publish and locate.
type Activated struct{}

// Drained: what this node has passed on before it was a member has been answered. From
// routing to membership.
type Drained struct{}

// Stalled: this node did not run for a while, and what it believes is as old. From heartbeat
// to membership.
type Stalled struct{ For time.Duration }

// Departing: this node has said goodbye; nobody may point at it any more. From
// membership to heartbeat. Departed: it is no member any more. To routing.
type (
	Departing struct{}
	Departed  struct{}
)

// Insert: spread the insertion of a joining node over its need-to-know nodes, those that
// share the first Digits digits of its ID (JSAC §III-C). From membership to multicast,
// which answers Inserted.
type Insert struct {
	Node      idspace.ID
	Digits    int
	Insertion *wire.Insertion
}

// Inserted: the multicast that Insert began has ended: how many nodes it reached, and
// how many it could not account for.
type Inserted struct {
	Node            idspace.ID
	Reached, Failed int
}

// Inserting: this node has to know the node of Insertion. From multicast to membership,
// which answers InsertingDone with the same Spread.
type Inserting struct {
	Spread    uint64
	Insertion *wire.Insertion
}

// InsertingDone: this node points at the new one and has handed over to it what is now its
// own, or need not; Failed if neither. From membership to multicast.
type InsertingDone struct {
	Spread uint64
	Failed bool
}

// Released: Peer has taken note of this node's goodbye. From heartbeat to membership.
type Released struct{ Peer idspace.ID }

// Unpinned: all whom this node told of Node have answered. From multicast to membership.
type Unpinned struct{ Node idspace.ID }

// HandOver: bring to To every pointer that a path takes there from here. From membership to
// publish, which answers HandedOver. Without To: to whoever is next when this node leaves.
type (
	HandOver   struct{ To idspace.ID }
	HandedOver struct{ To idspace.ID }
)

// Settled: those to whom this node has laid copies of a server's pointer beside its paths have its
// newest record, or had long enough. From tree to publish.
type Settled struct {
	GUID   idspace.ID
	App    string
	Server idspace.ID
}

// Located answers LocateRequest.
type Located struct {
	Call     Call
	Status   Status
	Replicas []Replica
	Notes    [][]*wire.HopNote // one list of hops per root asked, if asked to explain
}

// Fetch: an object is popular of which no pointer lies here; ask for some towards a key, to be cached. Of locate
// to itself.
type Fetch struct {
	GUID    idspace.ID
	App     string
	Towards idspace.ID
}

// Withdraw: take everything that this node published away; it leaves. From
// membership to publish, which answers Withdrawn.
type (
	Withdraw  struct{}
	Withdrawn struct{}
)

func (*Unreachable) local()         {}
func (*LinkOpened) local()          {}
func (*LinkClosed) local()          {}
func (*SelfChanged) local()         {}
func (*JoinRequest) local()         {}
func (*Seeds) local()               {}
func (*LeaveRequest) local()        {}
func (*PublishRequest) local()      {}
func (*PublishBatchRequest) local() {}
func (*UnpublishRequest) local()    {}
func (*LocateRequest) local()       {}
func (*SendRequest) local()         {}
func (*HandlerReply) local()        {}
func (*Cancel) local()              {}
func (*Heard) local()               {}
func (*Missed) local()              {}
func (*Probe) local()               {}
func (*Verdict) local()             {}
func (*Use) local()                 {}
func (*Hints) local()               {}
func (*Pointed) local()             {}
func (*Up) local()                  {}
func (*Suspect) local()             {}
func (*Down) local()                {}
func (*Changed) local()             {}
func (*Strangers) local()           {}
func (*Stalled) local()             {}
func (*Named) local()               {}
func (*Judged) local()              {}
func (*Witnessed) local()           {}
func (*Activated) local()           {}
func (*Drained) local()             {}
func (*Departing) local()           {}
func (*Departed) local()            {}
func (*Located) local()             {}
func (*Fetch) local()               {}
func (*MulticastRequest) local()    {}
func (*Insert) local()              {}
func (*Inserted) local()            {}
func (*Inserting) local()           {}
func (*InsertingDone) local()       {}
func (*Unpinned) local()            {}
func (*Released) local()            {}
func (*HandOver) local()            {}
func (*HandedOver) local()          {}
func (*Settled) local()             {}
func (*Withdraw) local()            {}
func (*Withdrawn) local()           {}
