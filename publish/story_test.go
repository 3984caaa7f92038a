package publish_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/envtest/routetest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/tree"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"github.com/tapestry-dolr/tapestry/publish"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

const roots = 4

// TestStories runs the stories in testdata/stories. The node is "me"; every command prints
// what the machine did.
//
//	publish CALL OBJECT [deadline=5s] [explain]    unpublish CALL OBJECT [deadline=5s]
//	cancel CALL                                    withdraw, activated
//	reply KEY by=NODE [held=1.2] [refused=limit [limit=NUMBER] [again=MS]]
//	lost KEY why=not-joined                        both: the latest request for it
//	arrive LABEL OBJECT server=NODE seq=1.2 [salt=0] [left=3600] [path=a,b] [spent=10] [withdrawn] …
//	hop KEY=NODE …                                 where next hops lead; keys are OBJECT#SALT or all
//	restart OBJECT …                               as a new life, which is to publish these again
//	sought OBJECT                                  somebody looks for it here
//	forgotten: nothing lies at this node any more
//	unheard, heard: whether those who hold copies have yet to know of what is laid
//	settled OBJECT server=NODE: they know, or had long enough
//	advance 1s                                     store, served, late
//	window 2 period=30m life=1h                     begin anew, with no more records under way than that
//
// Pointers lie in a real tree, whose node knows nobody: what becomes of them there are
// stories of its own.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := newStory(t)
		datadriven.RunTest(t, path, s.run)
	})
}

type story struct {
	t                  testing.TB
	env                *envtest.Env
	router             *routetest.Router
	unheard, forgotten bool

	store  *pointers.Store
	served *pointers.Served
	tree   *tree.Keeper
	cfg    publish.Config
	p      *publish.Publisher
	calls  uint64
	laid   strings.Builder
}

func newStory(t testing.TB) *story {
	s := &story{t: t, env: envtest.New("me")}
	s.cfg = publish.Config{
		Space: idspace.Hex, Self: s.env.Self, Network: envtest.Network, Generation: 7, Record: envtest.Node("me", 1),
	}
	s.build(pointers.Limits{PerObject: 3, PerServer: 5, Served: 5})
	return s
}

func (s *story) build(limits pointers.Limits) {
	if err := s.cfg.Validate(); err != nil {
		s.t.Fatal(err)
	}
	s.router = routetest.New(s.env)
	s.router.Default = s.env.ID("n1")
	s.store = pointers.New(s.env.Self, limits)
	s.served = pointers.NewServed(limits)
	s.tree = tree.New(tree.Config{
		Space: idspace.Hex, Self: s.env.Self, Network: envtest.Network, Record: s.cfg.Record, Lease: envtest.Lease("me"),
	}, tree.Deps{
		Router: nobody{}, Links: links.New(links.Config{}.WithDefaults()), Store: s.store,
		Tables: &surrogate.Tables{
			Space: idspace.Hex, Self: s.env.Self, Map: neighbormap.New(idspace.Hex, s.env.Self, 3), Leaves: leafset.New(s.env.Self, 4),
		},
	})
	s.p = publish.New(s.cfg, publish.Deps{Router: s.router, Tree: copies{s.tree, &s.unheard, &s.laid, &s.forgotten}, Store: s.store, Served: s.served})
	s.router.Upcall = s.p
}

// copies are a tree of which somebody may have yet to know.
type copies struct {
	*tree.Keeper
	unheard *bool
	told    *strings.Builder // what a batch has been laid as
	nothing *bool            // lies here of any batch
}

// Serve writes down what is to be laid.
func (c copies) Serve(e env.Env, name uint64, signed *wire.SignedRecord, part *batch.Part, until mono.Time) {
	rec, err := signed.Batch()
	if err != nil {
		panic(err)
	}
	withdrawn := ""
	if rec.Withdrawn {
		withdrawn = " withdrawn"
	}
	fmt.Fprintf(c.told, "serve %d: %d objects of %q seq=%d.%d%s for %v\n", name, rec.Objects(), rec.App, rec.Generation, rec.Counter, withdrawn,
		until.Sub(e.Now()))
}

// Renew writes down what goes on under a new header.
func (c copies) Renew(e env.Env, _ *wire.SignedRecord, rec *wire.BatchRecord) bool {
	if !*c.nothing {
		fmt.Fprintf(c.told, "%v: renew %d objects of %q seq=%d.%d\n", time.Duration(e.Now()).Round(time.Second), rec.Objects(), rec.App,
			rec.Generation, rec.Counter)
	}
	return !*c.nothing
}

func (c copies) Settled(env.Env, *pointers.Pointer) bool { return !*c.unheard }

// nobody is next to this node.
type nobody struct{}

