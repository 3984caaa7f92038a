package sim

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

const (
	// graceTime is how long the periodic repair may take: a row exchange with each
	// neighbor of a level (10 s), a beacon and its probes, and one re-lay of objects.
	graceTime = 50 * time.Second
	// mergeTime is how long two halves that have buried each other may take to become
	// one overlay again: each asks a lost node or a seed once a minute (design §6).
	mergeTime = 2 * time.Minute
)

// whereof says on whose repair it depends that a finding goes away.
type whereof struct {
	host  *member
	about []idspace.ID // nodes that are missed, or kept
	// anybody: the finding is about a way through the overlay, on which anybody may be.
	anybody bool
}

// forgiven reports whether a finding that was first made at the given age ago need not
// count yet: it is younger than the repair may take, and something has happened since
// that has to be repaired. What lasts longer counts, whatever happens.
func (a *auditor) forgiven(w whereof, age time.Duration) bool {
	p := &a.run.people
	now := p.world.Now()
	lately := func(m *member) bool { return m != nil && m.upset != 0 && now.Sub(m.upset) <= graceTime }
	switch {
	case a.strict:
		return false
	case p.healed != 0 && now.Sub(p.healed) < mergeTime:
		return true
	case age >= graceTime:
		return false
	case now.Sub(p.changed) <= graceTime, p.live > len(p.active): // somebody is joining
		return true
	case w.anybody && p.upset != 0 && now.Sub(p.upset) <= graceTime, lately(w.host):
		return true
	}
	for _, id := range w.about {
		if h := p.world.Host(id); h != nil && lately(of(h)) {
			return true
		}
	}
	return false
}

// disturb notes that a node has stalled, or that it takes another one for dead that is
// not, or is taken for dead: what is missing in its tables, or for want of it in those of
// others, takes a while to be repaired.
func (p *population) disturb(all ...*member) {
	p.upset = p.world.Now()
	for _, m := range all {
		m.upset = p.upset
	}
}

// steady reports whether a server has not lately been taken for dead or stalled, and was
// not on another side of a cut that is yet to mend.
func (p *population) steady(m *member) bool {
	now := p.world.Now()
	return (m.upset == 0 || now.Sub(m.upset) > graceTime) && (p.healed == 0 || now.Sub(p.healed) > mergeTime)
}
