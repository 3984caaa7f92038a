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
	self      idspace.ID
	limits    Limits
	objects   map[Key][]*Pointer // each list sorted by nearer
	servers   map[wire.ServerRef]*Server
	all       []*Pointer     // in no order; Pointer.inAll is the place
	due       queue[*Header] // by the end of their lives
	deadlines queue[*Branch] // of those that come in
	bytes     int            // of the records of all, and of servers but this node
	theirs    load
	peers     map[idspace.ID]*load // theirs, by who has brought it: what several have, each has
	emptied   []*Branch            // see Emptied
	counts    Counts
	changes   uint64 // see Changes
}

// Counts says what happened in a Store since it began.
type Counts struct {
	Refused uint64                            // deposits refused because of a limit
	Because [wire.Limit_LIMIT_PEER + 1]uint64 // of them, by which limit
	Evicted uint64                            // pointers given up for a nearer one
	Expired uint64
}

// New returns an empty store of the node self.
func New(self idspace.ID, limits Limits) *Store {
	return &Store{
		self:    self,
		limits:  limits.WithDefaults(),
		objects: make(map[Key][]*Pointer),
		servers: make(map[wire.ServerRef]*Server),
		peers:   make(map[idspace.ID]*load),
	}
}

// Deposit is a pointer that a neighbor, or this node itself, lays here.
type Deposit struct {
	Signed      *wire.SignedRecord // the pointer
	Record      *wire.BatchRecord
	Lot         *Lot      // if the record is of several objects: what it is of,
	Item        int32     // and where
	Server      *Server   // as Meet gave it
	Copy        wire.Copy // as what it is laid
	Salt, Roots int
	From        idspace.ID // who lays it; this node itself for what it serves
	// Latency to the server. Negative: unknown, keep what is held.
	Latency time.Duration
	Left    time.Duration // what is left of the record's life
	Until   mono.Time     // the deadline of its branch, by the newest token

	header *Header // see newest
}

// Key is what d lays.
func (d Deposit) Key() Key {
	if d.Lot == nil {
		return Key{GUID: wire.ID(d.Record.Guid), App: d.Record.App}
	}
	guid, _ := d.Lot.run.GUID(int(d.Item))
	return Key{GUID: guid, App: d.Record.App}
}

// size is how many bytes of records and proofs a pointer made of d counts for.
func (d Deposit) size() int {
	if d.Lot == nil {
		return sizeOf(d.Signed)
	}
	return d.Lot.share
}

// Print is that of what d lays.
func (d Deposit) Print() uint64 {
	return (&Pointer{Key: d.Key(), header: newHeader(d.Signed, d.Record)}).PrintUnder(d.Salt, d.Roots)
}

// Result is what became of a deposit.
type Result struct {
	Kind    ResultKind
	Pointer *Pointer // what the store holds now for this object and server; nil if nothing
	Fresh   bool     // it had not come along that branch, under that salt, before
	Evicted *Pointer // gave way, nil if none did
	State   State    // the state now
	Was     State    // Same, Renewed: the state before

	Limit wire.Limit // Full: which
}

// ResultKind tells results apart.
type ResultKind uint8

// The results of a deposit.
const (
	Stored  ResultKind = iota // it is new here
	Renewed                   // its sequence is above the one held
	Same                      // its sequence is held; where it came from is noted, its life is not extended
	Older                     // a higher sequence is held
	Full                      // a limit forbids it
	Ignored                   // its life is over
)

var resultNames = [...]string{"stored", "renewed", "same", "older", "full", "ignored"}

// String is the result in traces.
func (k ResultKind) String() string { return resultNames[k] }

// Meet returns the server of a record, and takes the record if it is newer than what is known. A
// server of which nothing is kept is not known: it is one more each time.
func (s *Store) Meet(id idspace.ID, signed *wire.SignedRecord, node *wire.NodeRecord) *Server {
	sv := s.servers[prefix(id)]
	if sv == nil || sv.ID != id {
		sv = &Server{ID: id}
	}
	if sv.node == nil || node.Newer(sv.node) {
		s.meet(sv, signed, node)
	}
	return sv
}

// Server returns whom a reference means, nil if nothing of it is kept.
func (s *Store) Server(ref wire.ServerRef) *Server { return s.servers[ref] }

