package multicast_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/multicast"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

type story struct {
	*envtest.Env
	caster *multicast.Caster
	tables *surrogate.Tables
	member bool
	call   uint64 // of the latest multicast that began here
}

func (s *story) Active() bool                     { return s.member }
func (s *story) RetryAfter(env.Env) time.Duration { return time.Second }
func (s *story) Timeout(idspace.ID) time.Duration { return 100 * time.Millisecond }

func (s *story) Send(to idspace.ID, m wire.Message) {
	s.noteCall(m)
	s.Env.Send(to, m)
}

func (s *story) SendDial(to idspace.ID, m wire.Message) {
	s.noteCall(m)
	s.Env.SendDial(to, m)
}

func (s *story) noteCall(m wire.Message) {
	if c, ok := m.(*wire.Multicast); ok {
		s.call = c.Call
	}
}

// TestStories runs the text stories in testdata/stories; -rewrite writes what the machine
// says now. Nodes are named by the first digits of their IDs; the node is 8. Commands:
//
//	new [inactive] NEIGHBORS      its map, joined by +
//	announce PREFIX|everybody [signed] | insert NODE/DIGITS     begins here
//	from NODE PREFIX/DIGITS [level=N] [insert=NODE] [pinned] [ask] [forged] [call=N]   comes from a neighbor
//	ack NODE [done] [alone] [reached=N] [handled=N] [failed=N] [call=N]
//	handled TICKET [error] | done SPREAD [failed] | own-done    this node's own part
//	suspect|alive|remove|pin|unpin NODE
//	advance DURATION
func TestStories(t *testing.T) {
	envtest.Tell(t, "testdata/stories", newStory, (*story).run)
}

func newStory(t *testing.T, d *datadriven.TestData) *story {
	s := &story{Env: envtest.New("me"), member: !d.HasArg("inactive")}
	s.Self = s.named("8")
	s.tables = &surrogate.Tables{
		Space: idspace.Hex, Self: s.Self, Map: neighbormap.New(idspace.Hex, s.Self, 3), Leaves: leafset.New(s.Self, 4),
	}
	for i, name := range strings.Split(d.CmdArgs[len(d.CmdArgs)-1].Key, "+") {
		s.tables.Map.Insert(neighbormap.Neighbor{ID: s.named(name), RTT: time.Duration(i) * time.Millisecond})
	}
	cfg := multicast.Config{Self: s.Self, Network: "test", PerPeer: 2}.WithDefaults()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s.caster = multicast.New(cfg, multicast.Deps{Tables: s.tables, Links: s, Router: s})
	return s
}

// named is the node whose ID begins with the given digits and ends in zeros.
func (s *story) named(prefix string) idspace.ID {
	b, err := hex.DecodeString(prefix + strings.Repeat("0", 40-len(prefix)))
	if err != nil {
		panic(err)
	}
	s.Call(idspace.ID(b), prefix)
	return idspace.ID(b)
}

func (s *story) run(t *testing.T, d *datadriven.TestData) {
	arg := ""
	if len(d.CmdArgs) > 0 {
		arg = d.CmdArgs[0].Key
	}
	switch d.Cmd {
	case "announce":
		prefix := strings.TrimPrefix(arg, "everybody")
		s.caster.OnRequest(s, &env.MulticastRequest{
			Call: 7, Prefix: s.named(prefix), Digits: len(prefix), App: "news", Payload: []byte("hello"), Signed: d.HasArg("signed"),
		})
	case "insert":
		node, prefix := s.split(t, arg)
		s.caster.OnInsert(s, &env.Insert{Node: node, Digits: prefix, Insertion: s.insertion(arg)})
	case "from":
		s.arrives(t, d)
	case "ack":
		s.answers(t, d)
	case "handled":
		r := &env.HandlerReply{Ticket: uint64(arg[0] - '0')}
		if d.HasArg("error") {
			r.Error = "no"
		}
		s.caster.OnHandlerReply(s, r)
	case "done":
		s.caster.OnInsertingDone(s, &env.InsertingDone{Spread: uint64(arg[0] - '0'), Failed: d.HasArg("failed")})
	case "own-done":
		s.caster.OnInsertingDone(s, &env.InsertingDone{Spread: s.call})
	case "cancel":
		s.caster.OnCancel(7)
	case "advance":
		span, err := time.ParseDuration(arg)
		if err != nil {
			t.Fatal(err)
		}
		s.Advance(span, func(k env.TimerKey) { s.caster.OnTimer(s, k) })
	default:
		s.changes(t, d, s.named(arg))
	}
}

func (s *story) changes(t *testing.T, d *datadriven.TestData, id idspace.ID) {
	switch d.Cmd {
	case "suspect":
		s.tables.Map.SetState(id, neighbormap.Suspect)
	case "alive":
		s.tables.Map.SetState(id, neighbormap.Alive)
	case "remove":
		s.tables.Map.Remove(id)
		s.caster.OnChanged(s, &env.Changed{Removed: []idspace.ID{id}})
	case "pin":
		s.tables.Map.Pin(id)
	case "unpin":
		s.tables.Map.Unpin(id)
	default:
		t.Fatalf("%s: no command %q", d.Pos, d.Cmd)
	}
}

// split reads NODE/DIGITS.
func (s *story) split(t *testing.T, arg string) (idspace.ID, int) {
	name, digits, _ := strings.Cut(arg, "/")
	if len(digits) != 1 {
		t.Fatalf("%q: want NODE/DIGITS", arg)
	}
	return s.named(name), int(digits[0] - '0')
}

func (s *story) insertion(arg string) *wire.Insertion {
	name, _, _ := strings.Cut(arg, "/")
	return &wire.Insertion{Record: envtest.Node(name, 1)}
}

func (s *story) arrives(t *testing.T, d *datadriven.TestData) {
	prefix, digits := s.split(t, d.CmdArgs[1].Key)
	level, call, insert := digits, 1, ""
	d.MaybeScanArgs(t, "level", &level)
	d.MaybeScanArgs(t, "call", &call)
	d.MaybeScanArgs(t, "insert", &insert)
	m := &wire.Multicast{
		Call: uint64(call), Prefix: prefix[:], Digits: uint32(digits), Level: uint32(level), Pinned: d.HasArg("pinned"), DeadlineMs: 5000,
	}
	from := s.named(d.CmdArgs[0].Key)
	switch {
	case d.HasArg("ask"):
	case insert != "":
		m.Insertion = s.insertion(insert)
	default:
		m.Announcement = &wire.Announcement{App: "news", From: from[:], Payload: []byte("hello")}
	}
	if d.HasArg("forged") {
		m.Announcement.Origin = s.Sign(wire.OriginKind, nil)
	}
	s.caster.OnMulticast(s, from, m)
}

func (s *story) answers(t *testing.T, d *datadriven.TestData) {
	var reached, handled, failed int
	call := s.call
	d.MaybeScanArgs(t, "call", &call)
	d.MaybeScanArgs(t, "reached", &reached)
	d.MaybeScanArgs(t, "handled", &handled)
	d.MaybeScanArgs(t, "failed", &failed)
	s.caster.OnMulticastAck(s, s.named(d.CmdArgs[0].Key), &wire.MulticastAck{
		Call: call, Done: d.HasArg("done"), Alone: d.HasArg("alone"),
		Reached: uint32(reached), Handled: uint32(handled), Failed: uint32(failed),
	})
}
