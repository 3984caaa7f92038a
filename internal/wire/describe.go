package wire

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Describe prints m as one stable line: traces, goldens and the command use it. Coordinates
// are left out: they change with every beacon and would be on every line.
func Describe(m Message) string {
	switch m := m.(type) {
	case *Hello:
		return fmt.Sprintf("hello v%d %q %s", m.Version, m.Network, describeRecord(m.Record))
	case *Beacon:
		return fmt.Sprintf("beacon %s", m.Use.Name())
	case *BeaconAck:
		if m.Refused {
			return "beacon-ack refused" + describeDead(m)
		}
		return "beacon-ack" + describeDead(m)
	case *Ack:
		if m.Busy {
			return "ack busy"
		}
	case *Leave:
		return "leave" + describeRefs(m.Refs)
	case *LeafSet:
		return "leaf-set" + describeWant(m) + describeWhole(m) + describeRefs(m.Refs) + describeDead(m)
	case *Row:
		return fmt.Sprintf("row %d%s%s%s%s", m.Level, describeWant(m), describeWhole(m), describeRefs(m.Refs), describeDead(m))
	case *RecordRequest:
		return "record-request" + describeRefs(m.Refs)
	case *Records:
		return "records" + describeRecords(m.Records)
	case *Multicast:
		return describeMulticast(m)
	case *MulticastAck:
		return describeMulticastAck(m)
	case *Inserted:
		return fmt.Sprintf("inserted reached=%d failed=%d", m.Reached, m.Failed)
	case *Strangers:
		return fmt.Sprintf("strangers %v", time.Duration(m.LeftMs)*time.Millisecond)
	case *Witness:
		return fmt.Sprintf("witness %s/%d hops-left=%d", short(m.Hole), m.Digits, m.HopsLeft)
	case *WitnessReply:
		return "witness-reply" + describeRecords(m.Named)
	case *IndirectProbe:
		return "indirect-probe of " + short(m.Target)
	case *IndirectAck:
		return "indirect-ack " + m.Finding.Name()
	case *Refresh:
		return describeRefresh(m)
	case *RefreshReply:
		return "refresh-reply" + describeNames("differ", m.Differ) + describeNames("stale", m.Stale)
	case *Listing:
		return describeListing(m)
	case *Wanted:
		return fmt.Sprintf("wanted %s/%s prints=%d", short(m.Server), m.Copy.Name(), len(m.Prints)/printSize)
	case *Deposit:
		server := fmt.Sprintf("of %x", m.Ref)
		if m.Server != nil {
			server = describeRecord(m.Server)
		}
		s := fmt.Sprintf("deposit %s %s pointers=%d", server, m.Copy.Name(), len(m.Laid))
		if len(m.Parts) > 0 {
			s += fmt.Sprintf(" parts=%d", len(m.Parts))
		}
		if m.Ask != 0 {
			s += " asks"
		}
		return s
	case *Placed:
		return fmt.Sprintf("placed missing=%d refused=%d", len(m.Missing)/printSize, len(m.Refused)/printSize)
	case *Routed:
		return describeRouted(m)
	}
	return m.Kind().String()
}

// maxDescribed is how many branches, or servers, are named of the thousands that a message may be about.
const maxDescribed = 8

func describeRefresh(m *Refresh) string {
	var b strings.Builder
	b.WriteString("refresh")
	if m.Seq != 0 {
		b.WriteString(" ask")
	}
	for i, branch := range Branches(m.Branches) {
		if i == maxDescribed {
			break
		}
		fmt.Fprintf(&b, " %x/%s=%d", branch.Server[:4], branch.Copy.Name(), branch.Count)
	}
	b.WriteString(describeMore(len(m.Branches) / branchSize))
	if len(m.Dead) > 0 {
		b.WriteString(" dead:")
		for _, server := range ServerRefs(m.Dead[:min(len(m.Dead), maxDescribed*refPrefix)]) {
			fmt.Fprintf(&b, " %x", server[:4])
		}
		b.WriteString(describeMore(len(m.Dead) / refPrefix))
	}
	return b.String()
}

func describeNames(what string, packed []byte) string {
	if len(packed) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(" " + what + ":")
	for _, name := range BranchNames(packed[:min(len(packed), maxDescribed*nameSize)]) {
		fmt.Fprintf(&b, " %x/%s", name.Server[:4], name.Copy.Name())
	}
	return b.String() + describeMore(len(packed)/nameSize)
}

