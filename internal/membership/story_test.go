package membership_test

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/membership"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// world also remembers the call of the join on its way, so that a story can answer it.
type world struct {
	*envtest.Env
	joinCall, probeCall uint64
}

func (w *world) called(m wire.Message) {
	r, ok := m.(*wire.Routed)
	switch {
	case !ok || r.Reply:
	case r.BodyKind == wire.BodyKind_BODY_JOIN:
		w.joinCall = r.Call
	default:
		w.probeCall = r.Call
	}
}

func (w *world) Send(to idspace.ID, m wire.Message) {
	w.called(m)
	w.Env.Send(to, m)
}

func (w *world) SendDial(to idspace.ID, m wire.Message) {
	w.called(m)
	w.Env.SendDial(to, m)
}

type story struct {
	*world
	member *membership.Member
	tables *surrogate.Tables
	links  *links.Table
	router *routing.Router

	spreads, asked uint64
}

// TestStories runs the text stories in testdata/stories; go test ./internal/membership -rewrite
// writes what the machine says now. Exchanges are driven by hand: the stories' periods
// are an hour. Commands:
//
//	new [side=N] [slot=N] [gate=N] [reactive]    a node "me", which repairs its tables by the clock or not
//	join SEEDS | leave | withdrawn | cancel
//	lent NAMES by=NAME [way=NAME:NAMES] | refused [unsure]    the join comes back from its surrogate, or not
//	inserted NAME [failed=N]      the surrogate says how the multicast has ended
//	asks NAME [path=NAMES] [root] NAME's join comes by
//	inserting NAME [holes=HEX] [generation=N]    the multicast tells of NAME;  spread NAME [failed=N]: it has ended
//	handed NAME | unpinned NAME | released NAME
//	stalled | heard NAME          this node did not run for a while; a sign of life
//	met NAME                      NAME has answered another machine
//	hello NAME [version=N]        NAME opens a link and shows its record
//	verdict NAME [dead|refused] [rtt=D]
//	pointed NAME [use] | up|suspect NAME | down NAME [left|unlinked] [heirs=NAMES]
//	leaf-set|row|records|ask NAME refs=NAMES    NAME's message
//	advance DURATION | tables
//
// NAMES are joined by +.
func TestStories(t *testing.T) {
	envtest.Tell(t, "testdata/stories", newStory, (*story).run)
}

func newStory(t *testing.T, d *datadriven.TestData) *story {
	side, slot := 4, 3
	d.MaybeScanArgs(t, "side", &side)
	d.MaybeScanArgs(t, "slot", &slot)
	e := envtest.New("me")
	s := &story{world: &world{Env: e}, links: links.New(links.Config{}.WithDefaults())}
	s.tables = &surrogate.Tables{
		Space: idspace.Hex, Self: e.Self,
		Map: neighbormap.New(idspace.Hex, e.Self, slot), Leaves: leafset.New(e.Self, side),
	}
	cfg := membership.Config{LeafPeriod: time.Hour, RowPeriod: time.Hour, Eager: 1}
	if !d.HasArg("probes") {
		cfg.Partition = membership.PartitionConfig{Period: time.Hour, Eager: time.Hour}
	}
	d.MaybeScanArgs(t, "gate", &cfg.Probes)
	if d.HasArg("reactive") {
		cfg.Recovery = membership.Reactive
	}
	cfg = cfg.WithDefaults()
	s.router = routing.New(routing.Config{}.WithDefaults(), s.tables, s.links)
	s.router.Serve(wire.BodyKind_BODY_LOCATE, elsewhere{s})
	s.router.OnActivated(e)
	m, err := membership.New(cfg, membership.Deps{
		Tables: s.tables, Links: s.links, Own: envtest.Node("me", 1),
		Router: s.router,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.member = m
	return s
}

func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == '+' })
}

func (s *story) refs(list string) (packed []byte) {
	for _, name := range names(list) {
		packed = wire.AppendRef(packed, wire.RefTo(s.ID(name), 1))
	}
	return packed
}

func (s *story) records(list string) (records []*wire.SignedRecord) {
	for _, name := range names(list) {
		s.ID(name)
		records = append(records, envtest.Node(name, 1))
	}
	return records
}

