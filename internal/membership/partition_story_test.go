package membership_test

import (
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// TestPartitionStories runs the text stories in testdata/partition, with the commands of
// TestStories and these:
//
//	new probes                    a node "me" that probes for its own ID as it does in the field
//	known NAMES                   they open links, point here and pass the gate
//	seeds NAMES                   the world has found these
//	answered NAME leaves=NAMES [rows=NAMES]   NAME is root of this node's ID elsewhere
//	came NAME from=NAMES [key=NAME] [forged]   a self-probe of NAME, whose root this node is; NAME me:
//	                              its own, perhaps for the place of a neighbor, or said to be
//	strangers NAME DURATION       NAME says that strangers are there
//	refused by=NAMES              none of those whom the join has come to is a member
//	root NAME                     what becomes of a locate of which this node is the root
func TestPartitionStories(t *testing.T) {
	datadriven.Walk(t, "testdata/partition", func(t *testing.T, path string) {
		var s *story
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				s = newStory(t, d)
				return ""
			}
			if !s.partition(t, d) {
				s.run(t, d)
			}
			return s.Drain()
		})
	})
}

// partition runs the commands about partitions.
func (s *story) partition(t *testing.T, d *datadriven.TestData) bool {
	arg := ""
	if len(d.CmdArgs) > 0 {
		arg = d.CmdArgs[0].Key
	}
	switch d.Cmd {
	case "known":
		for _, name := range names(arg) {
			s.known(name)
		}
	case "seeds":
		var ids []idspace.ID
		for _, name := range names(arg) {
			ids = append(ids, s.ID(name))
		}
		s.member.OnSeeds(s.world, &env.Seeds{IDs: ids})
	case "answered":
		s.answered(d, arg)
	case "came":
		s.came(t, d, arg)
	case "strangers":
		left, err := time.ParseDuration(d.CmdArgs[1].Key)
		if err != nil {
			t.Fatal(err)
		}
		s.member.OnStrangers(s.world, s.ID(arg), &wire.Strangers{LeftMs: uint32(left.Milliseconds())})
	case "refused":
		by := ""
		d.ScanArgs(t, "by", &by)
		s.member.OnReply(s.world, &wire.Routed{
			Call: s.joinCall, Reply: true, Refusal: wire.Refusal_REFUSAL_NOT_JOINED, Trail: s.path("me+" + by),
		})
	case "root":
		id := s.ID(arg)
		s.router.Route(s.world, &wire.Routed{Call: 1, Key: id[:], BodyKind: wire.BodyKind_BODY_LOCATE})
	default:
		return false
	}
	return true
}

func (s *story) path(list string) (path []byte) {
	for _, name := range names(list) {
		id := s.ID(name)
		path = append(path, id[:]...)
	}
	return path
}

// known makes a node a neighbor, without a word about it.
func (s *story) known(name string) {
	id := s.ID(name)
	s.member.OnHello(s.world, id, &wire.Hello{Record: s.records(name)[0]})
	s.links.Open(id).Mine = wire.Use_USE_LEAF
	s.links.Sample(id, 10*time.Millisecond)
	s.member.OnVerdict(s.world, &env.Verdict{Peer: id, For: env.Membership, Alive: true, RTT: 10 * time.Millisecond})
	s.Env.Drain()
}

// answered is the reply of another root of this node's ID.
func (s *story) answered(d *datadriven.TestData, name string) {
	leaves, rows := name, ""
	for _, a := range d.CmdArgs[1:] {
		if a.Key == "leaves" {
			leaves += "+" + a.Vals[0]
		} else {
			rows = a.Vals[0]
		}
	}
	reply := &wire.SelfProbeReply{Leaves: s.records(leaves), Rows: s.records(rows)}
	s.member.SelfProbes().OnReply(s.world, &wire.Routed{
		Call: s.probeCall, Reply: true, Body: wire.Pack(reply), Trail: s.path("me+via+" + name),
	})
}

// came shows this node a self-probe as the router does.
func (s *story) came(t *testing.T, d *datadriven.TestData, name string) {
	from := ""
	d.ScanArgs(t, "from", &from)
	key := name
	d.MaybeScanArgs(t, "key", &key)
	id, call := s.ID(key), uint64(77)
	if name == "me" {
		call = s.probeCall
	}
	if d.HasArg("forged") {
		call = 0
	}
	request := &wire.Routed{
		Call: call, Key: id[:], BodyKind: wire.BodyKind_BODY_SELF_PROBE, Path: s.path(name + "+" + from),
		Body: wire.Pack(&wire.SelfProbe{Record: s.records(name)[0]}),
	}
	hops := names(from)
	verdict := s.member.SelfProbes().OnHop(s.world, request, routing.At{Root: true, From: s.ID(hops[len(hops)-1])})
	s.Line("consumed=%v", verdict == routing.Consumed)
}

// elsewhere stands for the machine that serves locates.
type elsewhere struct{ *story }

func (elsewhere) OnHop(env.Env, *wire.Routed, routing.At) routing.Verdict { return routing.Consumed }
func (elsewhere) OnReply(env.Env, *wire.Routed)                           {}
func (x elsewhere) OnLost(_ env.Env, _ *wire.Routed, why wire.Refusal) {
	x.Line("refused: %s", why.Name())
}
