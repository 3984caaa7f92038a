package heartbeat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/tapestry-dolr/tapestry/heartbeat"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// world also remembers the latest beacon to each node, so that a story can answer it.
type world struct {
	*envtest.Env
	beacons map[idspace.ID]uint64
	answers map[idspace.ID]bool
	inquiry uint64 // the latest question to others
}

func (w *world) Send(to idspace.ID, m wire.Message) {
	w.note(to, m)
	w.Env.Send(to, m)
}

func (w *world) SendDial(to idspace.ID, m wire.Message) {
	w.note(to, m)
	w.Env.SendDial(to, m)
}

func (w *world) note(to idspace.ID, m wire.Message) {
	switch m := m.(type) {
	case *wire.Beacon:
		w.beacons[to] = m.Seq
	case *wire.IndirectProbe:
		w.inquiry = m.Seq
	}
}

type story struct {
	*world
	monitor *heartbeat.Monitor
	links   *links.Table
}

// TestStories runs the text stories in testdata; go test ./heartbeat -rewrite writes
// what the machine says now. Commands:
//
//	new [cap=N]                        a node "me" that has begun to join
//	probe PEER [use=U]                 the gate asks about PEER
//	use PEER use=U [protect] [gen=N]   membership uses PEER so
//	beacon PEER [use=U] [life=SECONDS] PEER's beacon comes
//	ack PEER [refused] [stale] [dead=NAMES] PEER answers this node's latest (or another)
//	                                   beacon, and names some (joined by +) as dead
//	hint NAME [gen=N] [from=PEER]      membership was told that NAME is dead
//	asks PEER about=NAME               PEER asks this node whether NAME lives
//	says PEER alive|dead|unknown       PEER answers the latest question of this node
//	traffic PEER                       something comes from PEER
//	answers PEER                       from now on PEER answers every beacon at once
//	hello|heard|missed|closed|unreachable|unlink|leave PEER
//	advance DURATION                   time passes, timers fire
//	stall DURATION                     time passes, and the machine does not run
//	links                              print the table
func TestStories(t *testing.T) {
	envtest.Tell(t, "testdata", newStory, (*story).checked)
}

func newStory(t *testing.T, d *datadriven.TestData) *story {
	limit := 160
	d.MaybeScanArgs(t, "cap", &limit)
	table := links.New(links.Config{Cap: limit}.WithDefaults())
	s := &story{
		world: &world{Env: envtest.New("me"), beacons: make(map[idspace.ID]uint64), answers: make(map[idspace.ID]bool)},
		links: table, monitor: heartbeat.New(heartbeat.Config{}.WithDefaults(), table),
	}
	s.monitor.Start(s.world)
	s.monitor.Open()
	return s
}

// checked is run, after which the links must be as they should be.
func (s *story) checked(t *testing.T, d *datadriven.TestData) {
	s.run(t, d)
	if err := s.links.Check(); err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
}

func (s *story) run(t *testing.T, d *datadriven.TestData) {
	switch d.Cmd {
	case "advance":
		d, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		s.Advance(d, func(k env.TimerKey) {
			s.monitor.Awake(s.world)
			s.monitor.OnTimer(s.world, k)
			if seq := s.beacons[k.Peer]; s.answers[k.Peer] && seq != 0 {
				s.beacons[k.Peer] = 0
				s.monitor.OnTraffic(s.world, k.Peer)
				s.monitor.OnBeaconAck(s.world, k.Peer, &wire.BeaconAck{Seq: seq})
			}
		})
	case "stall":
		d, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		s.Pass(d)
		s.monitor.Awake(s.world)
	case "links":
		for _, l := range s.links.All() {
			s.Line("%s mine=%s asked=%s theirs=%s suspect=%v timeout=%v", s.Of(l.ID), l.Mine.Name(),
				l.Asked.Name(), l.Theirs.Name(), l.Suspect, s.links.Timeout(l.ID))
		}
	case "hint":
		from := "somebody"
		d.MaybeScanArgs(t, "from", &from)
		s.monitor.OnHints(s.world, &env.Hints{From: s.ID(from), Refs: s.refs(t, d, d.CmdArgs[0].Key), Silent: d.HasArg("silent")})
	default:
		s.with(t, d, s.ID(d.CmdArgs[0].Key))
	}
}

// refs packs references to nodes of the generation that d names.
func (s *story) refs(t *testing.T, d *datadriven.TestData, names string) (packed []byte) {
	generation := uint64(0)
	d.MaybeScanArgs(t, "gen", &generation)
	for _, name := range strings.Split(names, "+") {
		packed = wire.AppendRef(packed, wire.RefTo(s.ID(name), generation))
	}
	return packed
}

func (s *story) with(t *testing.T, d *datadriven.TestData, peer idspace.ID) {
	var use string
	life := 32
	d.MaybeScanArgs(t, "use", &use)
	d.MaybeScanArgs(t, "life", &life)
	w, m, u := s.world, s.monitor, useNamed(t, use)
	switch d.Cmd {
	case "probe":
		m.OnProbe(w, &env.Probe{Peer: peer, Use: u, For: env.Membership})
	case "use":
		generation := uint64(0)
		d.MaybeScanArgs(t, "gen", &generation)
		m.OnUse(w, &env.Use{Peer: peer, Use: u, Protect: d.HasArg("protect"), Generation: generation})
	case "answers":
		s.answers[peer] = true
	case "traffic":
		m.OnTraffic(w, peer)
	case "beacon":
		m.OnBeacon(w, peer, &wire.Beacon{Seq: 7, Use: u, LifeS: uint32(life)})
	case "ack":
		seq := s.beacons[peer]
		if d.HasArg("stale") {
			seq++
		}
		ack := &wire.BeaconAck{Seq: seq, Refused: d.HasArg("refused")}
		if dead := ""; d.HasArg("dead") {
			d.ScanArgs(t, "dead", &dead)
			ack.DeadRefs = s.refs(t, d, dead)
		}
		m.OnTraffic(w, peer)
		m.OnBeaconAck(w, peer, ack)
	case "hello":
		m.OnLinkOpened(w, &env.LinkOpened{Peer: peer})
	case "heard":
		m.OnHeard(w, &env.Heard{Peer: peer, RTT: 20 * time.Millisecond})
	case "missed":
		m.OnMissed(w, &env.Missed{Peer: peer})
	case "closed":
		m.OnLinkClosed(w, &env.LinkClosed{Peer: peer})
	case "unreachable":
		m.OnUnreachable(w, &env.Unreachable{Peer: peer})
	case "unlink":
		m.OnUnlink(w, peer)
	case "asks":
		about := ""
		d.ScanArgs(t, "about", &about)
		target := s.ID(about)
		m.OnIndirectProbe(w, peer, &wire.IndirectProbe{Seq: 99, Target: target[:]})
	case "says":
		finding := map[string]wire.Finding{"alive": wire.Finding_FINDING_ALIVE, "dead": wire.Finding_FINDING_DEAD}[d.CmdArgs[1].Key]
		m.OnIndirectAck(w, peer, &wire.IndirectAck{Seq: w.inquiry, Finding: finding})
	case "leave":
		m.OnLeave(w, peer, &wire.Leave{})
	default:
		t.Fatalf("%s: no command %q", d.Pos, d.Cmd)
	}
}

func useNamed(t *testing.T, name string) wire.Use {
	for u := wire.Use_USE_NONE; u <= wire.Use_USE_LEAF; u++ {
		if name == u.Name() || name == "" {
			return u
		}
	}
	t.Fatal(fmt.Errorf("no use %q", name))
	return 0
}
