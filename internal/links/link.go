// Package links keeps, for every neighbor, what its link is used for on both sides,
// how long it takes, and whether the neighbor is suspected; and it holds the number
// of links under a cap.
//
// Uses have worth: spare < sole < starved < leaf (docs/adr/0006-links-have-uses.md). A link is
// worth what the side that values it more says. At the cap a link of lower worth
// gives way to a use of higher worth; among equals nobody gives way. The backpointers
// of JSAC §III-B are the links with a use of theirs: soft state, renewed by beacons,
// expired with them.
//
// Timeouts are TCP's: four times the first sample; then smoothed RTT plus four times
// its variation plus slack; doubled on loss until the next sample (Bamboo; design §5).
// Before the first sample network coordinates stand in for it (coordinate.go).
//
// Invariants: Count() <= Cap; every link has a use on at least one side, or is asked
// for; links are visited in order of ID.
//
// Layer 2: imports env, idspace, mono and wire. heartbeat alone writes; all machines
// may read.
package links

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Link is what is known of the link to one neighbor.
type Link struct {
	ID         idspace.ID
	Mine       wire.Use      // what this node uses it for
	Asked      wire.Use      // what this node has asked to use it for, until the verdict
	Theirs     wire.Use      // what the neighbor uses it for: it is a backpointer if not none
	Coord      wire.Coord    // where it says that it is, if it has said so
	Protect    bool          // the world must not trim it
	Suspect    bool          // it missed an acknowledgement and has not answered since
	Until      mono.Time     // Theirs is forgotten then, unless renewed
	Life       time.Duration // how long it wants Theirs kept after anything came from it
	Heard      mono.Time     // when anything last came from it
	Generation uint64        // of its record, while this node uses it
	Hinted     uint64        // how many deaths had been found when it was last told of them

	timing
}

// Worth is the most that either side makes of the link.
func (l *Link) Worth() wire.Use { return max(l.Mine, l.Asked, l.Theirs) }

// Mutual is the most that either side has been granted of the link.
func (l *Link) Mutual() wire.Use { return max(l.Mine, l.Theirs) }

// timing estimates the round trip of a link (Jacobson's estimator).
type timing struct {
	srtt    time.Duration // smoothed round-trip time, 0 before the first sample
	rttvar  time.Duration // smoothed variation
	backoff int           // doublings since the last sample
	least   time.Duration // the shortest round-trip time, which follows longer ones slowly
}

func (t *timing) sample(rtt time.Duration) {
	rtt = max(rtt, time.Microsecond)
	t.backoff = 0
	if t.least == 0 || rtt < t.least {
		t.least = rtt
	} else {
		t.least += (rtt - t.least) / drift
	}
	if t.srtt == 0 {
		t.srtt, t.rttvar = rtt, rtt*3/4
		return
	}
	t.rttvar += (max(t.srtt-rtt, rtt-t.srtt) - t.rttvar) / 4
	t.srtt += (rtt - t.srtt) / 8
}

// patience is how long an answer may take, once one has come.
func (t *timing) patience(cfg *Config) time.Duration {
	return min(max(t.srtt+4*t.rttvar+cfg.Slack, cfg.MinTimeout), cfg.MaxTimeout)
}
