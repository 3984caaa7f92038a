package pointers

import (
	"encoding/binary"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// What a server has published lies on a tree of links. A Branch is one link of it, seen from
// one end: the pointers of one server that one neighbor has laid here, or that this node has
// laid there, as copies of one kind (design §8).
//
// The deadline hangs on the branch that comes in, not on the server: a holder that still has
// other objects of it would keep stale pointers alive for ever.
type Branch struct {
	place // of those that come in, in the deadline queue: at is when its pointers are forgotten

	Server *Server
	Peer   idspace.ID // this node itself for what it serves
	Copy   wire.Copy
	Out    bool // laid there, not here

	// Told is the token that the peer of an Out branch was told last, one more than its index;
	// Due whether something has changed since; Waiting how many of its pointers are still to be
	// sent. They are the tree's.
	Told    uint32
	Due     bool
	Waiting int
	// Lists is how often the peer has had it listed since Since, Parts how many listings it may
	// still want something of. They are the tree's, too.
	Lists, Parts int
	Since        mono.Time
	// Known is what the peer of an Out branch is known to have of the server, Sent what it was sent last. They are the tree's.
	Known, Sent Introduction
	// Short is until when pointers of this branch that this node has no room for are not asked for again.
	Short mono.Time

	laid []*Laid
	of   map[*Header]int // how many of it are of a batch that may be renewed
	sum  wire.Sum
}

// Introduction is what a deposit says of its server.
type Introduction struct {
	Record *wire.SignedRecord
	Doors  string
}

// Laid is a pointer on a branch.
type Laid struct {
	*Pointer
	Salt, Roots int

	// Queued: it waits to be sent. Ends is when it is to be taken off, zero if it is to stay:
	// somebody else takes its place meanwhile. Duty and Ask are whose word is waited for, and on behalf of
	// whom. They are the tree's.
	Queued    bool
	Ends      mono.Time
	Duty, Ask uint64

	branch *Branch // nil once it was taken off
	at     int     // its place in branch.laid
	hash   wire.Sum
}

// Branch is where l lies, nil if it was taken off.
func (l *Laid) Branch() *Branch { return l.branch }

// Print abbreviates what l is: object, application, salt, and of what batch, or of what sequence if that is not renewed.
func (l *Laid) Print() uint64 { return l.hash.Hi }

// PrintUnder is the print that p has, or would have, on a branch under a salt.
func (p *Pointer) PrintUnder(salt, roots int) uint64 { return hashOf(p, salt, roots).Hi }

// Until is when the pointers of a branch that comes in are forgotten.
func (b *Branch) Until() mono.Time { return b.at }

// Digest is what both ends of a branch should agree on.
func (b *Branch) Digest() (count uint32, sum wire.Sum) { return uint32(len(b.laid)), b.sum }

// Len is the number of pointers on b.
func (b *Branch) Len() int { return len(b.laid) }

// At returns one of Len pointers; a removal moves the last one into the gap.
func (b *Branch) At(i int) *Laid { return b.laid[i] }

// Prints are those of what lies on b, and of its headers, in order.
func (b *Branch) Prints() []uint64 {
	prints := make([]uint64, 0, len(b.laid)+len(b.of))
	for _, l := range b.laid {
		prints = append(prints, l.Print())
	}
	for h := range b.of { // unordered: sorted below
		prints = append(prints, h.Print())
	}
	slices.Sort(prints)
	return prints
}

// hashOf is what goes into the digests for a pointer under one of its salts.
func hashOf(p *Pointer, salt, roots int) wire.Sum {
	hi, lo := p.header.name.Hi, p.header.name.Lo
	if p.header.name == (wire.Sum{}) {
		hi, lo = p.Sequence().Generation, p.Sequence().Counter
	}
	packed := append(make([]byte, 0, 64+len(p.App)), p.GUID[:]...)
	packed = binary.BigEndian.AppendUint64(packed, hi)
	packed = binary.BigEndian.AppendUint64(packed, lo)
	packed = append(packed, byte(salt), byte(roots))
	return wire.SumOf(append(packed, p.App...))
}

// count notes that one pointer of a header more lies on the branch, or one less.
func (b *Branch) count(h *Header, by int) {
	if h.name == (wire.Sum{}) {
		return
	}
	if b.of == nil {
		b.of = make(map[*Header]int)
	}
	was := b.of[h]
	switch b.of[h] = was + by; {
	case was == 0:
		b.sum = b.sum.Plus(h.term())
	case was+by == 0:
		b.sum = b.sum.Minus(h.term())
		delete(b.of, h)
	}
}

// Has reports whether anything of a header lies on the branch.
func (b *Branch) Has(h *Header) bool { return b.of[h] > 0 }

// Headers are those of what lies on the branch that may be renewed, by their prints.
func (b *Branch) Headers() map[uint64]*Header {
	headers := make(map[uint64]*Header, len(b.of))
	for h := range b.of { // they become a map
		headers[h.Print()] = h
	}
	return headers
}

// branchKey tells the branches of a server apart.
type branchKey struct {
	peer idspace.ID
	copy wire.Copy
	out  bool
}

// Branch returns the branch of a server to or from a peer, nil if there is none.
func (sv *Server) Branch(peer idspace.ID, copy wire.Copy, out bool) *Branch {
	for _, b := range sv.branches {
		if b.Peer == peer && b.Copy == copy && b.Out == out {
			return b
		}
	}
	return nil
}

// LaidBy reports whether a peer has laid any pointer of the server here.
func (sv *Server) LaidBy(peer idspace.ID) bool {
	return slices.ContainsFunc(sv.branches, func(b *Branch) bool { return b.Peer == peer && !b.Out })
}

// Branches lists the branches of a server in the order of their making; a view.
func (sv *Server) Branches() []*Branch { return sv.branches }

func (s *Store) branch(sv *Server, k branchKey) *Branch {
	b := sv.Branch(k.peer, k.copy, k.out)
	if b == nil {
		if !k.out && sv.ID != s.self && !sv.LaidBy(k.peer) {
			s.charge(k.peer, load{bytes: sv.size()})
		}
		b = &Branch{Server: sv, Peer: k.peer, Copy: k.copy, Out: k.out}
		sv.branches = append(sv.branches, b)
	}
	return b
}

// put lays p on a branch under one salt; it may lie there already.
func (s *Store) put(p *Pointer, k branchKey, salt, roots int) (l *Laid, fresh bool) {
	s.changes++
	b := s.branch(p.Server, k)
	for _, l := range p.laid {
		if l.branch == b && l.Salt == salt && l.Roots == roots {
			return l, false
		}
	}
	if !k.out {
		s.counted(p, k.peer, 1, slices.Contains(p.layers(), k.peer))
	}
	l = &Laid{Pointer: p, Salt: salt, Roots: roots, branch: b, at: len(b.laid), hash: hashOf(p, salt, roots)}
	b.laid = append(b.laid, l)
	b.sum = b.sum.Plus(l.hash)
	b.count(p.header, 1)
	b.Due = b.Due || b.Out
	p.laid = append(p.laid, l)
	return l, true
}

// TakeOff takes l off its branch. A pointer that lies on no branch that comes in is forgotten.
func (s *Store) TakeOff(l *Laid) {
	b, p := l.branch, l.Pointer
	if b == nil {
		return
	}
	s.detach(l)
	if !b.Out && !p.comesIn() {
		s.drop(p)
	}
}

func (s *Store) detach(l *Laid) {
	s.changes++
	b, p := l.branch, l.Pointer
	last := b.laid[len(b.laid)-1]
	b.laid[l.at], last.at = last, l.at
	b.laid[len(b.laid)-1] = nil
	b.laid = b.laid[:len(b.laid)-1]
	b.sum = b.sum.Minus(l.hash)
	b.count(p.header, -1)
	b.Due = b.Due || b.Out
	p.laid = slices.DeleteFunc(p.laid, func(o *Laid) bool { return o == l })
	if !b.Out {
		s.counted(p, b.Peer, -1, slices.Contains(p.layers(), b.Peer))
	}
	l.branch = nil
	switch {
	case len(b.laid) > 0:
	case b.Out:
		s.emptied = append(s.emptied, b)
	default:
		s.cut(b)
	}
}

// Emptied lists, once, the branches that go out and have become empty: their peers are to be
// told, and then they are to be cut. Pointers that run out, or give way, leave them behind.
func (s *Store) Emptied() (emptied []*Branch) {
	emptied, s.emptied = s.emptied, nil
	return emptied
}

// cut forgets an empty branch.
func (s *Store) cut(b *Branch) {
	s.deadlines.remove(b)
	sv := b.Server
	sv.branches = slices.DeleteFunc(sv.branches, func(o *Branch) bool { return o == b })
	if !b.Out && sv.ID != s.self && !sv.LaidBy(b.Peer) {
		s.charge(b.Peer, load{bytes: -sv.size()})
	}
	s.forget(sv)
}

// Cut forgets an empty branch to a peer, which knows that it is.
func (s *Store) Cut(b *Branch) {
	if b.Out && len(b.laid) == 0 {
		s.changes++
		s.cut(b)
	}
}

// forget drops a server of which nothing is left.
func (s *Store) forget(sv *Server) {
	if len(sv.held) == 0 && len(sv.branches) == 0 {
		s.leave(sv)
	}
}

// Lay notes that this node lays p at a peer.
func (s *Store) Lay(p *Pointer, to idspace.ID, copy wire.Copy, salt, roots int) (l *Laid, fresh bool) {
	return s.put(p, branchKey{to, copy, true}, salt, roots)
}

// Extend makes the pointers of a branch that comes in count until then.
func (s *Store) Extend(b *Branch, until mono.Time) {
	if until > b.at && b.pos != 0 {
		s.changes++
		s.deadlines.set(b, until)
	}
}

// renewLaid takes the new header of p into the digests.
func (p *Pointer) renewLaid(old *Header) {
	for _, l := range p.laid {
		b := l.branch
		b.count(old, -1)
		b.count(p.header, 1)
		b.sum = b.sum.Minus(l.hash)
		l.hash = hashOf(p, l.Salt, l.Roots)
		b.sum = b.sum.Plus(l.hash)
		b.Due = b.Due || b.Out
	}
}
