package tree_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/tree"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// TestStories runs the stories in testdata/stories. The node is "me"; every command prints
// what the machine did.
//
//	new [per-server=3] [per-object=3] [per-node=9] [window=256]
//	know NODE=30ms …      forget NODE …         course OBJECT#SALT …: where paths lead
//	arrive OBJECT [server=me] [from=me] [salt=0] [next=NODE] …: a routed publish
//	deposit OBJECT#SALT … from=NODE server=NODE [copy=path] …
//	refresh from=NODE server=NODE [copy=path] [count=1] [age=3s] [asked] [dead=NODE] [sought=NODE]: as it is held, if there is no count
//	listing from=NODE server=NODE [copy=path] [more] [less] …
//	wanted from=NODE server=NODE [copy=path]: all that was laid there
//	reply from=NODE [differ=SERVER/COPY] [stale=SERVER/COPY] [old]
//	changed [added=NODE] [removed=NODE] [dead=NODE]
//	hand-over NODE, or - for the heirs
//	self VERSION          activated             advance 1s
//	store                 links
//
// What tells of a server takes [doors=(NODE,NODE)]. What is signed takes [seq=1.1] [withdrawn] [network=NAME] [life=3600] [left=3600] [generation=1] [record=NODE];
// a token [token=0] [forged] [age=0s].
func TestStories(t *testing.T) {
	envtest.Tell(t, "testdata/stories", newStory, func(s *story, t *testing.T, d *datadriven.TestData) { s.run(t, d) })
}

// story is a Keeper alone with its script.
type story struct {
	*envtest.Env
	rooms
	t      testing.TB
	keeper *tree.Keeper
	asked  map[idspace.ID]uint64 // the last question to each neighbor
}

var _ env.Env = (*story)(nil)

// Send writes a message down in the words of this room.
func (s *story) Send(to idspace.ID, m wire.Message) {
	if _, err := wire.AppendFrame(nil, m); err != nil {
		s.t.Fatalf("%v: %v", m.Kind(), err)
	}
	if m, ok := m.(*wire.Refresh); ok && m.Seq != 0 {
		s.asked[to] = m.Seq
	}
	s.Line("send %s: %s", s.Of(to), tell(s.Names, m))
}

func newStory(t *testing.T, d *datadriven.TestData) *story {
	limits := pointers.Limits{
		PerServer: int(number(t, d, "per-server", 0)), PerObject: int(number(t, d, "per-object", 0)), PerNode: int(number(t, d, "per-node", 0)),
	}
	return begin(t, limits, int(number(t, d, "window", 0)))
}