func describeMore(n int) string {
	if n <= maxDescribed {
		return ""
	}
	return fmt.Sprintf(" and %d more", n-maxDescribed)
}

func describeListing(m *Listing) string {
	line := fmt.Sprintf("listing %s/%s prints=%d", short(m.Server), m.Copy.Name(), len(m.Prints)/printSize)
	if m.Low > 0 || m.High < math.MaxUint64 {
		line += fmt.Sprintf(" from=%016x to=%016x", m.Low, m.High)
	}
	return line
}

func describeMulticast(m *Multicast) string {
	what := "how far"
	switch {
	case m.Insertion != nil:
		what = "insertion of " + describeRecord(m.Insertion.Record)
	case m.Announcement != nil:
		what = "announcement"
	}
	if m.Pinned {
		what += " pinned"
	}
	return fmt.Sprintf("multicast %s/%d level %d: %s", short(m.Prefix), m.Digits, m.Level, what)
}

func describeMulticastAck(m *MulticastAck) string {
	switch {
	case !m.Done:
		return "multicast-ack"
	case m.Alone:
		return "multicast-ack done alone"
	}
	return fmt.Sprintf("multicast-ack done reached=%d handled=%d failed=%d", m.Reached, m.Handled, m.Failed)
}

func describeRouted(m *Routed) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", m.BodyKind.Name(), short(m.Key))
	if m.Reply {
		b.WriteString(" reply")
	}
	if m.Refusal != Refusal_REFUSAL_NONE {
		fmt.Fprintf(&b, " refused:%s", m.Refusal.Name())
	}
	if m.Exact {
		b.WriteString(" exact")
	}
	if m.Follow {
		b.WriteString(" follow")
	}
	if len(m.Path) > 0 {
		b.WriteString(" path=" + shorts(m.Path))
	}
	if len(m.Excluded) > 0 {
		b.WriteString(" without=" + shorts(m.Excluded))
	}
	return b.String()
}

// Name is the body's name in traces, metrics and answers.
func (k BodyKind) Name() string { return lastWord(k.String(), "BODY_") }

// Name is the refusal's name in traces and errors.
func (r Refusal) Name() string { return lastWord(r.String(), "REFUSAL_") }

// Name is the rule's name in traces and explanations.
func (r Rule) Name() string { return lastWord(r.String(), "RULE_") }

// Name is the finding's name in traces.
func (f Finding) Name() string { return lastWord(f.String(), "FINDING_") }

// Name is the name of a kind of copy in traces.
func (c Copy) Name() string { return lastWord(c.String(), "COPY_") }

// Name is the name of a use in traces and answers.
func (u Use) Name() string { return lastWord(u.String(), "USE_") }

func lastWord(s, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(s, prefix)), "_", "-")
}

func describeWhole(m interface{ Whole() bool }) string {
	if m.Whole() {
		return ""
	}
	return " unchanged"
}

func describeDead(m interface{ GetDeadRefs() []byte }) string {
	if len(m.GetDeadRefs()) == 0 {
		return ""
	}
	return " dead:" + describeRefs(m.GetDeadRefs())
}

func describeWant(m interface{ GetWantReply() bool }) string {
	if m.GetWantReply() {
		return " ask"
	}
	return ""
}

func describeRefs(packed []byte) string {
	var b strings.Builder
	for _, r := range Refs(packed) {
		fmt.Fprintf(&b, " %x", r.Prefix[:4])
	}
	return b.String()
}

func describeRecords(records []*SignedRecord) string {
	var b strings.Builder
	for _, r := range records {
		b.WriteString(" " + describeRecord(r))
	}
	return b.String()
}

func describeRecord(r *SignedRecord) string {
	node, err := r.Node()
	if err != nil {
		return "?"
	}
	return fmt.Sprintf("%s/%d.%d", node.ID().Short(), node.Generation, node.Version)
}

func short(b []byte) string {
	id, err := idspace.FromBytes(b)
	if err != nil {
		return "?"
	}
	return id.Short()
}

func shorts(packed []byte) string {
	var names []string
	for _, id := range IDs(packed) {
		names = append(names, id.Short())
	}
	return strings.Join(names, ",")
}
