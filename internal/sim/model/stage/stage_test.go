package stage_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/stage"
)

const ms = time.Millisecond

// flat is a network in which every message takes 10 ms.
type flat struct{}

func (flat) OneWay(int, int) time.Duration { return 10 * ms }

// letter is a message of a size; the text says what it is.
type letter struct {
	text string
	size int
}

func (letter) Kind() string { return "letter" }
func (l letter) Size() int  { return l.size }

// scribe is a node that writes down what comes, and does what it is told.
type scribe struct {
	self  model.Peer
	world model.World
	log   *[]string
	keep  []model.Addr
}

func (s *scribe) note(w model.World, text string) {
	*s.log = append(*s.log, w.Now().Sub(stage.Start).String()+" "+text)
}
func (s *scribe) Join(w model.World, _ []model.Peer)                { s.world = w }
func (s *scribe) Leave(model.World)                                 {}
func (s *scribe) Begin(model.World, model.Request)                  {}
func (s *scribe) Step(w model.World, _ model.Addr, m model.Message) { s.note(w, m.(letter).text) }
func (s *scribe) OnTimer(w model.World, _ model.Timer)              { s.note(w, "timer") }
func (s *scribe) Closed(w model.World, _ model.Addr)                { s.note(w, "closed") }
func (s *scribe) Member() bool                                      { return true }
func (s *scribe) Links() []model.Addr                               { return s.keep }
func (s *scribe) Linked(at model.Addr) bool                         { return slices.Contains(s.keep, at) }

type room struct {
	*stage.Stage
	t   *testing.T
	log []string
}

func open(t *testing.T, cfg stage.Config) *room {
	r := &room{t: t}
	cfg.Delays = flat{}
	r.Stage = stage.New(cfg, model.Protocol{
		New:    func(self model.Peer) model.Node { return &scribe{self: self, log: &r.log} },
		Settle: func(model.Settled) {},
	})
	for i := range 3 {
		p := r.Add(idspace.Hash([]byte{byte(i)}), i)
		r.Join(p.At, nil)
	}
	return r
}

// send has node 0 send to node 1, now.
func (r *room) send(l letter) { r.with(0, func(w model.World) { w.Send(1, l) }) }

// with does something as if a node did it.
func (r *room) with(at model.Addr, do func(w model.World)) {
	r.Node(at).(*scribe).keep = []model.Addr{1 - at}
	r.within(at, do)
}

// within runs do and ends the step, so that what it sent leaves.
func (r *room) within(at model.Addr, do func(w model.World)) {
	do(r.Node(at).(*scribe).world)
	r.Stage.Begin(at, model.Request{})
}

func (r *room) expect(want ...string) {
	r.t.Helper()
	if !slices.Equal(r.log, want) {
		r.t.Errorf("got %q, want %q", r.log, want)
	}
	r.log = nil
}

func TestFirstMessagePaysForTheConnection(t *testing.T) {
	r := open(t, stage.Config{})
	r.send(letter{"a", 1})
	r.send(letter{"b", 1})
	r.Run(time.Second)
	r.expect("50ms a", "50ms b") // two round trips of 20 ms, and 10 ms
	r.send(letter{"c", 1})
	r.with(1, func(w model.World) {
		if rtt := w.RTT(0); rtt != 20*ms || w.RTT(2) != 0 {
			t.Errorf("round trip %v, and %v without a connection", rtt, w.RTT(2))
		}
		w.Send(0, letter{"d", 1})
	})
	r.Run(time.Second)
	r.expect("1.01s c", "1.01s d")
	if got := r.Totals(); got.Dials != 1 || got.Messages != 4 || got.Packets != 3 || got.Bytes != 4+3*stage.Overhead {
		t.Errorf("%+v", got)
	}
}

