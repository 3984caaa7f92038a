package pointers

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Store keeps the pointers that lie at this node.
type Store struct {
	self    idspace.ID
	limits  Limits
	objects map[Key][]*Pointer // each list sorted by nearer
	servers map[idspace.ID]*Server
	all     []*Pointer // in no order; Pointer.inAll is the place
	due     queue[*Pointer]
	bytes   int // sum of size() over all
	foreign int // pointers of servers other than self
	counts  Counts
	changes uint64 // see Changes
}

// Counts says what happened in a Store since it began.
type Counts struct {
	Refused uint64 // deposits refused because of a limit
	Evicted uint64 // pointers given up for a nearer one
	Expired uint64
}

// New returns an empty store of the node self.
func New(self idspace.ID, limits Limits) *Store {
	return &Store{
		self:    self,
		limits:  limits.WithDefaults(),
		objects: make(map[Key][]*Pointer),
		servers: make(map[idspace.ID]*Server),
	}
}

// Deposit is a pointer on its way to a root, as it arrives at a node.
type Deposit struct {
	Signed *wire.SignedRecord // the pointer
	Record *wire.PointerRecord
	Server *wire.SignedRecord // the server's node record
	Node   *wire.NodeRecord
	Path   Path       // Until is set by Put
	From   idspace.ID // zero: keep what is held
	// Latency to the server. Negative: unknown, keep what is held.
	Latency time.Duration
	Left    time.Duration // what is left of its life
	Hearsay bool          // a holder passes it on, not the server itself
}

// Result is what became of a deposit.
type Result struct {
	Kind    ResultKind
	Held    Sequence // what the store holds now for this object and server
	Evicted *Pointer // gave way, nil if none did
	State   State    // Stored, Renewed: the state now
	Was     State    // Renewed: the state before
}

// ResultKind tells results apart.
type ResultKind uint8

// The results of a deposit.
const (
	Stored  ResultKind = iota // it is new here
	Renewed                   // its sequence is above the one held
	Same                      // its sequence is held; its path is noted, its life is not extended
	Older                     // a higher sequence is held
	Full                      // a limit forbids it
	Ignored                   // its life is over, or its server was found dead
)

var resultNames = [...]string{"stored", "renewed", "same", "older", "full", "ignored"}

// String is the result in traces.
func (k ResultKind) String() string { return resultNames[k] }

// Put takes a deposit in, if its sequence and the limits allow.
func (s *Store) Put(d Deposit, now mono.Time) Result {
	key := Key{GUID: wire.ID(d.Record.Guid), App: d.Record.App}
	server := wire.ID(d.Record.Server)
	sequence := Sequence{d.Record.Generation, d.Record.Counter}
	d.Path.Until = now.Add(d.Left)
	p := s.Find(key, server)
	if p != nil && p.at <= now {
		s.drop(p)
		s.counts.Expired++
		p = nil
	}
	switch {
	case p == nil:
		return s.store(key, d, now)
	case p.Sequence.Above(sequence):
		return Result{Kind: Older, Held: p.Sequence}
	case d.Left <= 0:
		return Result{Kind: Ignored, Held: p.Sequence}
	case p.Sequence == sequence:
		d.Path.Until = min(d.Path.Until, p.at)
		if d.Latency >= p.Latency {
			d.Latency = -1 // of several paths the shortest says most about the distance
		}
		s.refile(p, d)
		return Result{Kind: Same, Held: sequence}
	}
	return s.renew(p, d, now)
}

// store takes in a pointer that was not held.
func (s *Store) store(key Key, d Deposit, now mono.Time) Result {
	id := wire.ID(d.Record.Server)
	server := s.servers[id]
	if d.Left <= 0 || server != nil && server.buried && d.Hearsay {
		return Result{Kind: Ignored}
	}
	p := &Pointer{Key: key, Record: d.Signed, From: d.From, Latency: max(d.Latency, 0)}
	evict, ok := s.room(p, server, d)
	if !ok {
		s.counts.Refused++
		return Result{Kind: Full}
	}
	if evict != nil {
		s.drop(evict)
		s.counts.Evicted++
	}
	if server == nil {
		server = &Server{ID: id}
		s.servers[id] = server
	}
	p.Server = server
	server.note(d)
	p.take(d)
	p.lay(d.Path)
	s.add(p, now.Add(d.Left))
	return Result{Kind: Stored, Held: p.Sequence, State: p.State, Evicted: evict}
}

