package locate_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/envtest/routetest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/locate"
)

const roots = 4

// TestStories runs the stories in testdata/stories. The node is "me"; every command prints
// what the machine did.
//
//	locate CALL OBJECT [first|all] [fresh] [zone=eu [local]] [explain] [limit=4] [deadline=5s] [for=messages]     cancel CALL
//	reply KEY by=NODE [over=NODE] [n=NUMBER] [found=SERVER~30ms/…] [refused=no-route] [bad=network|object|record|withdrawn|many|proof|batched: proven, and good]
//	lost KEY why=not-joined                       KEY: OBJECT#SALT, the latest request for it; or n=NUMBER
//	verdict NODE dead | verdict NODE rtt=20ms
//	arrive LABEL KEY [limit=4] [spent=10ms] [here] [fresh] [cached] [zone=eu [local]] [explain]
//	hold OBJECT SERVER=10ms … [doors=2]           pointers that lie here, withdraw: tombstones
//	hop KEY=NODE … | hop all=NODE                 rtt NODE=10ms …        advance 1s
//	down NODE=(KEY,nearer|farther[,left]) …       they die, or leave
//	place NODE=30ms …                             on a line: distances are round trips
//	zone NODE=eu/ber …                            what their records say
//	silent NODE …                                 nothing comes from them any more
//	fetch OBJECT#SALT                             what is posted for a popular object comes back
//	cached OBJECT                                 what messages see of it
//	doubt OBJECT SERVER                           somebody says that it is dead
//	near NODE                                     the near node of every key
//	full, room                                    what the router says of another request
//	strangers 10s                                 two overlays become one for so long
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := newStory(t)
		datadriven.RunTest(t, path, s.run)
	})
}

type story struct {
	t      testing.TB
	env    *envtest.Env
	router *routetest.Router
	store  *pointers.Store
	links  *links
	zones  map[string]string
	l      *locate.Locator
	calls  uint64
}

// links are the distances that are known, and where nodes say that they are.
type links struct {
	self   idspace.ID
	rtts   map[idspace.ID]time.Duration
	silent map[idspace.ID]mono.Time // since when; others speak all the time
	now    func() mono.Time
	places map[idspace.ID]wire.Coord
}

func (l *links) RTT(id idspace.ID) (time.Duration, bool) {
	rtt, ok := l.rtts[id]
	return rtt, ok
}

func (l *links) Heard(id idspace.ID) (at mono.Time, ok bool) {
	at, silent := l.silent[id]
	if !silent {
		at = l.now()
	}
	_, ok = l.rtts[id]
	return at, ok
}

func (l *links) Coord() []byte { return l.place(l.self).Packed() }

// Where is known of neighbors only.
func (l *links) Where(id idspace.ID) (c wire.Coord) {
	if _, met := l.rtts[id]; met {
		c = l.place(id)
	}
	return c
}

func (l *links) place(id idspace.ID) wire.Coord { return l.places[id] }

// Asked writes down that a server is asked for.
func (s *story) Asked(_ env.Env, sv *pointers.Server) { s.env.Line("asked for %s", s.env.Of(sv.ID)) }

// Sought has nobody to tell: this node publishes nothing.
func (s *story) Sought(env.Env, pointers.Key) {}

