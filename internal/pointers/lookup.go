package pointers

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// Find returns the pointer to a server of key, whatever its state; nil if there is none.
func (s *Store) Find(key Key, server idspace.ID) *Pointer {
	for _, p := range s.objects[key] {
		if p.Server.ID == server {
			return p
		}
	}
	return nil
}

// Live returns up to most live pointers of key, nearest first: a view that the next
// change of the store invalidates.
func (s *Store) Live(key Key, now mono.Time, most int) []*Pointer {
	list := s.objects[key]
	n := 0
	for n < len(list) && n < most && list[n].live(now) {
		n++
	}
	if n == most || n == len(list) || list[n].State != Live {
		return list[:n:n]
	}
	// One has run out and waits for Expire: copy around it.
	var live []*Pointer
	for _, p := range list {
		if p.live(now) && len(live) < most {
			live = append(live, p)
		}
	}
	return live
}

func (p *Pointer) live(now mono.Time) bool { return p.State == Live && p.Until() > now }

// Tombstones returns up to most withdrawn pointers of key.
func (s *Store) Tombstones(key Key, now mono.Time, most int) (gone []*Pointer) {
	for _, p := range s.objects[key] {
		if p.State == Withdrawn && p.Until() > now && len(gone) < most {
			gone = append(gone, p)
		}
	}
	return gone
}

// Len is the number of pointers, tombstones and hidden ones included.
func (s *Store) Len() int { return len(s.all) }

// At returns pointer i of Len in an order that is stable but for removals, which
// move the last one into the gap: walk from the end to miss none.
func (s *Store) At(i int) *Pointer { return s.all[i] }

// Bury hides the live pointers of a server that was found dead, and lists them.
func (s *Store) Bury(server idspace.ID, now mono.Time) []*Pointer {
	sv := s.servers[prefix(server)]
	if sv == nil || sv.ID != server || server == s.self {
		return nil
	}
	sv.buried = max(now, 1)
	return s.turn(sv, Live, Dead)
}

// accusation is of a neighbor that has said that a server is dead.
type accusation struct {
	by      idspace.ID
	open    bool // not refuted yet
	refuted int
}

// maxAccused is how many neighbors' accusations of one server are kept. When there are more, those
// of neighbors are forgotten that have nothing of it here any more.
const maxAccused = 16

// maxRefuted is after how many refuted accusations of a server a neighbor is not heard any more.
const maxRefuted = 2

// Doubt has the pointers of a server offered after all others: a neighbor says that it is dead.
// It reports whether that is new, and believed.
func (s *Store) Doubt(sv *Server, by idspace.ID, now mono.Time) bool {
	if sv.ID == s.self || !sv.hears(by) {
		return false
	}
	if sv.doubted != 0 {
		return false
	}
	sv.doubted = max(now, 1)
	s.sortAll(sv)
	return true
}

// hears notes an accusation, and reports whether it counts.
func (sv *Server) hears(by idspace.ID) bool {
	i := slices.IndexFunc(sv.accused, func(a accusation) bool { return a.by == by })
	if i < 0 {
		if len(sv.accused) >= maxAccused {
			sv.accused = slices.DeleteFunc(sv.accused, func(a accusation) bool { return !sv.comesFrom(a.by) })
		}
		if i = len(sv.accused); i >= maxAccused {
			return false
		}
		sv.accused = append(sv.accused, accusation{by: by})
	}
	sv.accused[i].open = sv.accused[i].refuted < maxRefuted
	return sv.accused[i].open
}

func (sv *Server) comesFrom(peer idspace.ID) bool {
	return slices.ContainsFunc(sv.branches, func(b *Branch) bool { return b.Peer == peer && !b.Out })
}

// Revive takes back that a server was found dead, or said to be, before it has shown that it lives. It
// lists the pointers that were hidden.
func (s *Store) Revive(sv *Server, lived mono.Time) []*Pointer {
	if sv.doubted != 0 && lived > sv.doubted {
		sv.doubted = 0
		for i := range sv.accused {
			if a := &sv.accused[i]; a.open {
				a.open, a.refuted = false, a.refuted+1
			}
		}
		s.sortAll(sv)
	}
	if sv.buried == 0 || lived <= sv.buried {
		return nil
	}
	sv.buried = 0
	return s.turn(sv, Dead, Live)
}

// turn changes the state of a server's pointers, and lists those that it has changed.
func (s *Store) turn(sv *Server, from, to State) (turned []*Pointer) {
	s.changes++
	for _, p := range sv.held {
		if p.State == from {
			p.State = to
			turned = append(turned, p)
		}
	}
	s.sortAll(sv)
	return turned
}

func (s *Store) sortAll(sv *Server) {
	for _, p := range sv.held {
		s.sort(p.Key)
	}
}

// NextExpiry is when the next pointers run out.
func (s *Store) NextExpiry() (at mono.Time, ok bool) {
	h, ok := s.due.first()
	if ok {
		at = h.at
	}
	if b, some := s.deadlines.first(); some && (!ok || b.at < at) {
		at, ok = b.at, true
	}
	return at, ok
}

// Expire takes up to most pointers off branches whose deadline is over, or forgets them because
// their records have run out. It lists those that were forgotten, and what was taken off of those
// that stay because of other branches.
func (s *Store) Expire(now mono.Time, most int) (gone []*Pointer, off []*Laid) {
	for ; most > 0; most-- {
		b, ok := s.deadlines.first()
		if !ok || b.at > now {
			break
		}
		l := b.laid[len(b.laid)-1]
		if s.TakeOff(l); l.comesIn() {
			off = append(off, l)
		} else {
			gone = append(gone, l.Pointer)
		}
	}
	for ; most > 0; most-- {
		h, ok := s.due.first()
		if !ok || h.at > now {
			break
		}
		p := h.held[len(h.held)-1]
		s.drop(p)
		gone = append(gone, p)
	}
	s.counts.Expired += uint64(len(gone))
	return gone, off
}

// Stats is a store in numbers.
type Stats struct {
	Pointers int // all, tombstones and hidden ones included
	Servers  int
	Bytes    int // of signed records: of pointers, and of servers but this node
	Counts
}

// Stats returns the store in numbers.
func (s *Store) Stats() Stats {
	servers := 0
	for _, sv := range s.servers { // unordered: counted
		if len(sv.held) > 0 {
			servers++
		}
	}
	return Stats{Pointers: len(s.all), Servers: servers, Bytes: s.bytes, Counts: s.counts}
}

// Sorted lists all pointers by key, then nearest first.
func (s *Store) Sorted() []*Pointer {
	sorted := slices.Clone(s.all)
	slices.SortFunc(sorted, func(a, b *Pointer) int {
		if c := a.Key.Compare(b.Key); c != 0 {
			return c
		}
		return nearer(a, b)
	})
	return sorted
}
