package messages_test

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
	"github.com/tapestry-dolr/tapestry/internal/messages"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// TestStories runs the stories in testdata/stories. The node is "me"; every command prints
// what the machine did.
//
//	send CALL KEY [object] [exact] [signed] [repeat] [raced] [payload=hi] [size=N] [deadline=5s]     cancel CALL
//	located CALL [status=absent] [via=NODE+NODE] [doors=NODE+NODE] [SERVER=10ms …]
//	reply KEY by=NODE [payload=yes] [error=…] [refused=stale [again=1s]] [garbage]     lost KEY why=no-route
//	arrive LABEL KEY [guid=OBJECT] [exact [follow]] [via=NODE+NODE] [race=N [here]] [payload=hi] [signed[=wrong]] [deadline=5s] [from=NODE] [garbage]
//	handled TICKET [payload=yes] [size=N] [error=…] [refused=no-handler]
//	hold OBJECT SERVER=FROM … [heir] [doors=NODE+NODE]     pointers that lie here, the nearest first, where they came from, and the servers' doors
//	met NODE[=1ms] …      there is a link with them            near NODE: the near node of every key
//	cached OBJECT SERVER=FIRST …                  pointers that lie elsewhere
//	serve OBJECT          hop KEY=NODE … | hop all=NODE          stop, pass: what Forward says
//	advance 1s            outstanding           full, room: what the router says of another request
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := newStory(t, strings.Contains(path, "forward"))
		datadriven.RunTest(t, path, s.run)
	})
}

type story struct {
	t      testing.TB
	env    *envtest.Env
	router *routetest.Router
	served *pointers.Served
	store  *pointers.Store
	links  links
	silent map[idspace.ID]bool // of links: those that routing suspects
	cached map[pointers.Key][]pointers.Cached
	c      *messages.Carrier
	calls  uint64
	stop   bool // Forward stops messages
}

type links map[idspace.ID]time.Duration

func (l links) RTT(id idspace.ID) (time.Duration, bool) { return l[id], l[id] > 0 }
func (l links) Where(idspace.ID) (c wire.Coord)         { return c }
func (l links) Fresh(id idspace.ID, _ mono.Time) bool   { return l[id] > 0 }

func (l links) Begins(r wire.ServerRef) (id idspace.ID, ok bool) {
	for id := range l { // no two begin alike
		if wire.ServerRefTo(id) == r {
			return id, true
		}
	}
	return id, false
}

// Passed writes down that the node was asked for what does not lie here.
func (s *story) Passed(_ env.Env, key pointers.Key, towards idspace.ID) {
	s.env.Line("asked for %s towards %s", s.env.Of(key.GUID), s.env.Of(towards))
}

// Cached is what the story says.
func (s *story) Cached(key pointers.Key, _ mono.Time) []pointers.Cached { return s.cached[key] }

func newStory(t testing.TB, forward bool) *story {
	s := &story{t: t, env: envtest.New("me"), served: pointers.NewServed(pointers.Limits{}), links: make(links), silent: make(map[idspace.ID]bool), cached: make(map[pointers.Key][]pointers.Cached)}
	s.store = pointers.New(s.env.Self, pointers.Limits{})
	cfg := messages.Config{Space: idspace.Hex, Self: s.env.Self, Network: envtest.Network, Sends: 3, Inbound: 3, PerPeer: 2}
	if forward {
		cfg.Forward = func(u *env.Upcall) bool {
			s.env.Line("forward? %q from=%s", u.Payload, s.env.Of(u.From))
			return !s.stop
		}
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s.router = routetest.New(s.env)
	s.router.Default = s.env.ID("n1")
	s.router.Hops[s.env.Self] = s.env.Self
	s.c = messages.New(cfg, messages.Deps{Router: s.router, Links: s.links, Served: s.served, Store: s.store, Cache: s})
	s.router.Upcall = s.c
	s.router.Open = func(id idspace.ID) bool { return s.links[id] > 0 && !s.silent[id] }
	return s
}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	switch d.Cmd {
	case "send":
		s.send(d)
	case "cancel":
		s.c.OnCancel(s.env, env.Call(s.number(d.CmdArgs[0].Key)))
	case "located":
		s.located(d)
	case "reply":
		s.reply(d)
	case "lost":
		s.router.Lose(s.env, s.router.Last(s.key(d.CmdArgs[0].Key)), s.refusal(arg(d, "why", "")))
	case "arrive":
		s.arrive(d)
	case "handled":
		s.c.OnHandlerReply(s.env, s.handled(d))
	case "hold":
		s.hold(d)
	case "cached":
		key := keyOf(s, d.CmdArgs[0].Key)
		s.cached[key] = nil
		for _, a := range d.CmdArgs[1:] {
			s.cached[key] = append(s.cached[key], pointers.Cached{
				First: s.env.ID(a.Vals[0]), Pointer: &pointers.Pointer{Key: key, Server: &pointers.Server{ID: s.env.ID(a.Key)}, Latency: time.Millisecond},
			})
		}
	case "met":
		for _, a := range d.CmdArgs {
			s.links[s.env.ID(a.Key)] = time.Millisecond
			if len(a.Vals) > 0 {
				s.links[s.env.ID(a.Key)] = s.duration(a.Vals[0])
			}
		}
	case "silent":
		s.silent[s.env.ID(d.CmdArgs[0].Key)] = true
	case "doubt":
		p := s.store.Find(keyOf(s, d.CmdArgs[0].Key), s.env.ID(d.CmdArgs[1].Key))
		s.store.Doubt(p.Server, s.env.ID(arg(d, "by", "")), s.env.Now())
	case "near":
		s.router.Nearby = nil
		for _, a := range d.CmdArgs {
			s.router.Nearby = append(s.router.Nearby, s.env.ID(a.Key))
		}
	case "serve":
		s.served.Add(keyOf(s, d.CmdArgs[0].Key), 4)
	case "hop":
		s.hops(d)
	case "full", "room":
		s.router.Full = d.Cmd == "full"
	case "stop", "pass":
		s.stop = d.Cmd == "stop"
	case "advance":
		s.env.Advance(s.duration(d.CmdArgs[0].Key), func(k env.TimerKey) { s.c.OnTimer(s.env, k) })
	case "outstanding":
		sends, inbound := s.c.Outstanding()
		return fmt.Sprintf("sends=%d inbound=%d timers=%d\n", sends, inbound, s.env.Timers())
	default:
		d.Fatalf(t, "no such command")
	}
	return s.env.Drain()
}