func (nobody) Near(idspace.ID) []idspace.ID { return nil }

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	switch d.Cmd {
	case "store":
		return s.describeStore()
	case "late":
		return fmt.Sprintln(s.p.Late(s.env.Now()).Round(10 * time.Millisecond))
	case "served":
		return s.describeServed()
	}
	s.do(d)
	for _, check := range []func() error{s.store.Check, s.served.Check} {
		if err := check(); err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	defer s.laid.Reset()
	return s.laid.String() + s.env.Drain()
}

func (s *story) do(d *datadriven.TestData) {
	switch d.Cmd {
	case "window":
		s.cfg.Window = int(s.number(d.CmdArgs[0].Key))
		s.cfg.Period, s.cfg.Life = s.duration(arg(d, "period", "30m")), s.duration(arg(d, "life", "1h"))
		s.build(pointers.Limits{PerObject: 3, PerServer: 5, Served: 5})
	case "publish":
		s.p.OnPublish(s.env, &env.PublishRequest{
			Call: s.call(d), GUID: s.object(d.CmdArgs[1].Key), App: s.app(d), Deadline: s.deadline(d), Explain: d.HasArg("explain"),
		})
	case "unpublish":
		s.p.OnUnpublish(s.env, &env.UnpublishRequest{
			Call: s.call(d), GUID: s.object(d.CmdArgs[1].Key), App: s.app(d), Deadline: s.deadline(d),
		})
	case "room":
		s.build(pointers.Limits{Served: int(s.number(d.CmdArgs[0].Key))})
	case "batch":
		part, err := batch.Build(idspace.Hex, s.objects(d), roots)
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		s.p.OnPublishBatch(s.env, &env.PublishBatchRequest{Call: s.call(d), App: s.app(d), Part: part, Deadline: s.deadline(d)})
	case "placed", "missing":
		for range s.number(arg(d, "times", "4")) {
			for _, guid := range s.objects(d) {
				s.p.OnPlaced(s.env, uint64(s.number(d.CmdArgs[0].Key)), guid, d.Cmd == "placed")
			}
		}
	case "member":
		s.router.Left = arg(d, "not", "") != ""
	case "cancel":
		s.p.OnCancel(s.env, s.call(d))
	case "withdraw":
		s.p.OnWithdraw(s.env)
	case "activated":
		s.p.OnActivated()
	case "reply":
		s.reply(d)
	case "lost":
		s.router.Lose(s.env, s.request(d), s.refusal(arg(d, "why", "")))
	case "arrive":
		s.arrive(d)
	case "hop":
		s.hops(d)
	case "restart":
		s.restart(d)
	case "sought":
		s.p.OnSought(s.env, pointers.Key{GUID: s.object(d.CmdArgs[0].Key), App: s.app(d)})
	case "forgotten":
		s.forgotten = true
	case "unheard":
		s.unheard = true
	case "heard":
		s.unheard = false
	case "settled":
		s.p.OnSettled(s.env, &env.Settled{GUID: s.object(d.CmdArgs[0].Key), App: s.app(d), Server: s.env.ID(arg(d, "server", "me"))})
	case "advance":
		s.pass(s.duration(d.CmdArgs[0].Key))
	default:
		d.Fatalf(s.t, "no such command")
	}
}

// restart is the machine's next life.
func (s *story) restart(d *datadriven.TestData) {
	s.cfg.Generation++
	s.cfg.Kept = nil
	for _, a := range d.CmdArgs {
		s.cfg.Kept = append(s.cfg.Kept, pointers.Key{GUID: s.object(a.Key), App: "app"})
	}
	s.build(pointers.Limits{PerObject: 3, PerServer: 5, Served: 5})
}

// objects are numbered ones, from the first to the last that are said: o=3-7.
func (s *story) objects(d *datadriven.TestData) (guids []idspace.ID) {
	var first, last int
	if _, err := fmt.Sscanf(arg(d, "o", ""), "%d-%d", &first, &last); err != nil {
		d.Fatalf(s.t, "o: %v", err)
	}
	for i := first; i <= last; i++ {
		guids = append(guids, s.env.ID(fmt.Sprint("o", i)))
	}
	return guids
}

// object names the object and its salted keys.
func (s *story) object(name string) idspace.ID {
	guid := s.env.ID(name)
	for salt := range roots {
		s.env.Call(idspace.Hex.Salted(guid, salt, roots), fmt.Sprintf("%s#%d", name, salt))
	}
	return guid
}

func (s *story) reply(d *datadriven.TestData) {
	m := &wire.Routed{}
	if why := arg(d, "refused", ""); why != "" {
		m.Refusal = s.refusal(why)
		m.Limit = wire.Limit(s.number(arg(d, "limit", "0")))
		m.RetryAfterMs = uint32(s.number(arg(d, "again", "0")))
	} else {
		generation, counter := s.sequence(arg(d, "held", "0.0"))
		m.Body = wire.Pack(&wire.PublishReply{HeldGeneration: generation, HeldCounter: counter})
	}
	s.router.Reply(s.env, s.request(d), m, s.env.ID(arg(d, "by", "root")))
}