func newStory(t testing.TB) *story {
	s := &story{t: t, env: envtest.New("me"), zones: make(map[string]string)}
	s.links = &links{self: s.env.Self, now: s.env.Now, rtts: make(map[idspace.ID]time.Duration), silent: make(map[idspace.ID]mono.Time), places: make(map[idspace.ID]wire.Coord)}
	cfg := locate.Config{Space: idspace.Hex, Self: s.env.Self, Network: envtest.Network, Asks: 3, Fetches: 2}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s.router = routetest.New(s.env)
	s.router.Default = s.env.ID("n1")
	s.store = pointers.New(s.env.Self, pointers.Limits{})
	s.l = locate.New(cfg, locate.Deps{Router: s.router, Links: s.links, Store: s.store, Tree: s})
	s.router.Upcall = s.l
	return s
}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	switch d.Cmd {
	case "locate":
		s.locate(d)
	case "cancel":
		s.l.OnCancel(s.env, env.Call(s.number(d.CmdArgs[0].Key)))
	case "reply":
		s.reply(d)
	case "lost":
		s.router.Lose(s.env, s.request(d), s.refusal(arg(d, "why", "")))
	case "verdict":
		peer := s.env.ID(d.CmdArgs[0].Key)
		rtt := arg(d, "rtt", "0s")
		s.l.OnVerdict(s.env, &env.Verdict{Peer: peer, For: env.Locate, Alive: !d.HasArg("dead"), RTT: s.duration(rtt)})
	case "arrive":
		s.arrive(d)
	case "hold", "withdraw":
		s.hold(d)
	case "hop":
		for _, a := range d.CmdArgs {
			if to := s.env.ID(a.Vals[0]); a.Key == "all" {
				s.router.Default = to
			} else {
				s.router.Hops[s.key(a.Key)] = to
			}
		}
	case "rtt":
		for _, a := range d.CmdArgs {
			s.links.rtts[s.env.ID(a.Key)] = s.duration(a.Vals[0])
		}
	case "silent":
		for _, a := range d.CmdArgs {
			s.links.silent[s.env.ID(a.Key)] = s.env.Now()
		}
	case "place":
		for _, a := range d.CmdArgs {
			at := wire.Point{Error: 0.1}
			at.Vec[0] = s.duration(a.Vals[0]).Seconds()
			s.links.places[s.env.ID(a.Key)] = at.Pack()
		}
	case "zone":
		for _, a := range d.CmdArgs {
			s.zones[a.Key] = a.Vals[0]
		}
	case "fetch":
		name, _, _ := strings.Cut(d.CmdArgs[0].Key, "#")
		s.l.OnFetch(s.env, &env.Fetch{GUID: s.object(name), App: "app", Towards: s.key(d.CmdArgs[0].Key)})
	case "cached":
		for _, c := range s.l.Cached(pointers.Key{GUID: s.object(d.CmdArgs[0].Key), App: "app"}, s.env.Now()) {
			s.env.Line("%s by %s", s.env.Of(c.Server.ID), s.env.Of(c.First))
		}
	case "doubt":
		p := s.store.Find(pointers.Key{GUID: s.object(d.CmdArgs[0].Key), App: "app"}, s.env.ID(d.CmdArgs[1].Key))
		s.store.Doubt(p.Server, s.env.ID("gossip"), s.env.Now())
	case "near":
		s.router.Nearby = nil
		for _, a := range d.CmdArgs {
			s.router.Nearby = append(s.router.Nearby, s.env.ID(a.Key))
		}
	case "full", "room":
		s.router.Full = d.Cmd == "full"
	case "advance":
		s.env.Advance(s.duration(d.CmdArgs[0].Key), func(k env.TimerKey) { s.l.OnTimer(s.env, k) })
	case "down":
		s.down(d)
	case "strangers":
		s.l.OnStrangers(&env.Strangers{Until: s.env.Now().Add(s.duration(d.CmdArgs[0].Key))})
	case "timers":
		return fmt.Sprintln(s.env.Timers())
	default:
		d.Fatalf(t, "no such command")
	}
	return s.env.Drain()
}

func (s *story) locate(d *datadriven.TestData) {
	m := &env.LocateRequest{
		Call: env.Call(s.number(d.CmdArgs[0].Key)), GUID: s.object(d.CmdArgs[1].Key), App: s.app(d),
		Limit: int(s.number(arg(d, "limit", "0"))), First: d.HasArg("first"), Explain: d.HasArg("explain"),
		Fresh: d.HasArg("fresh"), Zone: arg(d, "zone", ""), Local: d.HasArg("local"), All: d.HasArg("all"),
	}
	if in := arg(d, "deadline", ""); in != "" {
		m.Deadline = s.env.Now().Add(s.duration(in))
	}
	if arg(d, "for", "") == "messages" {
		m.For = env.Messages
	}
	s.l.OnLocate(s.env, m)
}

func (s *story) reply(d *datadriven.TestData) {
	name, _, _ := strings.Cut(d.CmdArgs[0].Key, "#")
	m := &wire.Routed{}
	if why := arg(d, "refused", ""); why != "" {
		m.Refusal = s.refusal(why)
	}
	if name := arg(d, "over", ""); name != "" {
		hop := s.env.ID(name)
		m.Trail = hop[:]
	}
	body := new(wire.LocateReply)
	for _, found := range strings.Fields(strings.ReplaceAll(arg(d, "found", ""), "/", " ")) {
		server, rtt, _ := strings.Cut(found, "~")
		body.Replicas = append(body.Replicas, s.found(name, server, s.duration(rtt), arg(d, "bad", "")))
	}
	if m.Body = wire.Pack(body); d.HasArg("garbage") {
		m.Body = []byte{0xff}
	}
	if d.HasArg("explain") {
		by := s.env.ID(arg(d, "by", "root"))
		m.Notes = []*wire.HopNote{{Node: by[:], Rule: wire.Rule_RULE_ROOT, Pointers: uint32(len(body.Replicas))}}
	}
	s.router.Reply(s.env, s.request(d), m, s.env.ID(arg(d, "by", "root")))
}

// found is a replica in an answer, wrong in one way if bad says so.
func (s *story) found(object, server string, rtt time.Duration, bad string) *wire.FoundReplica {
	if bad == "object" {
		object = "another"
	}
	guid, id := s.object(object), s.env.ID(server)
	rec := &wire.BatchRecord{
		Guid: guid[:], App: "app", Server: id[:], Generation: 1, Counter: 1, LifeS: 75, Withdrawn: bad == "withdrawn",
	}
	if bad == "network" {
		rec.Network = "other"
	}
	var proof []byte
	switch bad {
	case "many":
		rec = envtest.Many(rec)
	case "batched", "proof":
		rec, proof = envtest.Batch(rec, 2, 4)
	}
	under := uint32(2)
	if bad == "proof" {
		under = 1 // under which it proves nothing
	}
	node := server
	if bad == "record" {
		node = "somebody"
	}
	return &wire.FoundReplica{
		Pointer: envtest.Pointer(server, rec), Proof: proof, Under: under, RttUs: uint64(rtt.Microseconds()),
		Server: envtest.Seal(wire.NodeKind, node, &wire.NodeRecord{
			Network: envtest.Network, Peer: []byte(node), Generation: 1, Version: 1, Zone: s.zones[node],
		}),
	}
}

