package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// story is a small overlay that a text drives. Nodes are called n0, n1 …, objects by any
// word.
type story struct {
	*run
	t       *testing.T
	out     strings.Builder
	named   map[string]*object
	verbose bool // every message is told
}

// TestStories runs the text stories in testdata; go test ./internal/sim -rewrite writes
// what the overlay does now. Commands:
//
//	world [seed=N] [loss=P] [transport=T] an empty network
//	add-nodes N                           N nodes join, one after another
//	add-fresh N                           N nodes that name only each other
//	kill|leave|restart NODE…              they crash, take their leave, or come back
//	partition N                           the first N nodes can reach only each other
//	heal                                  all can reach all
//	stall NODE DURATION                   it does not run for a while
//	publish|unpublish|locate|send NODE OBJECT
//	lookup NODE KEY                       the root of a word's hash
//	advance DURATION [messages]           time passes; messages: tell every one
//	check                                 the oracles look at everything
//	tables NODE                           its leaf set and map
//
// What is told: who becomes a member, who takes whom for dead, and every outcome.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s *story
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "world" {
				s = newStory(t, d)
				return ""
			}
			s.t = t
			s.out.Reset()
			if err := s.do(d); err != nil {
				t.Fatalf("%s: %v", d.Pos, err)
			}
			return s.out.String()
		})
	})
}

