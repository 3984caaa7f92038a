package envtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Env is the world of one machine.
type Env struct {
	Names
	Self idspace.ID

	now    mono.Time
	rng    *rand.Rand
	timers []timer // in order of due, then of setting
	ended  map[env.Call]int
	lines  []string
}

type timer struct {
	at  mono.Time
	key env.TimerKey
}

var _ env.Env = (*Env)(nil)

// New returns the world of the node with the given name. Its time begins at one second.
func New(self string) *Env {
	e := &Env{Names: make(Names), ended: make(map[env.Call]int), now: mono.Time(time.Second), rng: rand.New(rand.NewPCG(1, 2))}
	e.Self = e.ID(self)
	return e
}

// Names knows which name an ID came from.
type Names map[idspace.ID]string

// ID is the ID of a name; "-" and "" are no ID.
func (n Names) ID(name string) idspace.ID {
	if name == "" || name == "-" {
		return idspace.ID{}
	}
	id := idspace.Hash([]byte(name))
	n[id] = name
	return id
}

// Call registers id, whatever it is, under a name.
func (n Names) Call(id idspace.ID, name string) { n[id] = name }

// Of is the name of an ID, its first digits if it has none.
func (n Names) Of(id idspace.ID) string {
	if id.IsZero() {
		return "-"
	}
	if name, ok := n[id]; ok {
		return name
	}
	return id.Short()
}

// List is the names of IDs, separated by commas.
func (n Names) List(ids []idspace.ID) string {
	var names []string
	for _, id := range ids {
		names = append(names, n.Of(id))
	}
	return strings.Join(names, ",")
}

// Line writes a line down.
func (e *Env) Line(format string, args ...any) {
	e.lines = append(e.lines, fmt.Sprintf(format, args...))
}

// Drain returns the lines written since it was last called.
func (e *Env) Drain() string {
	var b strings.Builder
	for _, line := range e.lines {
		b.WriteString(line + "\n")
	}
	e.lines = nil
	return b.String()
}

// Now implements env.World.
func (e *Env) Now() mono.Time { return e.now }

// Rand implements env.World.
func (e *Env) Rand() *rand.Rand { return e.rng }

// Send implements env.World.
func (e *Env) Send(to idspace.ID, m wire.Message) { e.Line("send %s: %s", e.Of(to), wire.Describe(m)) }

// SendDial implements env.World.
func (e *Env) SendDial(to idspace.ID, m wire.Message) {
	e.Line("dial %s: %s", e.Of(to), wire.Describe(m))
}

// Post implements env.Env.
func (e *Env) Post(m env.Local) { e.Line("post %s", e.describeLocal(m)) }

// Deliver implements env.World.
func (e *Env) Deliver(d env.Delivery) {
	if o, ok := d.(*env.Outcome); ok {
		e.ended[o.Call]++
	}
	e.Line("deliver %s", e.describeDelivery(d))
}

// Ended is how many outcomes a call has had.
func (e *Env) Ended(call env.Call) int { return e.ended[call] }

// Emit implements env.World.
func (e *Env) Emit(ev env.Event) { e.Line("event %s", e.describeEvent(ev)) }

// Sign implements env.World. The key is the node's name.
func (e *Env) Sign(kind wire.RecordKind, payload []byte) *wire.SignedRecord {
	return &wire.SignedRecord{
		PublicKey: []byte(e.Of(e.Self)), PayloadType: []byte(kind), Payload: payload, Signature: make([]byte, 64),
	}
}

// SetTimer implements env.World.
func (e *Env) SetTimer(k env.TimerKey, d time.Duration) {
	e.StopTimer(k)
	at := e.now.Add(d)
	i := len(e.timers)
	for i > 0 && at.Before(e.timers[i-1].at) {
		i--
	}
	e.timers = slices.Insert(e.timers, i, timer{at, k})
}

// StopTimer implements env.World.
func (e *Env) StopTimer(k env.TimerKey) {
	e.timers = slices.DeleteFunc(e.timers, func(t timer) bool { return t.key == k })
}

// Timers is how many timers are set.
func (e *Env) Timers() int { return len(e.timers) }

// Pass lets time go by in which the machine does not run: timers stay due.
func (e *Env) Pass(d time.Duration) { e.now = e.now.Add(d) }

// Advance lets d pass and calls fire with the timers that come due, at their time.
func (e *Env) Advance(d time.Duration, fire func(env.TimerKey)) {
	end := e.now.Add(d)
	for len(e.timers) > 0 && !end.Before(e.timers[0].at) {
		t := e.timers[0]
		e.timers = e.timers[1:]
		e.now = max(e.now, t.at)
		fire(t.key)
	}
	e.now = end
}
