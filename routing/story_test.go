package routing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/routing"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// world also remembers the latest envelope to each node, so that a story can acknowledge it.
type world struct {
	*envtest.Env
	sent map[idspace.ID]*wire.Routed
}

func (w *world) Send(to idspace.ID, m wire.Message) {
	if r, ok := m.(*wire.Routed); ok {
		w.sent[to] = r
	}
	w.Env.Send(to, m)
}

// serving consumes what it is told to, and writes down what it is asked.
type serving struct {
	*story
	consume bool // consume at the next hop
	leads   bool // knows a better way than δ
	lead    routing.Lead
	held    []*wire.Routed
}

func (s *serving) OnHop(_ env.Env, r *wire.Routed, at routing.At) routing.Verdict {
	s.Line("on-hop %d root=%v from=%s next=%s", r.Call, at.Root, s.Of(at.From), s.Of(at.Next.To))
	if !s.consume {
		return routing.Continue
	}
	s.held = append(s.held, r)
	return routing.Consumed
}

func (s *serving) Lead(env.Env, *wire.Routed, func(idspace.ID) bool) (routing.Lead, bool) {
	return s.lead, s.leads
}

func (s *serving) OnReply(_ env.Env, r *wire.Routed) {
	var trail []string
	for _, id := range wire.IDs(r.Trail) {
		trail = append(trail, s.Of(id))
	}
	s.Line("on-reply %d %q refusal=%s trail=%s notes=%d", r.Call, r.Body, r.Refusal.Name(), strings.Join(trail, ","), len(r.Notes))
}

func (s *serving) OnLost(_ env.Env, r *wire.Routed, why wire.Refusal) {
	s.Line("on-lost %d %s", r.Call, why.Name())
}

type story struct {
	*world
	router *routing.Router
	tables *surrogate.Tables
	links  *links.Table
	upcall *serving
	holes  routing.Standing
	by     idspace.ID // who reaches those there
}

// Judge says what the story says of the holes on the way to every key.
func (s *story) Judge(_ env.Env, key idspace.ID, _ []idspace.ID) (routing.Standing, idspace.ID) {
	s.Line("judge %s: %s", s.Of(key), [...]string{"sure", "relayed", "waiting", "unsure"}[s.holes])
	return s.holes, s.by
}

// TestStories runs the text stories in testdata; go test ./routing -rewrite writes what
// the machine says now. The node is 8000…; nodes and keys are named by their first hex
// digits. Commands:
//
//	new [inactive]                          the node, a member unless inactive
//	neighbor DIGITS [rtt=D]                 is in the map, linked
//	suspect|alive|remove DIGITS             membership changes the map and tells
//	route KEY call=N [explain] [around=A+B] a request of this node, by another first hop than those
//	request KEY call=N path=A+B [hops=N] [from=X] [exact [follow]] one of A that B sends, or X
//	reply BODY|refuse                       answer the oldest request consumed
//	returned call=N path=A+B from=X         a reply on its way back
//	ack DIGITS                              DIGITS acknowledges the latest envelope
//	turn DIGITS                             or does not take it, being busy
//	behind DIGITS                           by what DIGITS answers this node's uplink is behind
//	defer DIGITS                            the member that serves for this node until it is one
//	hold | activate                         it is one in a moment; it is one
//	heed; holes sure|waiting|unsure|relayed by=DIGITS   what the guard says, once it is heeded; posts witnessed
//	lead DIGITS|none [key=KEY]               the better way that the upcall knows: a neighbor, who it is for
//	consume yes|no                          what the upcall does from now on
//	advance DURATION
func TestStories(t *testing.T) {
	envtest.Tell(t, "testdata", newStory, (*story).run)
}

func newStory(_ *testing.T, d *datadriven.TestData) *story {
	s := &story{world: &world{Env: envtest.New("me"), sent: make(map[idspace.ID]*wire.Routed)}}
	self := digits("8")
	s.Call(self, "me")
	s.tables = &surrogate.Tables{
		Space: idspace.Hex, Self: self, Map: neighbormap.New(idspace.Hex, self, 3), Leaves: leafset.New(self, 8),
	}
	s.links = links.New(links.Config{}.WithDefaults())
	s.router = routing.New(routing.Config{}.WithDefaults(), s.tables, s.links)
	s.upcall = &serving{story: s}
	s.router.Serve(wire.BodyKind_BODY_LOCATE, s.upcall)
	s.router.Serve(wire.BodyKind_BODY_JOIN, s.upcall)
	if !d.HasArg("inactive") {
		s.router.OnActivated(s)
	}
	return s
}

// digits is the ID that begins with the given hex digits and ends in zeros.
func digits(prefix string) idspace.ID {
	id, err := idspace.Parse(prefix + strings.Repeat("0", 40-len(prefix)))
	if err != nil {
		panic(err)
	}
	return id
}

func (s *story) named(prefix string) idspace.ID {
	if prefix == "me" {
		return s.tables.Self
	}
	id := digits(prefix)
	s.Call(id, prefix)
	return id
}