func newStory(t *testing.T, d *datadriven.TestData) *story {
	cfg := small(32)
	var seed int
	d.MaybeScanArgs(t, "seed", &seed)
	d.MaybeScanArgs(t, "transport", &cfg.Transport)
	loss := "0"
	d.MaybeScanArgs(t, "loss", &loss)
	cfg.Loss, _ = strconv.ParseFloat(loss, 64)
	cfg.Seed, cfg.Check, cfg.Duration = uint64(seed), true, 24*time.Hour
	r, err := prepare(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{run: r, t: t, named: make(map[string]*object)}
	r.began = r.world.Now()
	r.world.Hooks.Event = func(h *world.Host, ev env.Event) {
		r.event(h, ev)
		s.tell(h, ev)
	}
	r.world.Hooks.Arrived = func(from, to *world.Host, m wire.Message) {
		if s.verbose {
			s.line("%s > %s %s", name(from), name(to), wire.Describe(m))
		}
	}
	return s
}

func name(h *world.Host) string { return fmt.Sprintf("n%d", h.Place()) }

func (s *story) line(format string, args ...any) {
	at := s.world.Now().Sub(s.began).Truncate(time.Millisecond)
	fmt.Fprintf(&s.out, "%v %s\n", at, fmt.Sprintf(format, args...))
}

func (s *story) tell(h *world.Host, ev env.Event) {
	switch ev := ev.(type) {
	case *env.Ready:
		s.line("%s is a member", name(h))
	case *env.NeighborChanged:
		if ev.State == env.NeighborDead || ev.State == env.NeighborLeft {
			s.line("%s: %s is %s", name(h), s.nameOf(ev.Peer), ev.State)
		}
	}
}

func (s *story) nameOf(id idspace.ID) string {
	if h := s.world.Host(id); h != nil {
		return name(h)
	}
	return id.Short()
}

func (s *story) names(ids []idspace.ID) string {
	var all []string
	for _, id := range ids {
		all = append(all, s.nameOf(id))
	}
	return strings.Join(all, " ")
}

// member finds the latest life of a node.
func (s *story) member(name string) *member {
	for _, h := range slices.Backward(s.world.Hosts()) {
		if "n"+strconv.Itoa(h.Place()) == name {
			return of(h)
		}
	}
	s.t.Fatalf("no node %q", name)
	return nil
}

func (s *story) do(d *datadriven.TestData) error {
	args := make([]string, len(d.CmdArgs))
	for i, a := range d.CmdArgs {
		args[i] = a.Key
	}
	switch d.Cmd {
	case "add-nodes":
		return s.addNodes(args[0])
	case "add-fresh":
		return s.addFresh(args[0])
	case "kill", "leave", "restart":
		for _, node := range args {
			s.fate(d.Cmd, s.member(node))
		}
	case "partition":
		n, err := strconv.Atoi(args[0])
		s.world.Partition(func(place int) bool { return place < n })
		s.people.changed = s.world.Now()
		return err
	case "heal":
		s.world.Partition(nil)
		s.people.changed = s.world.Now()
	case "stall", "advance":
		return s.wait(d.Cmd, args)
	case "check":
		s.check()
	case "tables":
		s.tables(s.member(args[0]))
	default:
		return s.request(d.Cmd, args)
	}
	return nil
}

func (s *story) addNodes(count string) error {
	n, err := strconv.Atoi(count)
	for range n {
		m, err := s.born(s.people.free[0])
		if err != nil {
			return err
		}
		s.people.join(m, s.joinCall())
		if err := s.world.Until(joinPatience, 10*time.Millisecond, func() bool { return m.at >= 0 }); err != nil {
			return err
		}
	}
	return err
}

func (s *story) addFresh(count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	var fresh []*member
	var ids []idspace.ID
	for range n {
		m, err := s.born(s.people.free[0])
		if err != nil {
			return err
		}
		fresh, ids = append(fresh, m), append(ids, m.host.ID())
	}
	for _, m := range fresh {
		m.joining = s.joinCall()
		m.host.Request(&env.JoinRequest{Call: m.joining, Seeds: ids})
	}
	return s.world.Until(joinPatience, 10*time.Millisecond, func() bool { return len(s.people.active) == n })
}

func (s *story) fate(what string, m *member) {
	switch what {
	case "kill":
		s.crash(m)
	case "leave":
		m.leaving = true
		s.ask(m, &parting{s.run, m}, func(call env.Call) env.Local { return &env.LeaveRequest{Call: call} })
	case "restart":
		s.people.take(m.host.Place())
		s.enter(world.Birth{Again: m.host})
	}
}

func (s *story) wait(what string, args []string) error {
	d, err := time.ParseDuration(args[len(args)-1])
	if what == "stall" {
		s.world.Stall(s.member(args[0]).host, d)
		return err
	}
	s.verbose = slices.Contains(args, "messages")
	if s.verbose {
		d, err = time.ParseDuration(args[0])
	}
	s.world.Run(d)
	s.verbose = false
	return err
}

// check lets the oracles look, as if the overlay had been left alone for long.
func (s *story) check() {
	s.audit.strict = true
	before := len(s.audit.texts)
	clear(s.audit.counts)
	s.audit.begin()
	for _, oracle := range oracles {
		if n := s.audit.counts[oracle]; n > 0 {
			s.line("%s: %d", oracle, n)
		}
	}
	for _, text := range s.audit.texts[before:] {
		first, _, _ := strings.Cut(text, "\n")
		s.line("%s", first)
	}
	s.audit.strict = false
	if s.out.Len() == 0 {
		s.line("all is well")
	}
}

func (s *story) tables(m *member) {
	t := m.host.Node().Tables()
	s.line("leaf set: %s", s.names(t.Leaves.All()))
	for level := range t.Map.Levels() {
		var ids []idspace.ID
		for _, nb := range t.Map.Row(level) {
			ids = append(ids, nb.ID)
		}
		s.line("level %d: %s", level, s.names(ids))
	}
}

// heard is an operation of a story: it tells its outcome.
type heard struct {
	s    *story
	what string
	done func(*env.Outcome)
}

func (h *heard) arrived(at *member) { h.s.line("%s arrives at %s", h.what, name(at.host)) }

func (h *heard) ended(o *env.Outcome) {
	text := o.Status.String()
	var servers []idspace.ID
	for _, r := range o.Replicas {
		servers = append(servers, r.Server)
	}
	switch {
	case len(o.Placed) > 0:
		text += " at roots " + h.s.names(o.Placed)
	case len(servers) > 0:
		text += ", servers " + h.s.names(servers)
	case len(o.Path) > 0:
		text += " by way of " + h.s.names(o.Path)
	}
	h.s.line("%s: %s", h.what, text)
	if h.done != nil {
		h.done(o)
	}
}

func (s *story) request(verb string, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%s: want a node and a word", verb)
	}
	m, guid := s.member(args[0]), idspace.Hash([]byte(args[1]))
	h := &heard{s: s, what: fmt.Sprintf("%s %s %s", args[0], verb, args[1])}
	o := s.named[args[1]]
	if o == nil {
		o = &object{guid: guid}
		s.named[args[1]] = o
	}
	until := s.world.Now().Add(deadline)
	var request func(env.Call) env.Local
	switch verb {
	case "publish":
		if !slices.Contains(s.objects, o) {
			s.objects = append(s.objects, o)
		}
		h.done = func(out *env.Outcome) {
			if out.Status == env.OK {
				o.servers = append(o.servers, server{m, s.world.Now()})
			}
		}
		request = func(c env.Call) env.Local { return &env.PublishRequest{Call: c, GUID: guid, App: app, Deadline: until} }
	case "unpublish":
		o.servers = slices.DeleteFunc(o.servers, func(x server) bool { return x.member == m })
		request = func(c env.Call) env.Local {
			return &env.UnpublishRequest{Call: c, GUID: guid, App: app, Deadline: until}
		}
	case "locate":
		request = func(c env.Call) env.Local {
			return &env.LocateRequest{Call: c, GUID: guid, App: app, Limit: 4, Deadline: until}
		}
	case "send", "lookup":
		request = func(c env.Call) env.Local {
			return &env.SendRequest{Call: c, Key: guid, Object: verb == "send", App: app, Payload: payload(c), Deadline: until}
		}
	default:
		return fmt.Errorf("no command %q", verb)
	}
	s.ask(m, h, request)
	s.world.Run(time.Second)
	return nil
}