func (s *story) arrive(d *datadriven.TestData) {
	name, _, _ := strings.Cut(d.CmdArgs[1].Key, "#")
	guid, key, from := s.object(name), s.key(d.CmdArgs[1].Key), s.env.ID("asker")
	s.calls++
	m := &wire.Routed{
		Call: 1<<40 + s.calls, Key: key[:], BodyKind: wire.BodyKind_BODY_LOCATE, Path: from[:],
		SpentUs: uint64(s.duration(arg(d, "spent", "10ms")).Microseconds()), Explain: d.HasArg("explain"),
		Body: wire.Pack(&wire.Locate{
			Guid: guid[:], App: "app", Limit: uint32(s.number(arg(d, "limit", "4"))), Here: d.HasArg("here"),
			Fresh: d.HasArg("fresh"), Cached: d.HasArg("cached"), Zone: arg(d, "zone", ""), Local: d.HasArg("local"),
			Coord: s.links.place(from).Packed(),
		}),
	}
	if d.HasArg("garbage") {
		m.Body = []byte{0xff}
	}
	s.router.Arrive(s.env, d.CmdArgs[0].Key, m)
	for _, note := range m.Notes {
		s.env.Line("note %s %d", note.Rule.Name(), note.Pointers)
	}
}

// hold puts pointers into the store, for a minute.
func (s *story) hold(d *datadriven.TestData) {
	for _, a := range d.CmdArgs[1:] {
		if a.Key == "doors" {
			continue
		}
		f := s.found(d.CmdArgs[0].Key, a.Key, 0, map[string]string{"withdraw": "withdrawn"}[d.Cmd])
		rec, err := f.Pointer.Pointer()
		if err != nil {
			s.t.Fatal(err)
		}
		node, err := f.Server.Node()
		if err != nil {
			s.t.Fatal(err)
		}
		server := s.store.Meet(s.env.ID(a.Key), f.Server, node)
		server.Coord = s.links.place(server.ID)
		for range s.number(arg(d, "doors", "0")) {
			server.Doors = append(server.Doors, make([]byte, 8)...)
		}
		s.store.Put(pointers.Deposit{
			Signed: f.Pointer, Record: rec, Server: server, From: server.ID, Roots: roots,
			Latency: s.duration(a.Vals[0]), Left: time.Minute, Until: s.env.Now().Add(time.Minute),
		}, s.env.Now())
	}
}

// object names the object and its salted keys.
func (s *story) object(name string) idspace.ID {
	guid := s.env.ID(name)
	for salt := range roots {
		s.env.Call(idspace.Hex.Salted(guid, salt, roots), fmt.Sprintf("%s#%d", name, salt))
	}
	return guid
}

// request is the latest for a key, or the one that is numbered.
func (s *story) request(d *datadriven.TestData) int {
	if n := arg(d, "n", ""); n != "" {
		return int(s.number(n))
	}
	return s.router.Last(s.key(d.CmdArgs[0].Key))
}

// key reads OBJECT#SALT.
// down has nodes die: each is on the side of the key that the story says.
func (s *story) down(d *datadriven.TestData) {
	for _, a := range d.CmdArgs {
		id, why := s.env.ID(a.Key), env.Dead
		key, wanted := a.Vals[0], a.Vals[1] == "nearer"
		if got := idspace.Hex.Closer(id, s.env.Self, s.key(key)); got != wanted {
			d.Fatalf(s.t, "%s is nearer to %s than me: %v", a.Key, key, got)
		}
		if len(a.Vals) > 2 {
			why = env.Left
		}
		s.l.OnDown(s.env, &env.Down{Peer: id, Why: why})
	}
}

func (s *story) key(text string) idspace.ID {
	name, salt, _ := strings.Cut(text, "#")
	return idspace.Hex.Salted(s.object(name), int(s.number(salt)), roots)
}

func arg(d *datadriven.TestData, name, otherwise string) string {
	for _, a := range d.CmdArgs {
		if a.Key == name && len(a.Vals) > 0 {
			return a.Vals[0]
		}
	}
	return otherwise
}

// app is the application; "\\xff" stands for a name that is no text.
func (s *story) app(d *datadriven.TestData) string {
	return strings.ReplaceAll(arg(d, "app", "app"), `\xff`, "\xff")
}

func (s *story) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *story) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *story) refusal(name string) wire.Refusal {
	for r := range wire.Refusal_name {
		if wire.Refusal(r).Name() == name {
			return wire.Refusal(r)
		}
	}
	s.t.Fatalf("no refusal %q", name)
	return 0
}