func (s *story) run(t *testing.T, d *datadriven.TestData) {
	arg := ""
	if len(d.CmdArgs) > 0 {
		arg = d.CmdArgs[0].Key
	}
	w, m := s.world, s.member
	switch d.Cmd {
	case "join":
		var seeds []idspace.ID
		for _, name := range names(arg) {
			seeds = append(seeds, s.ID(name))
		}
		m.OnJoin(w, &env.JoinRequest{Call: 1, Seeds: seeds})
	case "lent":
		s.lent(t, d, arg)
	case "refused":
		why := wire.Refusal_REFUSAL_NOT_JOINED
		if arg == "unsure" {
			why = wire.Refusal_REFUSAL_UNSURE
		}
		m.OnReply(w, &wire.Routed{Call: s.joinCall, Reply: true, Refusal: why})
	case "leave":
		m.OnLeave(w, &env.LeaveRequest{Call: 2})
	case "withdrawn":
		m.OnWithdrawn(w)
	case "cancel":
		m.OnCancel(w, 1)
	case "advance":
		span, err := time.ParseDuration(arg)
		if err != nil {
			t.Fatal(err)
		}
		s.Advance(span, func(k env.TimerKey) { m.OnTimer(w, k) })
	case "tables":
		s.print()
	default:
		if !s.insertion(t, d, arg) {
			s.about(t, d, s.ID(arg))
		}
	}
}

// lent is the reply to this node's join.
func (s *story) lent(t *testing.T, d *datadriven.TestData, records string) {
	by, way := "", ""
	d.MaybeScanArgs(t, "by", &by)
	d.MaybeScanArgs(t, "way", &way)
	reply := &wire.JoinReply{Records: s.records(records)}
	if lender, refs, ok := strings.Cut(way, ":"); ok {
		reply.Lent = []*wire.Loan{{Lender: s.records(lender)[0], Refs: s.refs(refs)}}
	}
	root := s.ID(by)
	s.member.OnReply(s.world, &wire.Routed{Call: s.joinCall, Reply: true, Trail: root[:], Body: wire.Pack(reply)})
}

// insertion runs the commands by which nodes are inserted and take their leave.
func (s *story) insertion(t *testing.T, d *datadriven.TestData, name string) bool {
	w, m, failed, holes := s.world, s.member, 0, ""
	d.MaybeScanArgs(t, "failed", &failed)
	d.MaybeScanArgs(t, "holes", &holes)
	id := s.ID(name)
	switch d.Cmd {
	case "inserted":
		m.OnInserted(w, id, &wire.Inserted{Generation: 1, Reached: 3, Failed: uint32(failed)})
	case "asks":
		s.asks(t, d, name)
	case "inserting":
		masks, err := hex.DecodeString(holes)
		if err != nil {
			t.Fatal(err)
		}
		s.spreads++
		m.OnInserting(w, &env.Inserting{Spread: s.spreads, Insertion: &wire.Insertion{Record: s.started(t, d, name), Holes: masks}})
	case "spread":
		m.OnSpread(w, &env.Inserted{Node: id, Reached: 3, Failed: failed})
	case "handed":
		m.OnHandedOver(w, &env.HandedOver{To: id})
	case "unpinned":
		m.OnUnpinned(&env.Unpinned{Node: id})
	case "stalled":
		m.OnStalled(w, &env.Stalled{For: 20 * time.Second})
	case "released":
		m.OnReleased(w, &env.Released{Peer: id})
	default:
		return false
	}
	return true
}

// started is the record of a node that was started so many times.
func (s *story) started(t *testing.T, d *datadriven.TestData, name string) *wire.SignedRecord {
	generation := uint64(1)
	d.MaybeScanArgs(t, "generation", &generation)
	s.ID(name)
	return envtest.Seal(wire.NodeKind, name, &wire.NodeRecord{
		Network: envtest.Network, Peer: []byte(name), Generation: generation, Version: 1,
	})
}

