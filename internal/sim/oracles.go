package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// The oracles. Each sees all nodes at once; what they find while something has to be
// repaired counts when it is still so after graceTime.
const (
	oneRoot     = "one_root"         // a node takes itself for the root of a key and is not, or is and does not
	falseHole   = "false_hole"       // a slot is empty though a node for it exists
	ring        = "ring"             // a leaf set misses a next neighbor, or keeps a dead node
	locatable   = "locatable"        // an object with a living server is not on the path of any salt from somewhere
	wrongAbsent = "wrong_absent"     // an object with a living server was called absent
	outlived    = "outlived_pointer" // a pointer is kept beyond its life, or that of its server plus a lease
	shrink      = "distance_shrinks" // a request went to a node that is no closer to its key
	bounded     = "bounded_state"    // a node keeps more than it may
	historic    = "history"          // an answer about an object that was right at no moment since it was asked for
)

var oracles = [...]string{oneRoot, falseHole, ring, locatable, wrongAbsent, outlived, shrink, bounded, historic}

const (
	auditEvery = 5 * time.Second
	// auditKeys and auditObjects are how many are looked at in each audit.
	auditKeys, auditObjects, auditNodes = 16, 40, 1000
	// textsPerOracle is how many violations of one oracle are told in full.
	textsPerOracle = 3
	// maxTimers is far beyond what links, objects and requests of the load need.
	maxTimers = 20_000
	// lastEvents is how many events are kept for the text of a violation.
	lastEvents, toldEvents = 4096, 8
)

// finding names a violation, to recognize it in the next audit.
type finding struct {
	oracle string
	host   int // who is wrong
	about  idspace.ID
}

// auditor looks for violations. Texts are kept of the first of each oracle.
type auditor struct {
	run    *run
	keys   []idspace.ID
	counts map[string]int
	texts  []string
	// since is when each finding of the last audit was first made.
	since, now map[finding]mono.Time
	last       []happened // ring of events
	next       int
	strict     bool // nothing is forgiven
}

type happened struct {
	at   mono.Time
	host *world.Host
	what env.Event
}

func newAuditor(r *run) *auditor {
	a := &auditor{run: r, counts: make(map[string]int), since: make(map[finding]mono.Time)}
	for _, o := range oracles {
		a.counts[o] = 0
	}
	for i := range auditKeys {
		a.keys = append(a.keys, idspace.Hash(fmt.Appendf(nil, "audit %d %d", r.cfg.Seed, i)))
	}
	return a
}

// begin looks at everything, and again until the measured part is over.
func (a *auditor) begin() {
	a.now = make(map[finding]mono.Time)
	nodes := a.sample()
	for _, m := range nodes {
		a.roots(m)
		a.holes(m)
		a.leaves(m)
		a.pointers(m)
		a.bounds(m)
	}
	a.objects(nodes)
	a.run.litter.look(a.run)
	a.since = a.now
	if a.run.loading {
		a.run.world.After(auditEvery, a.begin)
	}
}

// sample is who is looked at: all, or as many of a large overlay, from another one on
// each time.
func (a *auditor) sample() []*member {
	active := a.run.people.active
	if len(active) <= auditNodes {
		return slices.Clone(active)
	}
	step := len(active) / auditNodes
	var some []*member
	for i := int(a.run.world.Events() % uint64(step)); i < len(active); i += step {
		some = append(some, active[i])
	}
	return some
}

// found takes a finding that counts if it lasts, or at once if there was nothing to
// repair (forgiven). While the network is cut nobody is to blame.
func (a *auditor) found(f finding, w whereof, detail string) {
	if a.run.parted {
		return
	}
	now := a.run.world.Now()
	first, known := a.since[f]
	if !known {
		first = now
	}
	a.now[f] = first
	if !a.forgiven(w, now.Sub(first)) {
		a.violation(f, detail)
	}
}

// violation counts, and tells the first few.
func (a *auditor) violation(f finding, detail string) {
	a.counts[f.oracle]++
	if a.counts[f.oracle] > textsPerOracle {
		return
	}
	var b strings.Builder
	at := a.run.world.Now().Sub(a.run.began)
	fmt.Fprintf(&b, "%v %s at %v: %s", at, f.oracle, a.run.world.Hosts()[f.host], detail)
	for _, line := range a.recent(f) {
		b.WriteString("\n    " + line)
	}
	fmt.Fprintf(&b, "\n    again with: %s", a.run.cfg.Command)
	a.texts = append(a.texts, b.String())
}

// recent lists the last events at a node, or about whom the finding is.
func (a *auditor) recent(f finding) (lines []string) {
	for i := range a.last {
		h := a.last[(a.next-1-i+2*len(a.last))%len(a.last)]
		if h.host == nil || h.host.Number() != f.host && h.host.ID() != f.about {
			continue
		}
		name := strings.TrimPrefix(fmt.Sprintf("%T", h.what), "*env.")
		lines = append(lines, fmt.Sprintf("%v %v %s %s", h.at.Sub(a.run.began), h.host, name, describe(h.what)))
		if len(lines) == toldEvents {
			break
		}
	}
	slices.Reverse(lines)
	return lines
}

func describe(ev env.Event) string {
	switch ev := ev.(type) {
	case *env.NeighborChanged:
		return ev.Peer.Short() + " " + ev.State.String()
	case *env.Forwarded:
		return fmt.Sprintf("%s %s to %s by %s", ev.Kind.Name(), ev.Key.Short(), ev.To.Short(), ev.Rule.Name())
	case *env.Arrived:
		return fmt.Sprintf("%s %s by %s", ev.Kind.Name(), ev.Key.Short(), ev.Rule.Name())
	case *env.Dropped:
		return ev.Why
	case *env.Stored:
		return ev.GUID.Short() + " of " + ev.Server.Short()
	case *env.Removed:
		return ev.GUID.Short() + " of " + ev.Server.Short() + " " + ev.Why
	}
	return ""
}

// event keeps an event, and looks at those that tell of a violation themselves.
func (a *auditor) event(h *world.Host, ev env.Event) {
	switch ev := ev.(type) {
	case *env.Measured, *env.LinkUsed:
		return // too many, and they tell little
	case *env.Forwarded:
		if !ev.Reply && ev.Rule != wire.Rule_RULE_NONE && ev.Rule != wire.Rule_RULE_RELAY && ev.Rule != wire.Rule_RULE_FOLLOW && !idspace.Hex.Closer(ev.To, h.ID(), ev.Key) {
			a.violation(finding{shrink, h.Number(), ev.To}, fmt.Sprintf("%s for %s goes to %s, which is no closer",
				ev.Kind.Name(), ev.Key.Short(), ev.To.Short()))
		}
	}
	if len(a.last) < lastEvents {
		a.last = append(a.last, happened{})
	}
	a.next %= lastEvents
	a.last[a.next] = happened{a.run.world.Now(), h, ev}
	a.next++
}

// absent is called with a search whose answer was absent though it has a server.
func (a *auditor) absent(s *search) {
	a.violation(finding{wrongAbsent, s.from.host.Number(), s.object.guid},
		fmt.Sprintf("%s is called absent, %d servers are up", s.object.guid.Short(), len(s.object.living())))
}

func (r *run) absent(s *search) {
	if r.audit != nil {
		r.audit.absent(s)
	}
}
