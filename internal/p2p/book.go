package p2p

import (
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// book is where other nodes can be dialed: what their own signed records say, and what
// the user said of the seeds. It is bounded; who was not looked up for longest goes
// first.
//
// Addresses reach the host's peerstore only when a node is dialed, so that gossip
// about any number of nodes cannot fill it.
type book struct {
	self    idspace.ID // is known and takes no place
	entries *lru.Cache[idspace.ID, entry]
	seeds   *lru.Cache[idspace.ID, peer.AddrInfo]
}

// maxSeeds is how many seeds' addresses are kept; sources may name new ones for ever.
const maxSeeds = 1024

type entry struct {
	peer   peer.ID
	record *wire.NodeRecord // nil of a peer whose record has not been seen
}

func newBook(self idspace.ID, size int) (*book, error) {
	entries, err := lru.New[idspace.ID, entry](size)
	if err != nil {
		return nil, err
	}
	seeds, err := lru.New[idspace.ID, peer.AddrInfo](maxSeeds)
	if err != nil {
		return nil, err
	}
	return &book{self, entries, seeds}, nil
}

// idOf is the node ID of a peer (design §3).
func idOf(p peer.ID) idspace.ID { return idspace.Hash([]byte(p)) }

// learn takes a node record that has been verified, unless a newer one is known.
func (b *book) learn(r *wire.NodeRecord) {
	id := r.ID()
	if id == b.self {
		return
	}
	if old, ok := b.entries.Peek(id); ok && old.record != nil && !r.Newer(old.record) {
		return
	}
	b.entries.Add(id, entry{peer.ID(r.Peer), r})
}

// seed takes addresses that the user gave.
func (b *book) seed(info peer.AddrInfo) { b.seeds.Add(idOf(info.ID), info) }

// knows reports whether a node's record is in the book.
func (b *book) knows(id idspace.ID) bool { return id == b.self || b.entries.Contains(id) }

// peer returns the peer ID of a node.
func (b *book) peer(id idspace.ID) (peer.ID, bool) {
	if e, ok := b.entries.Get(id); ok {
		return e.peer, true
	}
	s, ok := b.seeds.Get(id)
	return s.ID, ok
}

// record returns a node's record, nil if it is not known.
func (b *book) record(id idspace.ID) *wire.NodeRecord {
	e, _ := b.entries.Peek(id)
	return e.record
}

// generation is that of a node's newest known record, 0 if there is none.
func (b *book) generation(id idspace.ID) uint64 { return b.record(id).GetGeneration() }

// addrs returns where a node may be dialed.
func (b *book) addrs(id idspace.ID) []multiaddr.Multiaddr {
	s, _ := b.seeds.Get(id)
	all := append([]multiaddr.Multiaddr(nil), s.Addrs...)
	e, ok := b.entries.Get(id)
	if !ok || e.record == nil {
		return all
	}
	for _, raw := range e.record.Addrs {
		if a, err := multiaddr.NewMultiaddrBytes(raw); err == nil {
			all = append(all, a)
		}
	}
	return all
}
