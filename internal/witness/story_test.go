package witness_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/internal/witness"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

type story struct {
	*envtest.Env
	asker  *witness.Asker
	tables *surrogate.Tables
	call   uint64 // of the latest question
}

func (s *story) Send(to idspace.ID, m wire.Message) {
	if w, ok := m.(*wire.Witness); ok {
		s.call = w.Call
	}
	s.Env.Send(to, m)
}

// TestStories runs the text stories in testdata/stories; -rewrite writes what the machine
// says now. The node is 8; others are named by the first digits of their IDs, or by names
// that are hashed: gus is 70f3, oda is 7308. Commands:
//
//	new NEIGHBORS                     its map and its leaf set, joined by +
//	vouched                           somebody vouches for the whole leaf set
//	judge KEY [without=A+B]           may it answer as root, if A and B did not live?
//	reply FROM [names=A+B] [call=N]   the answer to the latest question, or to call N
//	judged NODE alive|dead|by OTHER   by the gate; OTHER reaches it, and this node does not
//	question FROM PREFIX path=A+B [hops=N]   a question that FROM sends
//	back FROM path=A+B                an answer on its way back
//	add|remove|suspect NODE | strangers | advance DURATION
func TestStories(t *testing.T) {
	envtest.Tell(t, "testdata/stories", newStory, (*story).run)
}

func newStory(t *testing.T, d *datadriven.TestData) *story {
	s := &story{Env: envtest.New("me")}
	s.Self = s.named("8")
	s.Names.Call(s.Self, "me")
	s.tables = &surrogate.Tables{
		Space: idspace.Hex, Self: s.Self, Map: neighbormap.New(idspace.Hex, s.Self, 3), Leaves: leafset.New(s.Self, 1),
	}
	cfg := witness.Config{}.WithDefaults()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s.asker = witness.New(cfg, s.tables, func(id idspace.ID) *wire.SignedRecord { return envtest.Node(s.Of(id), 1) })
	for _, name := range names(d.CmdArgs[0].Key) {
		s.add(s.named(name))
	}
	return s
}

func names(joined string) []string {
	return strings.FieldsFunc(joined, func(r rune) bool { return r == '+' })
}

func (s *story) named(name string) idspace.ID {
	if name == "me" {
		return s.Self
	}
	id, err := idspace.Parse((name + idspace.ID{}.String())[:2*idspace.Size])
	if err != nil {
		return s.ID(name)
	}
	s.Names.Call(id, name)
	return id
}

func (s *story) add(id idspace.ID) {
	s.tables.Map.Insert(neighbormap.Neighbor{ID: id, RTT: time.Millisecond})
	s.tables.Leaves.Insert(id)
}

func (s *story) run(t *testing.T, d *datadriven.TestData) {
	arg := func(i int) string {
		if i < len(d.CmdArgs) {
			return d.CmdArgs[i].Key
		}
		return ""
	}
	switch d.Cmd {
	case "vouched":
		s.tables.Leaves.VouchAll()
	case "judge":
		var excluded []idspace.ID
		if len(d.CmdArgs) > 1 {
			for _, name := range names(d.CmdArgs[1].Vals[0]) {
				excluded = append(excluded, s.named(name))
			}
		}
		standing, by := s.asker.Judge(s, s.named(arg(0)), excluded)
		s.Line("%s", map[routing.Standing]string{
			routing.Sure: "sure", routing.Relayed: "relayed by " + s.Of(by), routing.Waiting: "waiting", routing.Unsure: "unsure",
		}[standing])
	case "reply", "back", "question":
		s.message(d)
	case "judged":
		judged := &env.Judged{Peer: s.named(arg(0)), Alive: arg(1) == "alive"}
		if arg(1) == "by" {
			judged.Alive, judged.By = true, s.named(arg(2))
		}
		s.asker.OnJudged(s, judged)
	case "strangers":
		s.asker.OnStrangers()
	case "advance":
		span, err := time.ParseDuration(arg(0))
		if err != nil {
			t.Fatal(err)
		}
		s.Advance(span, func(k env.TimerKey) { s.asker.OnTimer(s, k) })
	default:
		s.change(t, d, s.named(arg(0)))
	}
}

func (s *story) change(t *testing.T, d *datadriven.TestData, id idspace.ID) {
	c := &env.Changed{}
	switch d.Cmd {
	case "add":
		s.add(id)
		c.Added = []idspace.ID{id}
	case "remove":
		s.tables.Map.Remove(id)
		s.tables.Leaves.Remove(id)
		c.Removed = []idspace.ID{id}
	case "suspect":
		s.tables.Map.SetState(id, neighbormap.Suspect)
	default:
		t.Fatalf("%s: no command %q", d.Pos, d.Cmd)
	}
	s.asker.OnChanged(s, c)
}

func (s *story) message(d *datadriven.TestData) {
	from := s.named(d.CmdArgs[0].Key)
	var path []byte
	for _, a := range d.CmdArgs {
		if a.Key == "path" {
			for _, name := range names(a.Vals[0]) {
				id := s.named(name)
				path = append(path, id[:]...)
			}
		}
	}
	if d.Cmd == "question" {
		prefix := d.CmdArgs[1].Key
		hole, hops := s.named(prefix), wire.MaxWitnesses-1
		if d.HasArg("hops") {
			hops = 0
		}
		s.asker.OnWitness(s, from, &wire.Witness{Call: 5, Hole: hole[:], Digits: uint32(len(prefix)), HopsLeft: uint32(hops), Path: path})
		return
	}
	m := &wire.WitnessReply{Call: s.call, Path: path}
	if d.HasArg("stale") {
		m.Call++
	}
	for _, a := range d.CmdArgs {
		if a.Key == "names" {
			for _, name := range names(a.Vals[0]) {
				s.ID(name)
				m.Named = append(m.Named, envtest.Node(name, 1))
			}
		}
	}
	s.asker.OnWitnessReply(s, from, m)
}
