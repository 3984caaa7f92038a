package pointers

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Changes counts what was done to the store that Check looks at.
func (s *Store) Changes() uint64 { return s.changes }

// Check verifies the store's invariants.
func (s *Store) Check() error {
	listed := 0
	for key, list := range s.objects { // unordered: any finding will do
		listed += len(list)
		if err := s.checkList(key, list); err != nil {
			return err
		}
	}
	queued := 0
	for _, h := range s.due.items {
		if err := h.check(); err != nil {
			return err
		}
		queued += len(h.held)
	}
	if listed != len(s.all) || queued != len(s.all) {
		return fmt.Errorf("pointers: %d in all, %d listed, %d queued", len(s.all), listed, queued)
	}
	if err := s.checkServers(); err != nil {
		return err
	}
	bytes, theirs, peers := 0, load{}, make(map[idspace.ID]load)
	for _, sv := range s.servers { // unordered: a sum
		if sv.ID != s.self {
			bytes += sv.size()
			theirs.bytes += sv.size()
			for _, peer := range sv.layers() {
				peers[peer] = peers[peer].and(load{bytes: sv.size()})
			}
		}
	}
	live := make(map[*Lot]int)
	for i, p := range s.all {
		if err := p.check(live); err != nil {
			return err
		}
		bytes += p.size()
		theirs = theirs.plus(p, s.self, peers)
		if int(p.inAll) != i || p.Server.held[p.inServer] != p || s.servers[prefix(p.Server.ID)] != p.Server || !p.comesIn() {
			return fmt.Errorf("pointers: %v is misplaced", p)
		}
	}
	for lot, n := range live { // unordered: any finding will do
		if lot.live != n || lot.most < n {
			return fmt.Errorf("pointers: %d of a lot of %d, %d counted", n, lot.most, lot.live)
		}
	}
	if bytes != s.bytes || theirs != s.theirs {
		return fmt.Errorf("pointers: %d bytes, %d counted; of others %+v, %+v counted", bytes, s.bytes, theirs, s.theirs)
	}
	if theirs.pointers > s.limits.PerNode || theirs.bytes > s.limits.Bytes || theirs.laid > s.mostLaid() {
		return fmt.Errorf("pointers: of others %+v, beyond %+v", theirs, s.limits)
	}
	if len(peers) != len(s.peers) {
		return fmt.Errorf("pointers: of %d neighbors, %d counted", len(peers), len(s.peers))
	}
	for peer, l := range peers { // unordered: any finding will do
		if s.brought(peer) != l {
			return fmt.Errorf("pointers: %s has brought %+v, %+v counted", peer.Short(), l, s.brought(peer))
		}
	}
	return errors.Join(s.due.check(), s.deadlines.check())
}

func (l load) and(o load) load {
	return load{l.pointers + o.pointers, l.bytes + o.bytes, l.laid + o.laid}
}

// plus adds what p takes, if it is another's, to those who have brought it too.
func (l load) plus(p *Pointer, self idspace.ID, peers map[idspace.ID]load) load {
	if p.Server.ID == self {
		return l
	}
	for _, peer := range p.layers() {
		peers[peer] = peers[peer].and(load{pointers: 1, bytes: p.size()})
	}
	for _, o := range p.laid {
		if !o.branch.Out {
			l.laid++
			peers[o.branch.Peer] = peers[o.branch.Peer].and(load{laid: 1})
		}
	}
	return l.and(load{pointers: 1, bytes: p.size()})
}

// check verifies that a branch's digest is of what lies on it, and that each pointer knows.
func (b *Branch) check() error {
	var sum wire.Sum
	of := make(map[*Header]int)
	for i, l := range b.laid {
		if h := l.header; h.name != (wire.Sum{}) {
			if of[h]++; of[h] == 1 {
				sum = sum.Plus(h.term())
			}
		}
		sum = sum.Plus(hashOf(l.Pointer, l.Salt, l.Roots))
		if l.branch != b || l.at != i || !slices.Contains(l.Pointer.laid, l) || l.Pointer.Server != b.Server {
			return fmt.Errorf("pointers: %v is misplaced on a branch of %s", l.Pointer, b.Server.ID.Short())
		}
	}
	switch {
	case sum != b.sum || !maps.Equal(of, b.of):
		return fmt.Errorf("pointers: digest of a branch of %s is wrong", b.Server.ID.Short())
	case b.Out == (b.pos != 0) || !b.Out && len(b.laid) == 0:
		return fmt.Errorf("pointers: branch of %s with %d pointers, out %v, queued at %d", b.Server.ID.Short(), len(b.laid), b.Out, b.pos)
	}
	return nil
}

func (s *Store) checkServers() error {
	held := 0
	for id, sv := range s.servers { // unordered: any finding will do
		held += len(sv.held)
		if prefix(sv.ID) != id || len(sv.held)+len(sv.branches) == 0 || sv.Record == nil {
			return fmt.Errorf("pointers: server %s under %x with %d pointers", sv.ID.Short(), id, len(sv.held))
		}
		for name, h := range sv.headers { // unordered: any finding will do
			if h.name != name || len(h.held) == 0 || h.Server() != sv {
				return fmt.Errorf("pointers: server %s has a header of %d pointers under another name", sv.ID.Short(), len(h.held))
			}
		}
		for _, b := range sv.branches {
			if err := b.check(); err != nil {
				return err
			}
		}
	}
	if held != len(s.all) {
		return fmt.Errorf("pointers: %d in all, %d at servers", len(s.all), held)
	}
	return nil
}

func (s *Store) checkList(key Key, list []*Pointer) error {
	if len(list) == 0 || !slices.IsSortedFunc(list, nearer) {
		return fmt.Errorf("pointers: %v lists %v", key, list)
	}
	for i, p := range list {
		if p.Key != key || slices.ContainsFunc(list[:i], func(o *Pointer) bool { return o.Server == p.Server }) {
			return fmt.Errorf("pointers: %v lists %v twice or wrongly", key, p)
		}
		if p.State == Live && !p.Server.Lives() {
			return fmt.Errorf("pointers: %v is live, its server buried", p)
		}
	}
	return nil
}

func (q *queue[T]) check() error {
	for i, item := range q.items {
		if item.where().pos != i+1 || i > 0 && q.before(i, (i-1)/2) {
			return fmt.Errorf("pointers: deadline queue out of order at %d", i)
		}
	}
	return nil
}
