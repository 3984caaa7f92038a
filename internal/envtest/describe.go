package envtest

import (
	"fmt"
	"strings"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

func (e *Env) describeLocal(m env.Local) string {
	switch m := m.(type) {
	case *env.Probe:
		return fmt.Sprintf("probe %s", e.Of(m.Peer))
	case *env.LocateRequest:
		return fmt.Sprintf("locate %d %s/%s limit=%d first=%v cached=%v", m.Call, e.Of(m.GUID), m.App, m.Limit, m.First, m.Cached)
	case *env.Fetch:
		return fmt.Sprintf("fetch %s/%s towards %s", e.Of(m.GUID), m.App, e.Of(m.Towards))
	case *env.Located:
		return fmt.Sprintf("located %d %v%s%s", m.Call, m.Status, e.replicas(m.Replicas), e.notes(m.Notes))
	case *env.Withdrawn:
		return "withdrawn"
	case *env.Missed, *env.Heard, *env.Up, *env.Suspect, *env.Down:
		return e.describeJudgement(m)
	}
	return e.describeNeighborhood(m)
}

// describeInsertion is describeLocal for what inserts a node or takes its leave.
func (e *Env) describeInsertion(m env.Local) string {
	switch m := m.(type) {
	case *env.Insert:
		return fmt.Sprintf("insert %s/%d holes=%x", e.Of(m.Node), m.Digits, m.Insertion.Holes)
	case *env.Inserted:
		return fmt.Sprintf("inserted %s reached=%d failed=%d", e.Of(m.Node), m.Reached, m.Failed)
	case *env.Inserting:
		return fmt.Sprintf("inserting #%d", m.Spread)
	case *env.InsertingDone:
		return fmt.Sprintf("inserting-done #%d failed=%v", m.Spread, m.Failed)
	case *env.Named:
		return "named " + wire.Describe(&wire.Records{Records: []*wire.SignedRecord{m.Record}})
	case *env.Judged:
		return fmt.Sprintf("judged %s alive=%v", e.Of(m.Peer), m.Alive)
	case *env.Witnessed:
		return "witnessed"
	case *env.Stalled:
		return fmt.Sprintf("stalled for %v", m.For)
	case *env.Unpinned:
		return "unpinned " + e.Of(m.Node)
	case *env.HandOver:
		return "hand-over to " + e.Of(m.To)
	case *env.HandedOver:
		return "handed-over to " + e.Of(m.To)
	case *env.Released:
		return "released " + e.Of(m.Peer)
	}
	return fmt.Sprintf("%T", m)
}

// describeJudgement is describeLocal for what heartbeat and routing think of neighbors.
func (e *Env) describeJudgement(m env.Local) string {
	switch m := m.(type) {
	case *env.Up:
		return "up " + e.Of(m.Peer)
	case *env.Suspect:
		return "suspect " + e.Of(m.Peer)
	case *env.Down:
		return fmt.Sprintf("down %s %v", e.Of(m.Peer), m.Why.State())
	case *env.Missed:
		return "missed " + e.Of(m.Peer)
	case *env.Heard:
		return fmt.Sprintf("heard %s %v", e.Of(m.Peer), m.RTT)
	}
	return fmt.Sprintf("%T", m)
}

// describeNeighborhood is describeLocal for what routing, heartbeat and membership post.
func (e *Env) describeNeighborhood(m env.Local) string {
	switch m := m.(type) {
	case *env.Pointed:
		return "pointed " + e.Of(m.Peer)
	case *env.Use:
		return fmt.Sprintf("use %s %s protect=%v", e.Of(m.Peer), m.Use.Name(), m.Protect)
	case *env.Verdict:
		return fmt.Sprintf("verdict %s alive=%v refused=%v rtt=%v", e.Of(m.Peer), m.Alive, m.Refused, m.RTT)
	case *env.Changed:
		return fmt.Sprintf("changed added=%s removed=%s dead=%s", e.List(m.Added), e.List(m.Removed), e.List(m.Dead))
	}
	return e.describeInsertion(m)
}

func (e *Env) describeDelivery(d env.Delivery) string {
	switch d := d.(type) {
	case *env.Found:
		return fmt.Sprintf("found %d%s", d.Call, e.replicas(d.Replicas))
	case *env.Outcome:
		return e.describeOutcome(d)
	case *env.Upcall:
		s := fmt.Sprintf("upcall #%d %s %q from=%s key=%s", d.Ticket, d.App, d.Payload, e.Of(d.From), e.Of(d.Key))
		if !d.GUID.IsZero() {
			s += " guid=" + e.Of(d.GUID)
		}
		if d.Origin != nil {
			s += " signed"
		}
		return s
	}
	return fmt.Sprintf("%T", d)
}

func (e *Env) describeOutcome(o *env.Outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "outcome %d %v", o.Call, o.Status)
	if len(o.Missing) > 0 {
		fmt.Fprintf(&b, " missing=%d", len(o.Missing))
	}
	if len(o.Overtaken) > 0 {
		fmt.Fprintf(&b, " overtaken=%d", len(o.Overtaken))
	}
	if len(o.Placed) > 0 {
		b.WriteString(" placed=" + e.List(o.Placed))
	}
	b.WriteString(e.replicas(o.Replicas))
	if !o.Replica.Server.IsZero() {
		b.WriteString(" replica=" + e.Of(o.Replica.Server))
	}
	if len(o.Path) > 0 {
		fmt.Fprintf(&b, " path=%s rtt=%v", e.List(o.Path), o.RTT)
	}
	if o.Spread != (env.Spread{}) {
		fmt.Fprintf(&b, " reached=%d handled=%d failed=%d", o.Spread.Reached, o.Spread.Handled, o.Spread.Failed)
	}
	if o.Reply != nil {
		fmt.Fprintf(&b, " reply=%q", o.Reply)
	}
	if o.Error != "" {
		fmt.Fprintf(&b, " error=%q", o.Error)
	}
	if o.RetryAfter > 0 {
		fmt.Fprintf(&b, " again=%v", o.RetryAfter)
	}
	for _, r := range o.Refused {
		fmt.Fprintf(&b, " [%s: %v, again=%v]", e.Of(r.By), r.Limit, r.RetryAfter)
	}
	return b.String() + e.notes(o.Notes)
}