func (s *story) run(t *testing.T, d *datadriven.TestData) {
	arg := ""
	if len(d.CmdArgs) > 0 {
		arg = d.CmdArgs[0].Key
	}
	switch d.Cmd {
	case "neighbor":
		rtt := "10ms"
		d.MaybeScanArgs(t, "rtt", &rtt)
		s.addNeighbor(s.named(arg), duration(t, rtt))
	case "suspect", "alive", "remove":
		s.change(d.Cmd, s.named(arg))
	case "ack":
		to := s.named(arg)
		s.router.OnAck(s.world, to, &wire.Ack{Tx: s.sent[to].Tx})
	case "turn":
		to := s.named(arg)
		s.router.OnAck(s.world, to, &wire.Ack{Tx: s.sent[to].Tx, Busy: true})
	case "behind":
		for range 8 {
			s.links.Took(s.named(arg), 900*time.Millisecond, s.Now())
		}
	case "defer":
		s.router.Defer(s, s.named(arg))
	case "hold":
		s.router.Hold(s)
	case "activate":
		s.router.OnActivated(s)
	case "heed":
		s.router.Heed(s)
	case "holes":
		s.holes = map[string]routing.Standing{"sure": routing.Sure, "relayed": routing.Relayed, "waiting": routing.Waiting, "unsure": routing.Unsure}[arg]
		if by := ""; d.HasArg("by") {
			d.ScanArgs(t, "by", &by)
			s.by = s.named(by)
		}
		s.router.OnWitnessed(s)
	case "lead":
		var key string
		d.MaybeScanArgs(t, "key", &key)
		s.upcall.leads, s.upcall.lead = arg != "none", routing.Lead{}
		if s.upcall.leads {
			s.upcall.lead.To = s.named(arg)
		}
		if key != "" {
			s.upcall.lead.Key = s.named(key)
		}
	case "consume":
		s.upcall.consume = arg == "yes"
	case "reply", "refuse":
		held := s.upcall.held[0]
		s.upcall.held = s.upcall.held[1:]
		why := wire.Refusal_REFUSAL_NONE
		if d.Cmd == "refuse" {
			why = wire.Refusal_REFUSAL_BUSY
		}
		s.router.Answer(s.world, held, []byte(arg), why)
	case "advance":
		s.Advance(duration(t, arg), func(k env.TimerKey) { s.router.OnTimer(s.world, k) })
	default:
		s.envelope(t, d)
	}
}

func duration(t *testing.T, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s *story) addNeighbor(id idspace.ID, rtt time.Duration) {
	s.tables.Map.Insert(neighbormap.Neighbor{ID: id, RTT: rtt})
	s.links.Open(id).Mine = wire.Use_USE_SOLE
	s.links.Sample(id, rtt)
}

func (s *story) change(how string, id idspace.ID) {
	c := &env.Changed{}
	switch how {
	case "suspect":
		s.tables.Map.SetState(id, neighbormap.Suspect)
		s.links.Link(id).Suspect = true
	case "alive":
		s.tables.Map.SetState(id, neighbormap.Alive)
		s.links.Link(id).Suspect = false
	case "remove":
		s.tables.Map.Remove(id)
		s.links.Close(id)
		c.Removed = []idspace.ID{id}
	}
	s.router.OnChanged(s.world, c)
}

// route begins a request, around the first hops that were tried if there are any.
func (s *story) route(m *wire.Routed, around string) {
	if around == "" {
		s.router.Route(s.world, m)
		return
	}
	var tried []idspace.ID
	for _, name := range strings.Split(around, "+") {
		tried = append(tried, s.named(name))
	}
	s.Line("first hop %s", s.Of(s.router.RouteAround(s.world, m, tried)))
}

func (s *story) envelope(t *testing.T, d *datadriven.TestData) {
	var call uint64
	var path, from, without, around string
	hops := 20
	d.ScanArgs(t, "call", &call)
	d.MaybeScanArgs(t, "path", &path)
	d.MaybeScanArgs(t, "from", &from)
	d.MaybeScanArgs(t, "hops", &hops)
	d.MaybeScanArgs(t, "without", &without)
	d.MaybeScanArgs(t, "around", &around)
	m := &wire.Routed{Call: call, Tx: 1000 + call, BodyKind: wire.BodyKind_BODY_LOCATE, DeadlineMs: 5000, Explain: d.HasArg("explain"), Exact: d.HasArg("exact"), Follow: d.HasArg("follow")}
	if d.HasArg("join") {
		m.BodyKind = wire.BodyKind_BODY_JOIN
	}
	for _, name := range strings.Fields(strings.ReplaceAll(without, "+", " ")) {
		id := s.named(name)
		m.Excluded = append(m.Excluded, id[:]...)
	}
	var last idspace.ID
	for _, name := range strings.Fields(strings.ReplaceAll(path, "+", " ")) {
		last = s.named(name)
		m.Path = append(m.Path, last[:]...)
	}
	switch d.Cmd {
	case "route":
		key := s.named(d.CmdArgs[0].Key)
		m.Key = key[:]
		s.route(m, around)
	case "request":
		key := s.named(d.CmdArgs[0].Key)
		m.Key, m.HopsLeft = key[:], uint32(hops)
		if from != "" {
			last = s.named(from)
		}
		s.router.OnRouted(s.world, last, m)
	case "returned":
		origin := s.tables.Self
		if len(m.Path) > 0 {
			origin = idspace.ID(m.Path[:idspace.Size])
		}
		m.Key, m.Reply, m.HopsLeft, m.Body = origin[:], true, uint32(hops), []byte("found")
		s.router.OnRouted(s.world, s.named(from), m)
	default:
		t.Fatalf("%s: no command %q", d.Pos, d.Cmd)
	}
}