func keyOf(s *story, object string) pointers.Key {
	return pointers.Key{GUID: s.env.ID(object), App: "app"}
}

func (s *story) send(d *datadriven.TestData) {
	m := &env.SendRequest{
		Call: env.Call(s.number(d.CmdArgs[0].Key)), Key: s.env.ID(d.CmdArgs[1].Key), App: strings.ReplaceAll(arg(d, "app", "app"), `\xff`, "\xff"),
		Object: d.HasArg("object"), Exact: d.HasArg("exact"), Signed: d.HasArg("signed"), Repeat: d.HasArg("repeat"), Raced: d.HasArg("raced"), Payload: s.payload(d, "hi"),
	}
	if in := arg(d, "deadline", ""); in != "" {
		m.Deadline = s.env.Now().Add(s.duration(in))
	}
	s.salts(d.CmdArgs[1].Key)
	s.c.OnSend(s.env, m)
}

// salts names the salted keys of an object.
func (s *story) salts(object string) {
	for salt := range 4 {
		s.env.Call(idspace.Hex.Salted(s.env.ID(object), salt, 4), fmt.Sprintf("%s#%d", object, salt))
	}
}

// key reads a node, or OBJECT#SALT.
func (s *story) key(text string) idspace.ID {
	object, salt, salted := strings.Cut(text, "#")
	if !salted {
		return s.env.ID(text)
	}
	s.salts(object)
	return idspace.Hex.Salted(s.env.ID(object), int(s.number(salt)), 4)
}

// hold puts pointers into the store, for a minute.
func (s *story) hold(d *datadriven.TestData) {
	copied := wire.Copy_COPY_PATH
	if d.HasArg("heir") {
		copied = wire.Copy_COPY_HEIR
	}
	for i, a := range d.CmdArgs[1:] {
		if len(a.Vals) == 0 || a.Key == "doors" {
			continue
		}
		guid, server := s.env.ID(d.CmdArgs[0].Key), s.env.ID(a.Key)
		rec := &wire.BatchRecord{Guid: guid[:], App: "app", Server: server[:], Generation: 1, Counter: 1, LifeS: 75}
		node := envtest.Node(a.Key, 1)
		opened, err := node.Node()
		if err != nil {
			s.t.Fatal(err)
		}
		meets := s.store.Meet(server, node, opened)
		meets.Doors = s.doors(d)
		s.store.Put(pointers.Deposit{
			Signed: envtest.Pointer(a.Key, rec), Record: rec, Server: meets, From: s.env.ID(a.Vals[0]),
			Copy: copied, Roots: 4, Latency: time.Duration(i+1) * time.Millisecond, Left: time.Minute, Until: s.env.Now().Add(time.Minute),
		}, s.env.Now())
	}
}

// doors are NODE+NODE as a server's doors travel.
func (s *story) doors(d *datadriven.TestData) (packed []byte) {
	for _, door := range wire.IDs(s.path(arg(d, "doors", ""))) {
		ref := wire.ServerRefTo(door)
		packed = append(packed, ref[:]...)
	}
	return packed
}

// path is NODE+NODE as it travels.
func (s *story) path(text string) (packed []byte) {
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == '+' }) {
		id := s.env.ID(name)
		packed = append(packed, id[:]...)
	}
	return packed
}

