package pointers

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// What one neighbor brings may not be more than what is left free (design §8), as queues share the
// memory of a switch: the only neighbor of a node may fill half of it, each of two that bring all
// they can a third, and there is always room for one that has brought little. Nobody has to say
// beforehand how many neighbors there will be. Whoever makes up servers by the thousand fills
// his share with them; what is held already, and renewing it, nothing of this touches.

// load is what others have made this node keep.
type load struct {
	pointers int
	bytes    int // of their records, and of those of their servers
	laid     int // places on branches that come in
}

// layers lists who has laid a pointer here, nobody twice.
func (p *Pointer) layers() (peers []idspace.ID) {
	for _, l := range p.laid {
		if !l.branch.Out && !slices.Contains(peers, l.branch.Peer) {
			peers = append(peers, l.branch.Peer)
		}
	}
	return peers
}

// layers lists who has laid any pointer of a server here, nobody twice.
func (sv *Server) layers() (peers []idspace.ID) {
	for _, b := range sv.branches {
		if !b.Out && !slices.Contains(peers, b.Peer) {
			peers = append(peers, b.Peer)
		}
	}
	return peers
}

// charge adds to what a neighbor has brought, or takes away from it.
func (s *Store) charge(peer idspace.ID, by load) {
	to := s.peers[peer]
	if to == nil {
		to = new(load)
		s.peers[peer] = to
	}
	to.pointers += by.pointers
	to.bytes += by.bytes
	to.laid += by.laid
	if *to == (load{}) {
		delete(s.peers, peer)
	}
}

// brought is what a neighbor has brought.
func (s *Store) brought(peer idspace.ID) load {
	if l := s.peers[peer]; l != nil {
		return *l
	}
	return load{}
}

// free is what is left of the limits.
func (s *Store) free() load {
	return load{s.limits.PerNode - s.theirs.pointers, s.limits.Bytes - s.theirs.bytes, s.mostLaid() - s.theirs.laid}
}

// Crowded reports whether there is no room for anything new that a neighbor lays here.
func (s *Store) Crowded(peer idspace.ID) bool {
	left, has := s.free(), s.brought(peer)
	return has.pointers >= left.pointers || has.bytes >= left.bytes || has.laid >= left.laid
}

// fits reports whether the limits admit a new pointer where freed is given up for it, otherwise
// which one does not.
func (s *Store) fits(d Deposit, freed load) (limit wire.Limit, ok bool) {
	takes := load{1, d.size(), 1}
	if s.servers[prefix(d.Server.ID)] != d.Server {
		takes.bytes += d.Server.size()
	}
	left, has := s.free(), s.brought(d.From)
	left = load{left.pointers + freed.pointers, left.bytes + freed.bytes, left.laid + freed.laid}
	switch {
	case takes.pointers > left.pointers || takes.laid > left.laid:
		return wire.Limit_LIMIT_NODE, false
	case takes.bytes > left.bytes:
		return wire.Limit_LIMIT_BYTES, false
	}
	if !d.Server.LaidBy(d.From) {
		takes.bytes = d.size() + d.Server.size()
	}
	over := has.pointers+takes.pointers > left.pointers || has.bytes+takes.bytes > left.bytes || has.laid+takes.laid > left.laid
	return wire.Limit_LIMIT_PEER, !over
}

// size is how many bytes the record of a server takes.
func (sv *Server) size() int { return sizeOf(sv.Record) }

// meet takes the newer record of a server, unless that is held and there is no room for it.
func (s *Store) meet(sv *Server, signed *wire.SignedRecord, node *wire.NodeRecord) {
	if s.servers[prefix(sv.ID)] != sv || sv.ID == s.self {
		sv.Record, sv.node = signed, node
		return
	}
	grows := sizeOf(signed) - sv.size()
	if grows > 0 && s.theirs.bytes+grows > s.limits.Bytes {
		return
	}
	s.changes++
	sv.Record, sv.node = signed, node
	s.bytes += grows
	s.theirs.bytes += grows
	for _, peer := range sv.layers() {
		s.charge(peer, load{bytes: grows})
	}
}

// enter counts a server of which there was nothing.
func (s *Store) enter(sv *Server) {
	if s.servers[prefix(sv.ID)] == nil {
		s.servers[prefix(sv.ID)] = sv
		if sv.ID != s.self {
			s.bytes += sv.size()
			s.theirs.bytes += sv.size()
		}
	}
}

// leave forgets a server of which nothing is left.
func (s *Store) leave(sv *Server) {
	if s.servers[prefix(sv.ID)] == sv {
		delete(s.servers, prefix(sv.ID))
		if sv.ID != s.self {
			s.bytes -= sv.size()
			s.theirs.bytes -= sv.size()
		}
	}
}

// counted notes that a place on a branch that comes in is one more, or one less: before is whether
// the same neighbor has laid the pointer under another name.
func (s *Store) counted(p *Pointer, peer idspace.ID, times int, before bool) {
	if p.Server.ID == s.self {
		return
	}
	s.theirs.laid += times
	by := load{laid: times}
	if !before {
		by.pointers, by.bytes = times, times*p.size()
	}
	s.charge(peer, by)
}
