package wire

import (
	"fmt"
	"strings"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Describe prints m as one stable line: traces, goldens and the command use it.
func Describe(m Message) string {
	switch m := m.(type) {
	case *Hello:
		return fmt.Sprintf("hello v%d %q %s", m.Version, m.Network, describeRecord(m.Record))
	case *Beacon:
		return fmt.Sprintf("beacon %s", m.Use.Name())
	case *BeaconAck:
		if m.Refused {
			return "beacon-ack refused"
		}
		return "beacon-ack"
	case *Leave:
		return "leave" + describeRefs(m.Refs)
	case *LeafSet:
		return "leaf-set" + describeWant(m) + describeRefs(m.Refs)
	case *Row:
		return fmt.Sprintf("row %d%s%s", m.Level, describeWant(m), describeRefs(m.Refs))
	case *RecordRequest:
		return "record-request" + describeRefs(m.Refs)
	case *Records:
		return "records" + describeRecords(m.Records)
	case *Routed:
		return describeRouted(m)
	}
	return m.Kind().String()
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

// Name is the name of a use in traces and answers.
func (u Use) Name() string { return lastWord(u.String(), "USE_") }

func lastWord(s, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(s, prefix)), "_", "-")
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