func begin(t testing.TB, limits pointers.Limits, window int) *story {
	s := &story{Env: envtest.New("me"), t: t, asked: make(map[idspace.ID]uint64)}
	s.rooms = newRooms(idspace.Hex, s.Self, limits)
	cfg := tree.Config{
		Space: idspace.Hex, Self: s.Self, Network: envtest.Network, Record: nodeRecord("me", 1, 1), Lease: chainOf("me", 1), Window: window,
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s.keeper = tree.New(cfg, s.deps())
	return s
}

func (s *story) run(t *testing.T, d *datadriven.TestData) {
	s.t = t
	s.do(d)
	if err := s.store.Check(); err != nil {
		d.Fatalf(t, "%v", err)
	}
}

func (s *story) do(d *datadriven.TestData) {
	switch d.Cmd {
	case "know", "forget", "course", "store", "changed":
		s.around(d)
	case "arrive", "deposit", "refresh", "listing", "wanted", "reply":
		s.come(d)
	case "hand-over":
		s.keeper.OnHandOver(s, &env.HandOver{To: s.ID(d.CmdArgs[0].Key)})
	case "self":
		version, _ := strconv.ParseUint(d.CmdArgs[0].Key, 10, 64)
		s.keeper.OnSelf(s, &env.SelfChanged{Record: nodeRecord("me", 1, version)})
	case "activated":
		s.keeper.OnActivated(s)
	case "advance":
		s.Advance(span(s.t, d.CmdArgs[0].Key), func(k env.TimerKey) { s.keeper.OnTimer(s, k) })
	default:
		d.Fatalf(s.t, "no such command")
	}
}

func (s *story) around(d *datadriven.TestData) {
	switch d.Cmd {
	case "know":
		for _, a := range d.CmdArgs {
			s.know(s.ID(a.Key), span(s.t, a.Vals[0]))
		}
	case "forget":
		for _, a := range d.CmdArgs {
			s.lose(s.ID(a.Key))
		}
	case "course":
		for _, a := range d.CmdArgs {
			object, salt := s.salted(a.Key)
			key := idspace.Hex.Salted(object, salt, roots)
			s.Line("%s to %s, heirs %s", a.Key, s.Of(s.tables.Course(key).To), s.List(s.tables.Heirs(key, 2)))
		}
	case "store":
		s.describeStore()
	case "changed":
		s.keeper.OnChanged(s, &env.Changed{Added: s.ids(d, "added"), Removed: s.ids(d, "removed"), Dead: s.ids(d, "dead")})
	}
}

func (s *story) come(d *datadriven.TestData) {
	from := s.ID(arg(d, "from", "me"))
	switch d.Cmd {
	case "arrive":
		s.arrive(d, from)
	case "deposit":
		s.keeper.OnDeposit(s, from, s.deposited(d))
	case "refresh":
		s.keeper.OnRefresh(s, from, s.refresh(d, from))
	case "listing":
		s.keeper.OnListing(s, from, s.listing(d, from))
	case "wanted":
		server := s.ID(arg(d, "server", "s"))
		s.keeper.OnWanted(s, from, &wire.Wanted{Server: server[:], Copy: copyOf(d), Prints: s.prints(s.branch(d, from, true))})
	case "reply":
		m := &wire.RefreshReply{Seq: s.asked[from], Differ: s.branchNames(d, "differ"), Stale: s.branchNames(d, "stale")}
		if d.HasArg("old") {
			m.Seq = 1
		}
		s.keeper.OnRefreshReply(s, from, m)
	}
}

// ---- what comes ----

func (s *story) arrive(d *datadriven.TestData, from idspace.ID) {
	guid, salt := s.ID(d.CmdArgs[0].Key), int(number(s.t, d, "salt", 0))
	server := arg(d, "server", "me")
	next := s.tables.Course(idspace.Hex.Salted(guid, salt, roots)).To
	if d.HasArg("next") {
		next = s.ID(arg(d, "next", ""))
	}
	m := &wire.Publish{
		Pointer: s.pointer(d, server, guid), Server: s.record(d, server), Salt: uint32(salt), Roots: roots,
		LeftS: uint32(number(s.t, d, "left", recordS)), Pulse: s.pulse(d, server),
	}
	if server == "me" {
		m.Pulse = s.keeper.Pulse(s.Now())
	}
	result, err := s.keeper.Arrive(s, tree.Arrival{Publish: m, From: from, Next: next, Latency: 20 * time.Millisecond})
	if err != nil {
		s.Line("error: %v", err)
		return
	}
	s.Line("%v, on to %s", result.Kind, s.Of(next))
}

func (s *story) deposited(d *datadriven.TestData) *wire.Deposit {
	server := arg(d, "server", "s")
	m := &wire.Deposit{Server: s.record(d, server), Copy: copyOf(d), Pulse: s.pulse(d, server)}
	for _, a := range d.CmdArgs {
		if strings.Contains(a.Key, "#") {
			guid, salt := s.salted(a.Key)
			m.Laid = append(m.Laid, &wire.Laid{
				Pointer: s.pointer(d, arg(d, "signer", server), guid), Salt: uint32(salt), Roots: roots,
				LeftS: uint32(number(s.t, d, "left", recordS)), LatencyUs: uint64(number(s.t, d, "latency", 1000)),
			})
		}
	}
	return m
}

func (s *story) refresh(d *datadriven.TestData, from idspace.ID) *wire.Refresh {
	m := &wire.Refresh{}
	if d.HasArg("asked") {
		m.Seq = 7
	}
	for _, dead := range s.ids(d, "dead") {
		ref := wire.ServerRefTo(dead)
		m.Dead = append(m.Dead, ref[:]...)
	}
	for _, sought := range s.ids(d, "sought") {
		ref := wire.ServerRefTo(sought)
		m.Asked = append(m.Asked, ref[:]...)
	}
	if !d.HasArg("server") {
		return m
	}
	server := arg(d, "server", "")
	pulse := s.pulse(d, server)
	b := wire.Branch{
		Server: wire.ServerRefTo(s.ID(server)), Copy: copyOf(d), Index: pulse.Index, Age: time.Duration(pulse.AgeMs) * time.Millisecond,
	}
	copy(b.Token[:], pulse.Token)
	if held := s.branch(d, from, false); held != nil {
		b.Count, b.Sum = held.Digest()
	}
	b.Count = uint32(number(s.t, d, "count", int64(b.Count)))
	m.Branches = wire.AppendBranch(nil, b)
	return m
}

func (s *story) listing(d *datadriven.TestData, from idspace.ID) *wire.Listing {
	server := s.ID(arg(d, "server", "s"))
	m := &wire.Listing{Server: server[:], Copy: copyOf(d), High: 1<<64 - 1, Pulse: s.pulse(d, arg(d, "server", "s"))}
	m.Prints = s.prints(s.branch(d, from, false))
	if d.HasArg("less") {
		m.Prints = m.Prints[8:]
	}
	if d.HasArg("more") {
		m.Prints = wire.AppendPrint(m.Prints, 42)
	}
	return m
}

func (s *story) prints(b *pointers.Branch) (packed []byte) {
	for i := 0; b != nil && i < b.Len(); i++ {
		packed = wire.AppendPrint(packed, b.At(i).Print())
	}
	return packed
}

func (s *story) branch(d *datadriven.TestData, peer idspace.ID, out bool) *pointers.Branch {
	if sv := s.store.Server(wire.ServerRefTo(s.ID(arg(d, "server", "s")))); sv != nil {
		return sv.Branch(peer, copyOf(d), out)
	}
	return nil
}

func (s *story) pointer(d *datadriven.TestData, server string, guid idspace.ID) *wire.SignedRecord {
	id := s.ID(server)
	rec := &wire.BatchRecord{
		Network: arg(d, "pointer-network", ""), Guid: guid[:], App: "app", Server: id[:], Withdrawn: d.HasArg("withdrawn"),
		LifeS: uint32(number(s.t, d, "life", recordS)),
	}
	if _, err := fmt.Sscanf(arg(d, "seq", "1.1"), "%d.%d", &rec.Generation, &rec.Counter); err != nil {
		s.t.Fatal(err)
	}
	if d.HasArg("many") {
		rec = envtest.Many(rec)
	}
	return envtest.Pointer(server, rec)
}

func (s *story) record(d *datadriven.TestData, server string) *wire.SignedRecord {
	server = arg(d, "record", server)
	s.ID(server)
	generation := uint64(number(s.t, d, "generation", 1))
	rec := &wire.NodeRecord{Network: arg(d, "network", envtest.Network), Peer: []byte(server), Generation: generation, Version: 1}
	if !d.HasArg("leaseless") {
		anchor := chainOf(server, generation).Anchor()
		rec.Lease = anchor[:]
	}
	return envtest.Seal(wire.NodeKind, server, rec)
}

func (s *story) pulse(d *datadriven.TestData, server string) *wire.Pulse {
	index := uint32(number(s.t, d, "token", 0))
	token := chainOf(arg(d, "record", server), uint64(number(s.t, d, "generation", 1))).Token(index)
	if d.HasArg("forged") {
		token[0] ^= 1
	}
	pulse := &wire.Pulse{Index: index, Token: token[:], AgeMs: uint32(span(s.t, arg(d, "age", "0s")).Milliseconds())}
	for _, door := range s.ids(d, "doors") {
		ref := wire.ServerRefTo(door)
		pulse.Doors = append(pulse.Doors, ref[:]...)
	}
	return pulse
}

// ---- what is there ----

func (s *story) describeStore() {
	for _, p := range s.store.Sorted() {
		left := p.Until().Sub(s.Now()).Round(time.Millisecond)
		if left > 24*time.Hour {
			left = p.Expires().Sub(s.Now())
		}
		line := fmt.Sprintf("%s of %s %v %v left=%v latency=%v", s.Of(p.GUID), s.Of(p.Server.ID), p.Sequence(), p.State, left, p.Latency)
		for _, l := range p.Laid() {
			arrow := "←"
			if l.Branch().Out {
				arrow = "→"
			}
			line += fmt.Sprintf(" %s#%d%s%s", l.Branch().Copy.Name(), l.Salt, arrow, s.Of(l.Branch().Peer))
		}
		s.Line("%s", line)
	}
	stats := s.store.Stats()
	s.Line("pointers=%d servers=%d refused=%d evicted=%d expired=%d", stats.Pointers, stats.Servers, stats.Refused, stats.Evicted, stats.Expired)
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

func number(t testing.TB, d *datadriven.TestData, name string, otherwise int64) int64 {
	n, err := strconv.ParseInt(arg(d, name, fmt.Sprint(otherwise)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func span(t testing.TB, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func copyOf(d *datadriven.TestData) wire.Copy {
	return wire.Copy(wire.Copy_value["COPY_"+strings.ToUpper(arg(d, "copy", "path"))])
}

// salted reads OBJECT#SALT.
func (s *story) salted(text string) (object idspace.ID, salt int) {
	name, digits, _ := strings.Cut(text, "#")
	salt, err := strconv.Atoi(digits)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.ID(name), salt
}

func (s *story) ids(d *datadriven.TestData, name string) (ids []idspace.ID) {
	for _, a := range d.CmdArgs {
		if a.Key == name {
			for _, v := range a.Vals {
				ids = append(ids, s.ID(v))
			}
		}
	}
	return ids
}

// branchNames reads SERVER/COPY.
func (s *story) branchNames(d *datadriven.TestData, name string) (packed []byte) {
	for _, a := range d.CmdArgs {
		for _, v := range a.Vals {
			if a.Key == name {
				server, kind, _ := strings.Cut(v, "/")
				packed = wire.AppendBranchName(packed, wire.BranchName{
					Server: wire.ServerRefTo(s.ID(server)), Copy: wire.Copy(wire.Copy_value["COPY_"+strings.ToUpper(kind)]),
				})
			}
		}
	}
	return packed
}