func TestStreamBringsWhatWasLostLateAndInOrder(t *testing.T) {
	for _, datagrams := range []bool{false, true} {
		r := open(t, stage.Config{Seed: 3, Loss: 0.3, Datagrams: datagrams})
		r.send(letter{"", 1})
		r.Run(10 * time.Second)
		r.log = nil
		for range 100 {
			r.send(letter{"x", 1})
		}
		r.Run(time.Minute)
		if got := len(r.log); datagrams && (got < 55 || got > 85) || !datagrams && got != 100 {
			t.Errorf("datagrams %v: %d of 100 came", datagrams, got)
		}
	}
}

func TestUplinkQueues(t *testing.T) {
	r := open(t, stage.Config{Bandwidth: 8000}) // 1000 bytes a second
	r.send(letter{"first", 440})
	r.Run(2 * time.Second)
	r.expect("550ms first") // 40 ms for the connection, 500 ms on the uplink, 10 ms
	r.send(letter{"a", 440})
	r.send(letter{"b", 440})
	r.Run(2 * time.Second)
	r.expect("2.51s a", "3.01s b")
	for range 10 {
		r.send(letter{"c", 940})
	}
	r.Run(time.Minute)
	if len(r.log) != 3 || r.Totals().Overdue != 7 {
		t.Errorf("%d of ten came, %d were thrown away; want 3 and 7", len(r.log), r.Totals().Overdue)
	}
}

func TestDeadNodeIsSilentUntilItComesBack(t *testing.T) {
	r := open(t, stage.Config{})
	r.send(letter{"a", 1})
	r.Run(time.Second)
	r.Crash(1)
	r.send(letter{"b", 1})
	r.Run(time.Second)
	r.expect("50ms a")
	r.Again(1)
	r.Join(1, nil)
	r.send(letter{"c", 1}) // on the connection to its life before
	r.Run(time.Second)
	r.expect("2.02s closed")
	r.send(letter{"d", 1})
	r.Run(time.Second)
	r.expect("3.05s d")
}

func TestDialOfNobodyGivesUp(t *testing.T) {
	r := open(t, stage.Config{})
	r.Crash(1)
	r.send(letter{"a", 1})
	r.Run(6 * time.Second)
	r.Again(1)
	r.Join(1, nil)
	r.send(letter{"b", 1})
	r.Run(time.Second)
	r.expect("6.05s b")
}

func TestOtherEndHearsOfAClose(t *testing.T) {
	r := open(t, stage.Config{})
	r.send(letter{"a", 1})
	r.Run(time.Second)
	r.with(0, func(w model.World) { w.Close(1) })
	r.Run(time.Second)
	r.expect("50ms a", "1.01s closed")
}

func TestConnectionThatNobodyKeepsCloses(t *testing.T) {
	r := open(t, stage.Config{})
	r.send(letter{"a", 1})
	r.Node(0).(*scribe).keep = nil
	r.Run(2 * time.Minute)
	r.send(letter{"b", 1})
	r.Run(10 * time.Minute) // node 0 keeps it now
	r.send(letter{"c", 1})
	r.Run(time.Second)
	r.expect("50ms a", "2m0.05s b", "12m0.01s c")
}

func TestPartitionAndStall(t *testing.T) {
	r := open(t, stage.Config{})
	r.send(letter{"a", 1})
	r.Run(time.Second)
	r.Partition(func(place int) bool { return place == 1 })
	r.send(letter{"b", 1})
	r.Run(time.Second)
	r.Partition(nil)
	r.Stall(1, 500*ms)
	r.send(letter{"c", 1})
	r.Run(time.Second)
	r.expect("50ms a", "2.5s c")
}

func TestTimerOfOneKeyIsReplacedOrStopped(t *testing.T) {
	r := open(t, stage.Config{})
	r.with(0, func(w model.World) {
		w.SetTimer(model.Timer{N: 1}, 10*ms)
		w.SetTimer(model.Timer{N: 1}, 30*ms)
		w.SetTimer(model.Timer{N: 2}, 20*ms)
		w.StopTimer(model.Timer{N: 2})
	})
	r.Run(time.Second)
	r.expect("30ms timer")
}