func prefix(id idspace.ID) wire.ServerRef { return wire.ServerRefTo(id) }

// Put takes a deposit in, if its sequence and the limits allow.
func (s *Store) Put(d Deposit, now mono.Time) Result {
	key := d.Key()
	p := s.Find(key, d.Server.ID)
	if p != nil && p.Expires() <= now {
		s.drop(p)
		s.counts.Expired++
		p = nil
	}
	if d.Left <= 0 || d.Until <= now {
		return Result{Kind: Ignored}
	}
	s.newest(&d, now)
	switch {
	case p == nil:
		return s.store(key, d, now)
	case p.Sequence().Above(d.header.Sequence):
		return Result{Kind: Older, Pointer: p}
	}
	if limit, ok := s.admits(p, d); !ok {
		return s.full(limit)
	}
	result := Result{Kind: Same, Pointer: p, Was: p.State}
	if d.header.Sequence.Above(p.Sequence()) {
		result.Kind = Renewed
		s.renew(p, d, now)
	} else if p.adds(d) {
		s.weigh(p, -1)
		p.stand(d)
		s.weigh(p, 1)
	}
	if result.Kind == Same && d.Latency >= p.Latency {
		d.Latency = -1 // of several paths the shortest says most about the distance
	}
	result.Fresh = s.attach(p, d)
	result.State = p.State
	s.refile(p, d)
	return result
}

// store takes in a pointer that was not held.
func (s *Store) store(key Key, d Deposit, now mono.Time) Result {
	p := &Pointer{Key: key, Server: d.Server, Latency: max(d.Latency, 0)}
	evict, limit, ok := s.room(p, d)
	if other := s.servers[prefix(d.Server.ID)]; !ok || other != nil && other != d.Server { // two identifiers of one beginning
		return s.full(limit)
	}
	if evict != nil {
		s.drop(evict)
		s.counts.Evicted++
	}
	s.enter(d.Server)
	s.take(p, d, now)
	s.add(p)
	s.attach(p, d)
	s.refile(p, d)
	return Result{Kind: Stored, Pointer: p, Fresh: true, State: p.State, Evicted: evict}
}

// full is the result of a deposit that a limit forbids.
func (s *Store) full(limit wire.Limit) Result {
	s.counts.Refused++
	s.counts.Because[limit]++
	return Result{Kind: Full, Limit: limit}
}

// renew replaces the record of a pointer by one of a higher sequence.
func (s *Store) renew(p *Pointer, d Deposit, now mono.Time) {
	s.changes++
	old := p.header
	s.weigh(p, -1)
	p.leave()
	s.quit(p)
	s.take(p, d, now)
	s.weigh(p, 1)
	p.renewLaid(old)
}

// Renew replaces the record of a pointer that is held by a newer one, wherever it has come from.
func (s *Store) Renew(d Deposit, now mono.Time) (p *Pointer, ok bool) {
	p = s.Find(d.Key(), d.Server.ID)
	if p == nil || d.Left <= 0 {
		return nil, false
	}
	if s.newest(&d, now); !d.header.Sequence.Above(p.Sequence()) || !s.grows(p, d) {
		return nil, false
	}
	s.renew(p, d, now)
	s.sort(p.Key)
	return p, true
}

// take makes d's record that of p, which has none.
func (s *Store) take(p *Pointer, d Deposit, now mono.Time) {
	s.join(p, d.header, now.Add(d.Left))
	p.stand(d)
	switch {
	case d.Record.Withdrawn:
		p.State = Withdrawn
	case !p.Server.Lives():
		p.State = Dead
	default:
		p.State = Live
	}
}

// attach lays p on the branch that it came along.
func (s *Store) attach(p *Pointer, d Deposit) (fresh bool) {
	l, fresh := s.put(p, branchKey{d.From, d.Copy, false}, d.Salt, d.Roots)
	if b := l.branch; d.Until > b.at || b.pos == 0 {
		s.deadlines.set(b, max(d.Until, b.at))
	}
	return fresh
}