// renew replaces the record of a pointer by one of a higher sequence.
func (s *Store) renew(p *Pointer, d Deposit, now mono.Time) Result {
	was := p.State
	s.changes++
	s.bytes -= p.size()
	p.Server.note(d)
	p.take(d)
	s.bytes += p.size()
	s.due.set(p, now.Add(d.Left))
	s.refile(p, d)
	return Result{Kind: Renewed, Held: p.Sequence, State: p.State, Was: was}
}

// take makes d's record that of p.
func (p *Pointer) take(d Deposit) {
	p.Record = d.Signed
	p.Sequence = Sequence{d.Record.Generation, d.Record.Counter}
	switch {
	case d.Record.Withdrawn:
		p.State = Withdrawn
	case p.Server.buried:
		p.State = Dead
	default:
		p.State = Live
	}
}

// note keeps the newest node record of a server; what comes from the server itself
// shows that it lives.
func (sv *Server) note(d Deposit) {
	if !d.Hearsay {
		sv.buried = false
	}
	if sv.node == nil || d.Node.Newer(sv.node) {
		sv.Record, sv.node = d.Server, d.Node
	}
}

// refile notes where p came from and puts it in its place among its object's.
func (s *Store) refile(p *Pointer, d Deposit) {
	p.lay(d.Path)
	if !d.From.IsZero() {
		p.From = d.From
	}
	if d.Latency >= 0 {
		p.Latency = d.Latency
	}
	s.sort(p.Key)
}

func (s *Store) sort(key Key) {
	s.changes++
	slices.SortFunc(s.objects[key], nearer)
}

// room reports whether the limits admit p, and whom it replaces if its object's
// list is full: the farthest, if p is nearer.
func (s *Store) room(p *Pointer, server *Server, d Deposit) (evict *Pointer, ok bool) {
	if wire.ID(d.Record.Server) == s.self {
		return nil, true
	}
	if server != nil && len(server.held) >= s.limits.PerServer {
		return nil, false
	}
	list := s.objects[p.Key]
	if len(list) >= s.limits.PerObject {
		i := slices.IndexFunc(list, func(o *Pointer) bool { return o.State != Live })
		if i < 0 {
			i = len(list)
		}
		if i == 0 || d.Record.Withdrawn || list[i-1].Latency <= p.Latency || list[i-1].Server.ID == s.self {
			return nil, false
		}
		return list[i-1], true
	}
	return nil, s.foreign < s.limits.PerNode && s.bytes+p.size() <= s.limits.Bytes
}

func (s *Store) add(p *Pointer, until mono.Time) {
	s.changes++
	list := s.objects[p.Key]
	i, _ := slices.BinarySearchFunc(list, p, nearer)
	s.objects[p.Key] = slices.Insert(list, i, p)
	p.inAll, p.inServer = len(s.all), len(p.Server.held)
	s.all = append(s.all, p)
	p.Server.held = append(p.Server.held, p)
	s.due.set(p, until)
	s.bytes += p.size()
	if p.Server.ID != s.self {
		s.foreign++
	}
}

func (s *Store) drop(p *Pointer) {
	s.changes++
	list := s.objects[p.Key]
	list = slices.Delete(list, slices.Index(list, p), slices.Index(list, p)+1)
	if len(list) == 0 {
		delete(s.objects, p.Key)
	} else {
		s.objects[p.Key] = list
	}
	last := s.all[len(s.all)-1]
	s.all[p.inAll], last.inAll = last, p.inAll
	s.all[len(s.all)-1] = nil
	s.all = s.all[:len(s.all)-1]
	held := p.Server.held
	last = held[len(held)-1]
	held[p.inServer], last.inServer = last, p.inServer
	held[len(held)-1] = nil
	if p.Server.held = held[:len(held)-1]; len(p.Server.held) == 0 {
		delete(s.servers, p.Server.ID)
	}
	s.due.remove(p)
	s.bytes -= p.size()
	if p.Server.ID != s.self {
		s.foreign--
	}
}
