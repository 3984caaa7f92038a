package tree

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Whoever publishes a batch wants to know when it is where it ought to be, and no request of its goes there that could be
// answered. So a deposit may ask: its receiver answers when those have answered to whom it has passed on what came with it, and the
// root for itself. Nobody waits for longer than the one before it, and what is not known to have arrived by then is said to be missing.

// duty is an answer that this node owes: to a neighbor, or about a batch to its own publisher.
type duty struct {
	to      idspace.ID
	ask     uint64    // by what they call it
	left    int       // pointers of which it is not known yet, and one more while the deposit is read
	missing []byte    // prints of those that are not known to be at their roots
	refused []byte    // prints of those that somebody on their way does not take
	until   mono.Time // the neighbor waits no longer; it is tried again no longer
}

// fate is what has become of a pointer on its way to a root.
type fate uint8

const (
	arrived fate = iota
	lost         // it is not known to have arrived: another try may help
	refused      // somebody on its way has no room for it, or has something newer
)

// question is what a duty answers.
type question struct {
	by  idspace.ID
	ask uint64
}

// asked is a deposit that a neighbor is to answer.
type asked struct {
	id    uint64
	peer  idspace.ID
	laid  []*pointers.Laid
	until mono.Time
}

// owes begins a duty; fulfil ends it when nothing is left. There is none, 0, for a question that has come twice: what came first answers it.
func (k *Keeper) owes(to idspace.ID, ask uint64, until mono.Time) (id uint64) {
	if k.owed[question{to, ask}] {
		return 0
	}
	k.owed[question{to, ask}] = true
	k.lastDuty++
	k.duties[k.lastDuty] = &duty{to: to, ask: ask, left: 1, until: until}
	return k.lastDuty
}

// fulfil answers a duty of which nothing is left, after one pointer less is.
func (k *Keeper) fulfil(e env.Env, id uint64) {
	d := k.duties[id]
	if d.left--; d.left > 0 {
		return
	}
	delete(k.duties, id)
	delete(k.owed, question{d.to, d.ask})
	if d.to != k.cfg.Self {
		e.Send(d.to, &wire.Placed{Ask: d.ask, Missing: d.missing, Refused: d.refused})
	}
}

// owe has a pointer that was taken in along a path be a matter of a duty: it is known of it when it is known of where it goes on to.
func (k *Keeper) owe(e env.Env, id uint64, p *pointers.Pointer, salt, roots int) {
	d := k.duties[id]
	d.left++
	onward := p.Onward(salt, roots)
	if onward == nil {
		end := lost
		if hop := k.course(p, salt, roots); !hop.Wait && hop.To == k.cfg.Self {
			end = arrived
		}
		k.word(e, id, p.GUID, p.PrintUnder(salt, roots), end)
		return
	}
	if onward.Duty != 0 {
		k.conclude(e, onward, lost) // it is asked for anew
	}
	onward.Duty, onward.Ask = id, 0
	k.enqueue(onward)
}

// refuse has what a deposit lays, and is not taken in as that, be known to be refused.
func (k *Keeper) refuse(e env.Env, id uint64, d pointers.Deposit) {
	k.duties[id].left++
	k.word(e, id, d.Key().GUID, d.Print(), refused)
}

// word takes the word on a pointer of a duty.
func (k *Keeper) word(e env.Env, id uint64, guid idspace.ID, print uint64, end fate) {
	d := k.duties[id]
	switch {
	case d.to == k.cfg.Self:
		k.publisher.OnPlaced(e, d.ask, guid, end == arrived)
	case end == lost:
		d.missing = wire.AppendPrint(d.missing, print)
	case end == refused:
		d.refused = wire.AppendPrint(d.refused, print)
	}
	k.fulfil(e, id)
}

// conclude ends the wait for the word on a pointer that was passed on.
func (k *Keeper) conclude(e env.Env, l *pointers.Laid, end fate) {
	id := l.Duty
	l.Duty, l.Ask = 0, 0
	if id != 0 {
		k.word(e, id, l.GUID, l.Print(), end)
	}
}

// missed takes the word that a pointer has not arrived, or that there is none. What this node serves itself is laid again, for a while.
func (k *Keeper) missed(e env.Env, l *pointers.Laid) {
	d := k.duties[l.Duty]
	if d != nil && d.to == k.cfg.Self && l.Branch() != nil && l.Ends == 0 && e.Now() < d.until {
		l.Ask = 0
		k.enqueueLater(e, l)
		return
	}
	k.conclude(e, l, lost)
}

// inherits has one place of a pointer stand for another: its path goes on elsewhere.
func (k *Keeper) inherits(e env.Env, l, old *pointers.Laid) {
	if old.Duty == 0 {
		return
	}
	if l.Duty != 0 {
		k.conclude(e, l, lost)
	}
	l.Duty, l.Ask = old.Duty, 0
	old.Duty, old.Ask = 0, 0
	k.enqueue(l)
}

// ask has a deposit answered about those of its pointers that somebody waits for, if he waits long enough.
func (k *Keeper) ask(e env.Env, to idspace.ID, m *wire.Deposit, laid []*pointers.Laid) {
	a := &asked{peer: to}
	wait := k.cfg.Patience
	for _, l := range laid {
		if l.Duty == 0 {
			continue
		}
		if d := k.duties[l.Duty]; d.to != k.cfg.Self {
			left := d.until.Sub(e.Now()) * 3 / 4 // the rest is for the way back
			if left < minPatience {
				k.conclude(e, l, lost)
				continue
			}
			wait = min(wait, left)
		}
		a.laid = append(a.laid, l)
	}
	if len(a.laid) == 0 {
		return
	}
	a.id, a.until = e.Rand().Uint64()|1, e.Now().Add(wait)
	for _, l := range a.laid {
		l.Ask = a.id
	}
	m.Ask, m.PatienceMs = a.id, uint32(wait.Milliseconds())
	k.asks = append(k.asks, a)
	k.arm(e, timerAsks, a.until)
}

// minPatience is the least that a neighbor is given, so that no question goes around for ever; maxPatience is the most that one is
// believed to have.
const (
	minPatience = 100 * time.Millisecond
	maxPatience = time.Minute
)

// OnPlaced takes a neighbor's word on what it was asked to pass on.
func (k *Keeper) OnPlaced(e env.Env, from idspace.ID, m *wire.Placed) {
	i := slices.IndexFunc(k.asks, func(a *asked) bool { return a.id == m.Ask && a.peer == from })
	if i < 0 {
		return // its time is over
	}
	a := k.asks[i]
	k.asks = slices.Delete(k.asks, i, i+1)
	ends := make(map[uint64]fate) // of those that have not arrived
	for _, print := range wire.Prints(m.Missing) {
		ends[print] = lost
	}
	for _, print := range wire.Prints(m.Refused) {
		ends[print] = refused
	}
	for _, l := range a.laid {
		switch {
		case l.Duty == 0 || l.Ask != a.id:
		case ends[l.Print()] == lost:
			k.missed(e, l)
		default:
			k.conclude(e, l, ends[l.Print()])
		}
	}
	k.flush(e)
}

// onAsks gives up those who have not answered in time.
func (k *Keeper) onAsks(e env.Env) {
	next := never
	k.asks = slices.DeleteFunc(k.asks, func(a *asked) bool {
		if a.until > e.Now() {
			next = min(next, a.until)
			return false
		}
		for _, l := range a.laid {
			if l.Duty != 0 && l.Ask == a.id {
				k.missed(e, l)
			}
		}
		return true
	})
	if next < never {
		k.arm(e, timerAsks, next)
	}
}