func (s *story) located(d *datadriven.TestData) {
	m := &env.Located{Call: env.Call(s.number(d.CmdArgs[0].Key))}
	for _, a := range d.CmdArgs[1:] {
		if a.Key == "status" {
			m.Status = status(a.Vals[0])
			continue
		}
		if a.Key == "via" || a.Key == "doors" {
			continue
		}
		m.Replicas = append(m.Replicas, env.Replica{
			Server: s.env.ID(a.Key), RTT: s.duration(a.Vals[0]), Via: wire.IDs(s.path(arg(d, "via", ""))), Doors: s.doors(d),
		})
	}
	s.c.OnLocated(s.env, m)
}

func status(name string) env.Status {
	for status := env.OK; status < env.Limit; status++ {
		if strings.ReplaceAll(status.String(), " ", "-") == name {
			return status
		}
	}
	return env.Limit
}

func (s *story) reply(d *datadriven.TestData) {
	m := &wire.Routed{}
	if why := arg(d, "refused", ""); why != "" {
		m.Refusal = s.refusal(why)
	}
	if d.HasArg("again") {
		m.RetryAfterMs = uint32(s.duration(arg(d, "again", "")).Milliseconds())
	}
	m.Body = wire.Pack(&wire.AppReply{Payload: []byte(arg(d, "payload", "yes")), Error: arg(d, "error", "")})
	if d.HasArg("garbage") {
		m.Body = []byte{0xff}
	}
	s.router.Reply(s.env, s.router.Last(s.key(d.CmdArgs[0].Key)), m, s.env.ID(arg(d, "by", d.CmdArgs[0].Key)))
}

func (s *story) arrive(d *datadriven.TestData) {
	key, from := s.key(d.CmdArgs[1].Key), s.env.ID(arg(d, "from", "sender"))
	s.calls++
	body := &wire.AppMessage{
		App: "app", Payload: s.payload(d, "hi"), Via: s.path(arg(d, "via", "")),
		Race: uint64(s.number(arg(d, "race", "0"))), Here: d.HasArg("here"),
	}
	if object := arg(d, "guid", ""); object != "" {
		guid := s.env.ID(object)
		body.Guid = guid[:]
	}
	m := &wire.Routed{
		Call: 1<<40 + s.calls, Key: key[:], BodyKind: wire.BodyKind_BODY_MESSAGE, Path: from[:], Exact: d.HasArg("exact"), Follow: d.HasArg("follow"),
		DeadlineMs: uint32(s.duration(arg(d, "deadline", "5s")).Milliseconds()),
	}
	if d.HasArg("signed") {
		body.Origin = s.origin(m, body, arg(d, "signed", ""))
	}
	if m.Body = wire.Pack(body); d.HasArg("garbage") {
		m.Body = []byte{0xff}
	}
	s.router.Arrive(s.env, d.CmdArgs[0].Key, m)
}

// origin signs m as another Carrier does, by having one send it; wrong says in which
// way it is the record of another message.
func (s *story) origin(m *wire.Routed, body *wire.AppMessage, wrong string) *wire.SignedRecord {
	sender := newStory(s.t, false)
	app, payload, key := body.App, body.Payload, wire.ID(m.Key)
	switch wrong {
	case "app":
		app = "other"
	case "payload":
		payload = []byte("other")
	case "key":
		key = s.env.ID("other")
	}
	sender.c.OnSend(sender.env, &env.SendRequest{Call: 1, Key: key, App: app, Payload: payload, Signed: true})
	sent := sender.router.Begun(1)
	if wrong != "call" {
		m.Call = sent.Call
	}
	signed, err := wire.Unpack(sent.Body, new(wire.AppMessage))
	if err != nil {
		s.t.Fatal(err)
	}
	return signed.Origin
}

func (s *story) handled(d *datadriven.TestData) *env.HandlerReply {
	m := &env.HandlerReply{
		Ticket: uint64(s.number(d.CmdArgs[0].Key)), Payload: s.payload(d, "yes"), Error: arg(d, "error", ""),
	}
	if why := arg(d, "refused", ""); why != "" {
		m.Refused = s.refusal(why)
	}
	return m
}

func (s *story) hops(d *datadriven.TestData) {
	for _, a := range d.CmdArgs {
		if to := s.env.ID(a.Vals[0]); a.Key == "all" {
			s.router.Default = to
		} else {
			s.router.Hops[s.env.ID(a.Key)] = to
		}
	}
}

func (s *story) payload(d *datadriven.TestData, otherwise string) []byte {
	if size := arg(d, "size", ""); size != "" {
		return make([]byte, s.number(size))
	}
	return []byte(arg(d, "payload", otherwise))
}

func arg(d *datadriven.TestData, name, otherwise string) string {
	for _, a := range d.CmdArgs {
		if a.Key == name && len(a.Vals) > 0 {
			return a.Vals[0]
		}
	}
	return otherwise
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
