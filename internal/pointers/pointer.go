package pointers

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Key names what is published: an object of an application.
type Key struct {
	GUID idspace.ID
	App  string
}

// Compare orders keys by object, then application.
func (k Key) Compare(o Key) int {
	return cmp.Or(idspace.Compare(k.GUID, o.GUID), strings.Compare(k.App, o.App))
}

// Valid reports whether the wire can carry k. No process has a name that it cannot.
func (k Key) Valid() bool { return len(k.App) <= wire.MaxApp && utf8.ValidString(k.App) }

// String is the key in traces.
func (k Key) String() string { return k.GUID.Short() + "/" + k.App }

// Sequence orders a server's records of one object: by the generation of the
// server, then by a counter (design §8).
type Sequence struct{ Generation, Counter uint64 }

// SequenceOf is that of a record.
func SequenceOf(r *wire.BatchRecord) Sequence { return Sequence{r.Generation, r.Counter} }

// Above reports whether s is higher than o.
func (s Sequence) Above(o Sequence) bool {
	return s.Generation > o.Generation || s.Generation == o.Generation && s.Counter > o.Counter
}

// String is the sequence in traces.
func (s Sequence) String() string { return fmt.Sprintf("%d.%d", s.Generation, s.Counter) }

// State is what a pointer is good for.
type State uint8

// The states of a pointer.
const (
	Live      State = iota
	Withdrawn       // a tombstone: the server took the object back
	Dead            // hidden: the server was found dead; a record that it made later revives it
)

var stateNames = [...]string{"live", "withdrawn", "dead"}

// String is the state in traces.
func (s State) String() string { return stateNames[s] }

// Server is what the pointers of one server share.
type Server struct {
	ID     idspace.ID
	Record *wire.SignedRecord // the newest node record seen: where it can be dialed
	Lease  lease.Seen
	Coord  wire.Coord // where it was when it made its newest token, if that is known
	Doors  []byte     // packed server references: neighbors of its that hand messages to it, by its own word
	Asked  mono.Time  // when it was last said that it is asked for; the tree's

	node     *wire.NodeRecord // what Record says
	buried   mono.Time        // when it was found dead; zero: it was not. A later sign of life brings it back
	doubted  mono.Time        // when somebody said that it is dead; zero: nobody did
	accused  []accusation     // by whom; maxAccused at most
	held     []*Pointer       // all of its pointers, in no order; Pointer.inServer is the place
	branches []*Branch
	headers  map[wire.Sum]*Header // of batches that may be renewed, by their names
}

// Zone is the label of the server's place.
func (sv *Server) Zone() string { return sv.node.GetZone() }

// Anchor is that of the lease that its newest record names; not ok if it names none.
func (sv *Server) Anchor() (anchor lease.Token, ok bool) {
	if sv.node == nil || len(sv.node.Lease) != lease.Size {
		return anchor, false
	}
	return lease.Token(sv.node.Lease), true
}

// Doubted reports whether somebody says that the server is dead.
func (sv *Server) Doubted() bool { return sv.doubted != 0 }

// Lives reports whether nobody has found the server dead.
func (sv *Server) Lives() bool { return sv.buried == 0 }

// Pointer is a directory entry: Server holds Key. It belongs to the Store; others
// only read it.
type Pointer struct {
	Key
	Server  *Server
	State   State
	Latency time.Duration // to the server: measured, else that of the path that it came along

	header   *Header
	laid     []*Laid
	stands   []stand // where it is proven, by several salts; none for a batch of one
	inServer int32   // index in Server.held
	inAll    int32   // index in Store.all
	inHeader int32   // index in header.held
}

// Header is that of the batch under which p is held.
func (p *Pointer) Header() *Header { return p.header }

// Record is the signed record that p is of.
func (p *Pointer) Record() *wire.SignedRecord { return p.header.Signed }

// Sequence is that of its record.
func (p *Pointer) Sequence() Sequence { return p.header.Sequence }

// Expires is when the record's life is over.
func (p *Pointer) Expires() mono.Time { return p.header.at }

// Until is when the pointer counts no longer unless its server is heard of: the latest
// deadline of the branches that brought it, or the end of its record.
func (p *Pointer) Until() (until mono.Time) {
	for _, l := range p.laid {
		if !l.branch.Out {
			until = max(until, l.branch.at)
		}
	}
	return min(until, p.header.at)
}

// Laid lists where p lies, and has come from; a view, not to be changed.
func (p *Pointer) Laid() []*Laid { return p.laid }

// Onward is where p was passed on to on the path of a salt, nil if it was not.
func (p *Pointer) Onward(salt, roots int) *Laid {
	for _, l := range p.laid {
		if l.branch.Out && l.branch.Copy == wire.Copy_COPY_PATH && l.Salt == salt && l.Roots == roots && l.Ends == 0 {
			return l
		}
	}
	return nil
}

// OnPath reports whether p has come along the path of a salt.
func (p *Pointer) OnPath(salt, roots int) bool {
	for _, l := range p.laid {
		if !l.branch.Out && l.branch.Copy == wire.Copy_COPY_PATH && l.Salt == salt && l.Roots == roots {
			return true
		}
	}
	return false
}

func (p *Pointer) comesIn() bool {
	for _, l := range p.laid {
		if !l.branch.Out {
			return true
		}
	}
	return false
}

// String is the pointer in traces.
func (p *Pointer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v at %s seq=%v %v latency=%v until=%v", p.Key, p.Server.ID.Short(), p.Sequence(), p.State, p.Latency, p.Until())
	for _, l := range p.laid {
		arrow := "←"
		if l.branch.Out {
			arrow = "→"
		}
		fmt.Fprintf(&b, " %s%d/%d%s%s", l.branch.Copy.Name(), l.Salt, l.Roots, arrow, l.branch.Peer.Short())
	}
	return b.String()
}

// nearer orders the pointers of one object: live ones first, those last of whose servers
// somebody says that they are dead, then by latency; the server's ID breaks ties, so that the
// order is the same everywhere.
func nearer(a, b *Pointer) int {
	return cmp.Or(
		cmp.Compare(min(a.State, Withdrawn), min(b.State, Withdrawn)),
		cmp.Compare(min(a.Server.doubted, 1), min(b.Server.doubted, 1)),
		cmp.Compare(a.Latency, b.Latency),
		idspace.Compare(a.Server.ID, b.Server.ID),
	)
}

// size is how many bytes of records and proofs p counts for.
func (p *Pointer) size() (n int) {
	if len(p.stands) == 0 {
		return sizeOf(p.Record())
	}
	for _, s := range p.stands {
		n += s.lot.share
	}
	return n
}

func sizeOf(r *wire.SignedRecord) int {
	return len(r.GetPayload()) + len(r.GetPublicKey()) + len(r.GetSignature()) + len(r.GetPayloadType())
}