func (e *Env) replicas(all []env.Replica) string {
	var b strings.Builder
	for _, r := range all {
		how := "~"
		if r.Measured {
			how = "="
		}
		fmt.Fprintf(&b, " %s%s%v", e.Of(r.Server), how, r.RTT)
	}
	return b.String()
}

func (e *Env) notes(roots [][]*wire.HopNote) string {
	var b strings.Builder
	for salt, hops := range roots {
		fmt.Fprintf(&b, " [%d:", salt)
		for _, h := range hops {
			fmt.Fprintf(&b, " %s %s %d", e.Of(wire.ID(h.Node)), h.Rule.Name(), h.Pointers)
		}
		b.WriteString("]")
	}
	return b.String()
}

func (e *Env) describeEvent(ev env.Event) string {
	switch ev := ev.(type) {
	case *env.Stored:
		return fmt.Sprintf("stored %s at %s", e.Of(ev.GUID), e.Of(ev.Server))
	case *env.Behind:
		return fmt.Sprintf("behind by %v of %v with %d objects", ev.Late, ev.Spare, ev.Served)
	case *env.Removed:
		return fmt.Sprintf("removed %s at %s: %s", e.Of(ev.GUID), e.Of(ev.Server), ev.Why)
	case *env.Dropped:
		return fmt.Sprintf("dropped from %s: %s", e.Of(ev.Peer), ev.Why)
	case *env.LinkUsed:
		return fmt.Sprintf("link %s mine=%s theirs=%s protect=%v", e.Of(ev.Peer), ev.Mine.Name(), ev.Theirs.Name(), ev.Protect)
	case *env.NeighborChanged:
		return fmt.Sprintf("neighbor %s %v", e.Of(ev.Peer), ev.State)
	case *env.Measured:
		return fmt.Sprintf("measured %s %v", e.Of(ev.Peer), ev.RTT)
	case *env.Forwarded:
		return fmt.Sprintf("forwarded %d to %s by %s reply=%v resent=%v", ev.Call, e.Of(ev.To), ev.Rule.Name(), ev.Reply, ev.Resent)
	case *env.Arrived:
		return fmt.Sprintf("arrived %d after %d hops by %s", ev.Call, ev.Hops, ev.Rule.Name())
	}
	return fmt.Sprintf("%T", ev)
}
