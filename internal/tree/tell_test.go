package tree_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// tell describes a message of this room.
func tell(names envtest.Names, m wire.Message) string {
	switch m := m.(type) {
	case *wire.Refresh:
		return tellRefresh(names, m)
	case *wire.RefreshReply:
		s := fmt.Sprintf("refresh-reply%s", tellAsked(m.Seq))
		return s + tellNames(names, " differ", m.Differ) + tellNames(names, " stale", m.Stale)
	case *wire.Listing:
		return fmt.Sprintf("listing %s %s token=%d prints=%d%s", names.Of(wire.ID(m.Server)), m.Copy.Name(), m.Pulse.Index,
			len(m.Prints)/8, tellRange(m))
	case *wire.Wanted:
		return fmt.Sprintf("wanted %s %s prints=%d", names.Of(wire.ID(m.Server)), m.Copy.Name(), len(m.Prints)/8)
	case *wire.Deposit:
		return tellDeposit(names, m)
	}
	return wire.Describe(m)
}

func tellAsked(seq uint64) string {
	if seq != 0 {
		return " asked"
	}
	return ""
}

func tellRange(m *wire.Listing) string {
	if m.Low == 0 && m.High == 1<<64-1 {
		return ""
	}
	return " in part"
}

// serverOf is the name of the server that a reference means.
func serverOf(names envtest.Names, ref wire.ServerRef) string {
	for id, name := range names {
		if wire.ServerRefTo(id) == ref {
			return name
		}
	}
	return fmt.Sprintf("%x", ref)
}

func tellRefresh(names envtest.Names, m *wire.Refresh) string {
	var b strings.Builder
	b.WriteString("refresh" + tellAsked(m.Seq))
	for _, br := range wire.Branches(m.Branches) {
		fmt.Fprintf(&b, " [%s %s n=%d token=%d age=%v]", serverOf(names, br.Server), br.Copy.Name(), br.Count, br.Index, br.Age)
	}
	for _, ref := range wire.ServerRefs(m.Dead) {
		b.WriteString(" dead:" + serverOf(names, ref))
	}
	for _, ref := range wire.ServerRefs(m.Asked) {
		b.WriteString(" sought:" + serverOf(names, ref))
	}
	return b.String()
}

func tellNames(names envtest.Names, what string, packed []byte) string {
	var b strings.Builder
	for _, name := range wire.BranchNames(packed) {
		fmt.Fprintf(&b, "%s:%s/%s", what, serverOf(names, name.Server), name.Copy.Name())
	}
	return b.String()
}

func tellDeposit(names envtest.Names, m *wire.Deposit) string {
	server := "of "
	if m.Server == nil {
		server += serverOf(names, wire.ServerRef(m.Ref))
	} else if node, err := m.Server.Node(); err != nil {
		return err.Error()
	} else {
		server = fmt.Sprintf("%s/%d.%d", names.Of(node.ID()), node.Generation, node.Version)
	}
	s := fmt.Sprintf("deposit %s %s token=%d age=%v", server, m.Copy.Name(), m.Pulse.Index, time.Duration(m.Pulse.AgeMs)*time.Millisecond)
	for _, r := range wire.ServerRefs(m.Pulse.Doors) {
		s += " door=" + serverOf(names, r)
	}
	for i, l := range m.Laid {
		if i == 4 && len(m.Laid) > 5 {
			return s + fmt.Sprintf(" … %d in all", len(m.Laid))
		}
		s += tellLaid(names, l)
	}
	return s
}

func tellLaid(names envtest.Names, l *wire.Laid) string {
	p, err := l.Pointer.Pointer()
	if err != nil {
		return err.Error()
	}
	s := fmt.Sprintf(" %s#%d %d.%d", names.Of(wire.ID(p.Guid)), l.Salt, p.Generation, p.Counter)
	if p.Withdrawn {
		s += " withdrawn"
	}
	return s
}
