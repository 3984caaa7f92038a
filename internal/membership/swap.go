package membership

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Exchanges send a digest instead of a list that the receiver has (design §6; findings
// A.1). A message says which list of its sender it is about (digest) and which list of
// its receiver the sender last took in whole (have), so that a loss on either side shows
// with the next message. A node that has lost somebody claims to have nothing: it wants to
// be named candidates again.

// list is one of the lists that are exchanged with a peer.
type list uint8

const (
	leafList list = iota
	rowList       // of the level that the peer is of
	lists
)

// upkeep is how the exchanges of one list go.
type upkeep struct {
	changed mono.Time  // when somebody came or went last
	losses  uint32     // how many have gone of their own, rather than for somebody better
	asked   idspace.ID // who has not answered the last exchange, zero if all have
	brief   bool       // that one was a digest alone
	missed  int        // exchanges in a row without an answer
}

// calm is how long nothing must have changed for exchanges to be as much less frequent as
// they are at first.
const calm = 20 * time.Second

// stretch lengthens the period of an exchange, at most so many times.
func (u *upkeep) stretch(now mono.Time, period time.Duration, most int) time.Duration {
	quiet := period + time.Duration(float64(period)*float64(now.Sub(u.changed))/float64(calm))
	return min(max(quiet, period*time.Duration(1+u.missed)), period*time.Duration(most))
}

// swap is what a peer and this node have of each other's list, by digest.
type swap struct {
	mine   uint32 // of this node's list, as the peer has it; 0 if it has none
	theirs uint32 // of the peer's list, as this node took it in whole; 0 if it has not
	losses uint32 // of this node, when it took it
	refs   []byte // the peer's leaf set as it came last, see vouch
}

// swapWith returns the swaps with a linked peer, nil with others: nobody grows memory by
// sending lists.
func (m *Member) swapWith(peer idspace.ID, l list) *swap {
	if !m.links.Linked(peer) {
		return nil
	}
	s := m.swaps[peer]
	if s == nil {
		s = new([lists]swap)
		m.swaps[peer] = s
	}
	return &s[l]
}

// forgetSwaps forgets those with whom there is no link any more.
func (m *Member) forgetSwaps() {
	for peer := range m.swaps { // in any order: nothing is said
		if !m.links.Linked(peer) {
			delete(m.swaps, peer)
		}
	}
}

// purpose is why a list is sent.
type purpose uint8

const (
	answering purpose = iota
	asking            // for the other's list
)

// listing is a list as it is sent: short references, and their coordinates.
type listing struct{ refs, coords []byte }

// delivery says what is sent to whom.
type delivery struct {
	to   idspace.ID
	list list
	why  purpose
}

// wholeEvery is how often, on average, an exchange asks for the whole list though this
// node has it: what it had no use for when it took it, it may have by now.
const wholeEvery = 16

// compose leaves the list out if the receiver has it, and returns what to say of it.
func (m *Member) compose(e env.Env, d delivery, l *listing) (digest, have uint32) {
	digest = wire.Digest(l.refs)
	s := m.swapWith(d.to, d.list)
	if s == nil {
		return digest, 0
	}
	if s.losses == m.lists[d.list].losses && (d.why == answering || e.Rand().IntN(wholeEvery) > 0) {
		have = s.theirs
	}
	brief := s.mine == digest
	if brief {
		*l = listing{}
	}
	s.mine = digest
	if d.why == asking {
		m.lists[d.list].brief = brief
	}
	return digest, have
}

// ask notes that an exchange begins, and whether the last one came to anything.
func (m *Member) ask(l list, to idspace.ID) {
	u := &m.lists[l]
	if u.asked.IsZero() {
		u.missed = 0
	} else {
		u.missed = min(u.missed+1, m.cfg.Stretch)
	}
	u.asked = to
}

// arrival is a list as it came.
type arrival struct {
	from         idspace.ID
	list         list
	digest, have uint32
	taken        bool // it was whole, and nothing in it has to be asked for again
}

// received notes what a peer has of this node's list and this node of its. It reports
// whether the peer lacks what this node has just told it by digest alone.
func (m *Member) received(a arrival) (lacking bool) {
	u := &m.lists[a.list]
	s := m.swapWith(a.from, a.list)
	if s == nil {
		return false
	}
	if u.asked == a.from {
		u.asked = idspace.ID{}
		lacking = u.brief && a.have != s.mine
	}
	s.mine = a.have
	if a.taken {
		s.theirs, s.losses = a.digest, u.losses
	} else if s.theirs != a.digest {
		s.theirs = 0
	}
	return lacking
}