// asks shows this node a join on its way, as the router does.
func (s *story) asks(t *testing.T, d *datadriven.TestData, name string) {
	path := name
	d.MaybeScanArgs(t, "path", &path)
	var packed []byte
	for _, hop := range names(path) {
		id := s.ID(hop)
		packed = append(packed, id[:]...)
	}
	id := s.ID(name)
	s.asked++
	excluded, without := slices.Clone(id[:]), ""
	d.MaybeScanArgs(t, "without", &without)
	for _, passed := range names(without) {
		other := s.ID(passed)
		excluded = append(excluded, other[:]...)
	}
	request := &wire.Routed{
		Call: s.asked, Key: id[:], BodyKind: wire.BodyKind_BODY_JOIN, Path: packed, Excluded: excluded,
		Body: wire.Pack(&wire.Join{Record: s.records(name)[0]}),
	}
	var onward []byte
	hops := names(path)
	verdict := s.member.OnHop(s.world, request, routing.At{Root: d.HasArg("root"), From: s.ID(hops[len(hops)-1]), Body: &onward})
	if b, err := wire.Unpack(onward, new(wire.Join)); err == nil && len(onward) > 0 {
		for _, l := range b.Lent {
			s.Line("lends %d references", len(wire.Refs(l.Refs)))
		}
	}
	s.Line("consumed=%v", verdict == routing.Consumed)
}

func (s *story) print() {
	s.Line("%v; leaves %s", []string{"idle", "joining", "active", "leaving"}[s.member.Phase()], s.List(s.tables.Leaves.All()))
	for _, n := range s.tables.Map.All() {
		s.Line("level %d: %s %v suspect=%v", idspace.Hex.CommonPrefix(s.Self, n.ID), s.Of(n.ID), n.RTT, n.Suspect)
	}
}

// about runs the commands that concern one other node.
func (s *story) about(t *testing.T, d *datadriven.TestData, peer idspace.ID) {
	w, m := s.world, s.member
	refs := ""
	d.MaybeScanArgs(t, "refs", &refs)
	switch d.Cmd {
	case "hello":
		version := uint64(1)
		d.MaybeScanArgs(t, "version", &version)
		m.OnHello(w, peer, &wire.Hello{Record: envtest.Node(s.Of(peer), version)})
	case "verdict":
		s.verdict(t, d, peer)
	case "pointed":
		if d.HasArg("use") {
			s.links.Open(peer).Theirs = wire.Use_USE_LEAF
		}
		m.OnPointed(w, &env.Pointed{Peer: peer})
	case "met":
		m.OnMet(w, &env.Verdict{Peer: peer, For: env.Locate, Alive: true})
	case "heard":
		s.links.Link(peer).Heard = s.Now()
	case "up":
		m.OnUp(w, &env.Up{Peer: peer})
	case "suspect":
		m.OnSuspect(w, &env.Suspect{Peer: peer})
	case "down":
		heirs := ""
		d.MaybeScanArgs(t, "heirs", &heirs)
		why := env.Dead
		if d.HasArg("left") {
			why = env.Left
		} else if d.HasArg("unlinked") {
			why = env.Unlinked
		}
		s.links.Close(peer)
		m.OnDown(w, &env.Down{Peer: peer, Why: why, Heirs: s.refs(heirs)})
	case "leaf-set":
		m.OnLeafSet(w, peer, &wire.LeafSet{Refs: s.refs(refs), WantReply: true})
	case "row":
		m.OnRow(w, peer, &wire.Row{Refs: s.refs(refs), WantReply: true})
	case "records":
		m.OnRecords(w, peer, &wire.Records{Records: s.records(refs)})
	case "ask":
		m.OnRecordRequest(w, peer, &wire.RecordRequest{Refs: s.refs(refs)})
	default:
		t.Fatalf("%s: no command %q", d.Pos, d.Cmd)
	}
}

func (s *story) verdict(t *testing.T, d *datadriven.TestData, peer idspace.ID) {
	rtt := "10ms"
	d.MaybeScanArgs(t, "rtt", &rtt)
	span, err := time.ParseDuration(rtt)
	if err != nil {
		t.Fatal(err)
	}
	v := &env.Verdict{Peer: peer, For: env.Membership, Alive: !d.HasArg("dead"), Refused: d.HasArg("refused"), RTT: span}
	if v.Alive && !v.Refused {
		s.links.Open(peer).Mine = wire.Use_USE_LEAF
		s.links.Sample(peer, span)
	}
	s.member.OnVerdict(s.world, v)
}