// refile notes how far p's server is and puts p in its place among its object's.
func (s *Store) refile(p *Pointer, d Deposit) {
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
// list is full; otherwise which one does not.
func (s *Store) room(p *Pointer, d Deposit) (evict *Pointer, limit wire.Limit, ok bool) {
	if d.Server.ID == s.self {
		return nil, 0, true
	}
	if len(d.Server.held) >= s.limits.PerServer {
		return nil, wire.Limit_LIMIT_SERVER, false
	}
	list := s.objects[p.Key]
	if len(list) < s.limits.PerObject {
		limit, ok = s.fits(d, load{})
		return nil, limit, ok
	}
	i := slices.IndexFunc(list, func(o *Pointer) bool { return o.State != Live })
	if i < 0 {
		i = len(list)
	}
	// What would not be offered takes nobody's place.
	if d.Record.Withdrawn || !d.Server.Lives() {
		return nil, wire.Limit_LIMIT_OBJECT, false
	}
	if evict = s.crowded(list[:i], p, d); evict == nil {
		return nil, wire.Limit_LIMIT_OBJECT, false
	}
	limit, ok = s.fits(d, load{1, evict.size(), 1})
	if own := slices.Contains(evict.layers(), d.From); own && limit == wire.Limit_LIMIT_PEER {
		ok = true // it brings no more than before
	}
	return evict, limit, ok
}

// mostLaid is on how many places of branches the pointers of others may lie: one that is where
// four paths meet is rare.
func (s *Store) mostLaid() int { return 4 * s.limits.PerNode }

// admits reports whether the limits let a deposit renew p, which is held, and lay it where it comes
// from; otherwise which one does not.
func (s *Store) admits(p *Pointer, d Deposit) (limit wire.Limit, ok bool) {
	if d.Server.ID == s.self {
		return 0, true
	}
	beside := 0 // under other salts on the same branch
	for _, l := range p.laid {
		if b := l.branch; b.Out || b.Peer != d.From || b.Copy != d.Copy {
			continue
		}
		if l.Salt == d.Salt && l.Roots == d.Roots {
			return wire.Limit_LIMIT_BYTES, s.grows(p, d)
		}
		beside++
	}
	switch {
	case beside >= wire.MaxRoots:
		return wire.Limit_LIMIT_PEER, false
	case s.theirs.laid >= s.mostLaid():
		return wire.Limit_LIMIT_NODE, false
	case s.brought(d.From).laid >= s.free().laid:
		return wire.Limit_LIMIT_PEER, false
	}
	return wire.Limit_LIMIT_BYTES, s.grows(p, d)
}

// grows reports whether the limits admit the record of d instead of that of p, if it is newer, or what it adds.
func (s *Store) grows(p *Pointer, d Deposit) bool {
	more := 0
	switch {
	case d.header.Sequence.Above(p.Sequence()):
		more = d.size() - p.size()
	case p.adds(d):
		more = d.size()
	default:
		return true
	}
	return d.Server.ID == s.self || s.theirs.bytes+more <= s.limits.Bytes
}

// weigh counts the record of p once more, or once less.
func (s *Store) weigh(p *Pointer, times int) {
	s.bytes += times * p.size()
	if p.Server.ID != s.self {
		s.theirs.bytes += times * p.size()
		for _, peer := range p.layers() {
			s.charge(peer, load{bytes: times * p.size()})
		}
	}
}

func (s *Store) add(p *Pointer) {
	s.changes++
	list := s.objects[p.Key]
	i, _ := slices.BinarySearchFunc(list, p, nearer)
	s.objects[p.Key] = slices.Insert(list, i, p)
	p.inAll, p.inServer = int32(len(s.all)), int32(len(p.Server.held))
	s.all = append(s.all, p)
	p.Server.held = append(p.Server.held, p)
	s.weigh(p, 1)
	if p.Server.ID != s.self {
		s.theirs.pointers++
	}
}

// drop forgets p, wherever it lies.
func (s *Store) drop(p *Pointer) {
	s.changes++
	for len(p.laid) > 0 {
		s.detach(p.laid[0])
	}
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
	p.Server.held = held[:len(held)-1]
	s.weigh(p, -1)
	p.leave()
	s.quit(p)
	s.forget(p.Server)
	if p.Server.ID != s.self {
		s.theirs.pointers--
	}
}
