package pointers

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
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

	node   *wire.NodeRecord // what Record says
	buried bool             // found dead; only a deposit from itself brings it back
	held   []*Pointer       // all of its pointers, in no order; Pointer.inServer is the place
}

// Path is one salted path that a pointer lies on.
type Path struct {
	Salt, Roots int
	Next        idspace.ID // where the pointer was passed on to; this node itself at the root
	Until       mono.Time  // until when the last deposit along this path counts
}

// Pointer is a directory entry: Server holds Key. It belongs to the Store; others
// only read it.
type Pointer struct {
	Key
	place // in the deadline queue: at is the time of expiry

	Server   *Server
	Sequence Sequence
	State    State
	Record   *wire.SignedRecord
	Latency  time.Duration // to the server: measured, else that of the path that it came along
	From     idspace.ID    // the hop it came from last

	paths    []Path
	inServer int // index in Server.held
	inAll    int // index in Store.all
}

// Expires is when the pointer is forgotten.
func (p *Pointer) Expires() mono.Time { return p.at }

// Paths lists the salted paths that p lies on; a view, not to be changed.
func (p *Pointer) Paths() []Path { return p.paths }

// String is the pointer in traces.
func (p *Pointer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v at %s seq=%v %v latency=%v until=%v", p.Key, p.Server.ID.Short(), p.Sequence, p.State, p.Latency, p.at)
	for _, path := range p.paths {
		fmt.Fprintf(&b, " %d/%d→%s", path.Salt, path.Roots, path.Next.Short())
	}
	return b.String()
}

// nearer orders the pointers of one object: live ones first, then by latency; the
// server's ID breaks ties, so that the order is the same everywhere.
func nearer(a, b *Pointer) int {
	return cmp.Or(
		cmp.Compare(min(a.State, Withdrawn), min(b.State, Withdrawn)),
		cmp.Compare(a.Latency, b.Latency),
		idspace.Compare(a.Server.ID, b.Server.ID),
	)
}

func (p *Pointer) size() int {
	r := p.Record
	return len(r.GetPayload()) + len(r.GetPublicKey()) + len(r.GetSignature()) + len(r.GetPayloadType())
}

// lay notes that p came along path at until now.
func (p *Pointer) lay(path Path) {
	for i := range p.paths {
		if p.paths[i].Salt == path.Salt && p.paths[i].Roots == path.Roots {
			path.Until = max(path.Until, p.paths[i].Until)
			p.paths[i] = path
			return
		}
	}
	if len(p.paths) < wire.MaxRoots {
		p.paths = append(p.paths, path)
	}
}
