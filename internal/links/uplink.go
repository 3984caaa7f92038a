package links

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// uplink estimates how long what this node sends has to wait before it leaves. How much longer than
// at best an answer took is what question and answer have waited on both sides; what even the quickest
// of the latest answers, of other neighbors most likely, have waited, they have waited here.
type uplink struct {
	waits [judged]wait // the latest, in a ring
	next  int

	mean, spread time.Duration // of all waits, smoothed as round trips are, over more of them
}

type wait struct {
	long time.Duration
	at   mono.Time // 0: none
}

const (
	// judged is how many answers tell of the uplink.
	judged = 8
	// fresh is how long they do.
	fresh = 2 * time.Second
	// drift is how slowly the shortest round trip follows one that has become longer.
	drift = 64
)

func (u *uplink) add(long time.Duration, now mono.Time) {
	u.waits[u.next] = wait{long, now}
	u.next = (u.next + 1) % judged
	u.spread += (max(u.mean-long, long-u.mean) - u.spread) / 16
	u.mean += (long - u.mean) / 16
}

// usual is how long hardly any answer waits longer than.
func (u *uplink) usual() time.Duration { return u.mean + 4*u.spread }

// delay is the second shortest of the latest waits: the shortest round trip of one link may be
// wrong. It is 0 while too little is known.
func (u *uplink) delay(now mono.Time) time.Duration {
	var long [judged]time.Duration
	for i, w := range u.waits {
		if w.at == 0 || now.Sub(w.at) > fresh {
			return 0
		}
		long[i] = w.long
	}
	slices.Sort(long[:])
	return long[1]
}

// Took takes a measured round trip to id into account, as Sample does, and what it tells of the uplink.
func (t *Table) Took(id idspace.ID, rtt time.Duration, now mono.Time) {
	if l := t.Link(id); l != nil {
		if l.least > 0 {
			t.uplink.add(max(rtt-l.least, 0), now)
		}
		l.sample(rtt)
	}
}

// Queued estimates how long what is sent now waits before it has left this node.
func (t *Table) Queued(now mono.Time) time.Duration { return t.uplink.delay(now) }
