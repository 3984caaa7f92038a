package chord

import (
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// what a routed question is for.
type what uint8

const (
	finding what = iota
	joining
	storing
	dropping
	fetching
)

var names = [...]string{"find", "join", "store", "drop", "fetch"}

type (
	// hop is a question on its way to the successor of key.
	hop struct {
		seq    uint64 // of this hop, for its acknowledgement
		call   uint64
		what   what
		key    idspace.ID
		origin model.Peer
		trail  []model.Addr // nodes passed, the origin first
		last   bool         // who gets it is the successor of key
	}
	ack   struct{ seq uint64 }
	reply struct {
		call    uint64
		root    model.Peer
		succ    []model.Peer
		servers []model.Addr
		hops    int
		back    []model.Addr // whom it is yet to pass, the origin first
	}
	ask struct {
		seq   uint64
		brief bool // whether it lives is all that is asked
	}
	state struct {
		seq  uint64
		pred model.Peer
		succ []model.Peer
	}
	notify struct{ peer model.Peer }
	lay    struct {
		key   idspace.ID
		entry model.Entry
		drop  bool
	}
	leaving struct {
		peer, pred model.Peer
		succ       []model.Peer
	}
)

// peerSize is an ID with an address and a port, addrSize the latter alone.
const (
	addrSize = 6
	peerSize = idspace.Size + addrSize
)

func (h hop) Kind() string   { return names[h.what] }
func (ack) Kind() string     { return "ack" }
func (reply) Kind() string   { return "reply" }
func (ask) Kind() string     { return "stabilize" }
func (state) Kind() string   { return "stabilize" }
func (notify) Kind() string  { return "notify" }
func (lay) Kind() string     { return "lay" }
func (leaving) Kind() string { return "leave" }

func (h hop) Size() int { return 8 + 8 + 2 + idspace.Size + peerSize + addrSize*len(h.trail) }
func (ack) Size() int   { return 8 }
func (r reply) Size() int {
	return 8 + 2 + peerSize*(1+len(r.succ)) + addrSize*(len(r.servers)+len(r.back))
}
func (ask) Size() int       { return 9 }
func (s state) Size() int   { return 8 + peerSize*(1+len(s.succ)) }
func (notify) Size() int    { return peerSize }
func (lay) Size() int       { return idspace.Size + addrSize + 8 + 1 }
func (m leaving) Size() int { return peerSize * (2 + len(m.succ)) }