func (s *story) arrive(d *datadriven.TestData) {
	server := arg(d, "server", "s1")
	guid, id := s.object(d.CmdArgs[1].Key), s.env.ID(server)
	generation, counter := s.sequence(arg(d, "seq", "1.1"))
	left, salt := s.number(arg(d, "left", "3600")), s.number(arg(d, "salt", "0"))
	key := idspace.Hex.Salted(guid, int(s.number(arg(d, "key", fmt.Sprint(salt)))), roots)
	var path []byte
	for _, name := range strings.Split(arg(d, "path", server), "/") {
		hop := s.env.ID(name)
		path = append(path, hop[:]...)
	}
	rec := &wire.BatchRecord{
		Network: arg(d, "network", ""), Guid: guid[:], App: "app", Server: id[:],
		Generation: generation, Counter: counter, Withdrawn: d.HasArg("withdrawn"),
		LifeS: uint32(s.number(arg(d, "life", "3600"))),
	}
	if d.HasArg("many") {
		rec = envtest.Many(rec)
	}
	s.calls++
	s.router.Arrive(s.env, d.CmdArgs[0].Key, &wire.Routed{
		Call: 1<<40 + s.calls, Key: key[:], BodyKind: wire.BodyKind_BODY_PUBLISH, Path: path,
		SpentUs: 1000 * uint64(s.number(arg(d, "spent", "10"))), Explain: d.HasArg("explain"),
		Body: wire.Pack(&wire.Publish{
			Pointer: envtest.Pointer(server, rec),
			Server:  envtest.Node(arg(d, "record", server), 1), Salt: uint32(salt), Roots: roots, LeftS: uint32(left),
			Pulse: envtest.Pulse(arg(d, "record", server), uint32(s.number(arg(d, "token", "0")))),
		}),
	})
}

func (s *story) hops(d *datadriven.TestData) {
	for _, a := range d.CmdArgs {
		if a.Key == "all" {
			s.router.Default = s.env.ID(a.Vals[0])
			clear(s.router.Hops)
			continue
		}
		s.router.Hops[s.key(a.Key)] = s.env.ID(a.Vals[0])
	}
}

func (s *story) describeStore() string {
	var b strings.Builder
	for _, p := range s.store.Sorted() {
		fmt.Fprintf(&b, "%s at %s seq=%v %v latency=%v left=%v counts=%v", s.env.Of(p.GUID), s.env.Of(p.Server.ID),
			p.Sequence(), p.State, p.Latency, p.Expires().Sub(s.env.Now()), p.Until().Sub(s.env.Now()))
		for _, l := range p.Laid() {
			fmt.Fprintf(&b, " #%d←%s", l.Salt, s.env.Of(l.Branch().Peer))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "refused=%d evicted=%d expired=%d\n", s.store.Stats().Refused, s.store.Stats().Evicted, s.store.Stats().Expired)
	return b.String()
}

func (s *story) describeServed() string {
	var b strings.Builder
	for _, o := range s.served.Sorted() {
		fmt.Fprintf(&b, "%s seq=%v established=%v stands=%v kept=%v roots=%s\n",
			s.env.Of(o.GUID), o.Sequence, o.Established, o.Stands, o.Kept, s.env.List(o.Roots))
	}
	return b.String()
}

// ---- reading arguments ----

func arg(d *datadriven.TestData, name, otherwise string) string {
	for _, a := range d.CmdArgs {
		if a.Key == name && len(a.Vals) > 0 {
			return a.Vals[0]
		}
	}
	return otherwise
}

func (s *story) call(d *datadriven.TestData) env.Call { return env.Call(s.number(d.CmdArgs[0].Key)) }

// key reads OBJECT#SALT.
func (s *story) key(text string) idspace.ID {
	name, salt, _ := strings.Cut(text, "#")
	return idspace.Hex.Salted(s.object(name), int(s.number(salt)), roots)
}

func (s *story) request(d *datadriven.TestData) int { return s.router.Last(s.key(d.CmdArgs[0].Key)) }

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

func (s *story) sequence(text string) (generation, counter uint64) {
	if _, err := fmt.Sscanf(text, "%d.%d", &generation, &counter); err != nil {
		s.t.Fatal(err)
	}
	return generation, counter
}

func (s *story) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *story) deadline(d *datadriven.TestData) (at mono.Time) {
	if in := arg(d, "deadline", ""); in != "" {
		return s.env.Now().Add(s.duration(in))
	}
	return 0
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
