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
	for n < len(list) && n < most && list[n].State == Live && list[n].at > now {
		n++
	}
	if n == most || n == len(list) || list[n].State != Live {
		return list[:n:n]
	}
	// One has run out and waits for Expire: copy around it.
	var live []*Pointer
	for _, p := range list {
		if p.State == Live && p.at > now && len(live) < most {
			live = append(live, p)
		}
	}
	return live
}

// Len is the number of pointers, tombstones and hidden ones included.
func (s *Store) Len() int { return len(s.all) }

// At returns pointer i of Len in an order that is stable but for removals, which
// move the last one into the gap: walk from the end to miss none.
func (s *Store) At(i int) *Pointer { return s.all[i] }

// Passed notes that p goes on to next along the path of a salt.
func (s *Store) Passed(p *Pointer, path Path, next idspace.ID) {
	path.Next = next
	p.lay(path)
}

// Bury hides the live pointers of a server that was found dead, and lists them.
func (s *Store) Bury(server idspace.ID) []*Pointer {
	sv := s.servers[server]
	if sv == nil || server == s.self {
		return nil
	}
	sv.buried = true
	s.changes++
	var hidden []*Pointer
	for _, p := range sv.held {
		if p.State == Live {
			p.State = Dead
			s.sort(p.Key)
			hidden = append(hidden, p)
		}
	}
	return hidden
}

// NextExpiry is when the next pointer runs out.
func (s *Store) NextExpiry() (at mono.Time, ok bool) {
	if p, ok := s.due.first(); ok {
		return p.at, true
	}
	return 0, false
}

// Expire forgets up to most pointers that have run out, and lists them.
func (s *Store) Expire(now mono.Time, most int) []*Pointer {
	var gone []*Pointer
	for len(gone) < most {
		p, ok := s.due.first()
		if !ok || p.at > now {
			break
		}
		s.drop(p)
		gone = append(gone, p)
	}
	s.counts.Expired += uint64(len(gone))
	return gone
}

// Stats is a store in numbers.
type Stats struct {
	Pointers int // all, tombstones and hidden ones included
	Servers  int
	Bytes    int // of signed pointer records
	Counts
}

// Stats returns the store in numbers.
func (s *Store) Stats() Stats {
	return Stats{Pointers: len(s.all), Servers: len(s.servers), Bytes: s.bytes, Counts: s.counts}
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
