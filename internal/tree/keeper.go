package tree

import (
	"fmt"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

// Router says who is next to this node.
type Router interface {
	Near(key idspace.ID) []idspace.ID
}

// Deps are the rooms below that a Keeper uses.
type Deps struct {
	Router Router
	Tables *surrogate.Tables
	Links  *links.Table
	Store  *pointers.Store
}

// Keeper is the machine. See the package comment.
type Keeper struct {
	cfg Config
	Deps

	began     mono.Time // when the lease's first token was made
	near      []byte    // the doors of this node
	doorsAt   mono.Time // when they were looked for, 0 if never
	links     []*link   // to whom something is laid, in order of their identifiers
	publisher Publisher // nil: none
	pace      pace
	sweep     sweep
	ending    []*pointers.Laid // to be taken off, in order of their ends but for those wanted again
	leaving   bool             // this node says goodbye: what lies where stays as it is
	handOvers []*handOver
	vigils    []vigil
	servings  []*serving // batches of this node's own that are being laid, in order
	duties    map[uint64]*duty
	owed      map[question]bool // by duties
	lastDuty  uint64
	asks      []*asked
	armed     [timerKinds]mono.Time
}

// The timers of this room.
const (
	timerToken  uint8 = iota // the next token is revealed
	timerLinks               // somebody is to be told something
	timerSweep               // next hops are to be looked at
	timerExpire              // pointers run out
	timerEnds                // pointers are to be taken off
	timerLook                // a period is over since next hops were looked at
	timerServe               // the next portion of a batch is to be laid
	timerAsks                // somebody has not answered in time
	timerKinds
)

// step is the pause between two portions of long work.
const step = 10 * time.Millisecond

// New returns a Keeper; cfg must be valid.
func New(cfg Config, deps Deps) *Keeper {
	return &Keeper{cfg: cfg.withDefaults(), Deps: deps, pace: newPace(), duties: make(map[uint64]*duty), owed: make(map[question]bool)}
}

// OnTimer is called with a timer that this machine set.
func (k *Keeper) OnTimer(e env.Env, t env.TimerKey) {
	k.armed[t.What] = 0
	switch t.What {
	case timerToken:
		k.onToken(e)
	case timerLinks:
		k.onLinks(e)
	case timerSweep:
		k.onSweep(e)
	case timerExpire:
		k.onExpire(e)
	case timerEnds:
		k.onEnds(e)
	case timerLook:
		k.startSweep(e) // next hops change without a word when round trips do
		k.armLook(e)
	case timerServe:
		k.onServe(e)
	case timerAsks:
		k.onAsks(e)
	default:
		panic(fmt.Sprintf("tree: timer %d is not of this room", t.What))
	}
	k.flush(e)
}

// arm sets a timer unless it is set for an earlier time already.
func (k *Keeper) arm(e env.Env, what uint8, at mono.Time) {
	at = max(at, e.Now())
	if set := k.armed[what]; set != 0 && set <= at {
		return
	}
	k.armed[what] = at
	e.SetTimer(env.TimerKey{Room: env.Tree, What: what}, at.Sub(e.Now()))
}

// onExpire forgets pointers that no token has spoken for.
func (k *Keeper) onExpire(e env.Env) {
	gone, off := k.Store.Expire(e.Now(), k.cfg.Portion)
	for _, p := range gone {
		e.Emit(&env.Removed{GUID: p.GUID, Server: p.Server.ID, Why: "expired"})
	}
	for _, l := range off {
		k.leavePath(e, l)
	}
	k.armExpiry(e, step)
}

// armExpiry has onExpire called when the next pointer runs out, no sooner than after pause.
func (k *Keeper) armExpiry(e env.Env, pause time.Duration) {
	if at, ok := k.Store.NextExpiry(); ok && at < never {
		k.arm(e, timerExpire, max(at, e.Now().Add(pause)))
	}
}

// never is the deadline of what this node serves itself.
const never = mono.Time(1 << 62)

// word is what a message says of a server's lease.
type word struct {
	index uint32
	token []byte
	age   time.Duration // of the token
	coord wire.Coord    // where the server was when it was made
	doors []byte        // by whom it was reached when its pointers were laid last, if that is said
}

func wordOf(s *wire.Pulse) word {
	return word{s.Index, s.Token, time.Duration(s.AgeMs) * time.Millisecond, wire.CoordIn(s.Coord), s.Doors}
}

// Pulse is the newest token of this node's own lease: the first begins it.
func (k *Keeper) Pulse(now mono.Time) *wire.Pulse {
	if k.cfg.Lease == nil {
		return &wire.Pulse{Token: make([]byte, lease.Size)}
	}
	if k.began == 0 {
		k.began = max(now, 1)
	}
	lasts := now.Sub(k.began)
	index := uint32(lasts / lease.Period)
	token := k.cfg.Lease.Token(index)
	return &wire.Pulse{
		Index: index, Token: token[:], AgeMs: uint32((lasts % lease.Period).Milliseconds()), Coord: k.Links.Coord(), Doors: k.doors(now),
	}
}

// doors are the neighbors by which this node is reached, looked at once a period.
func (k *Keeper) doors(now mono.Time) []byte {
	if k.cfg.NoDoors {
		return nil
	}
	if k.doorsAt == 0 || now.Sub(k.doorsAt) >= lease.Period {
		k.doorsAt, k.near = max(now, 1), k.Links.Doors(wire.MaxDoors)
	}
	return k.near
}

// pulse is the newest token of a server that this node has.
func (k *Keeper) pulse(e env.Env, sv *pointers.Server) *wire.Pulse {
	if sv.ID == k.cfg.Self {
		return k.Pulse(e.Now())
	}
	index, token, _ := sv.Lease.Newest()
	return &wire.Pulse{Index: index, Token: token[:], AgeMs: uint32(k.age(e, sv).Milliseconds()), Coord: sv.Coord.Packed(), Doors: sv.Doors}
}

// age is how old the newest token of a server is, by those who have laid its pointers here.
func (k *Keeper) age(e env.Env, sv *pointers.Server) time.Duration {
	if sv.ID == k.cfg.Self {
		return time.Duration(k.Pulse(e.Now()).AgeMs) * time.Millisecond
	}
	until := mono.Time(0)
	for _, b := range sv.Branches() {
		until = max(until, b.Until())
	}
	return max(e.Now().Add(lease.Life).Sub(until), 0)
}

// where is where a server was when it made its newest token.
func (k *Keeper) where(sv *pointers.Server) wire.Coord {
	if sv.ID == k.cfg.Self {
		return wire.CoordIn(k.Links.Coord())
	}
	return sv.Coord
}

// own is this node as a server, with its newest token.
func (k *Keeper) own(e env.Env) *pointers.Server {
	node, err := k.cfg.Record.Node()
	if err != nil {
		panic(fmt.Sprintf("tree: this node's own record: %v", err))
	}
	sv := k.Store.Meet(k.cfg.Self, k.cfg.Record, node)
	k.take(e, sv, wordOf(k.Pulse(e.Now())), lease.Length)
	return sv
}

// onToken reveals the next token of this node's lease.
func (k *Keeper) onToken(e env.Env) {
	if sv := k.Store.Server(wire.ServerRefTo(k.cfg.Self)); sv != nil {
		k.own(e)
		k.armToken(e)
	}
}

// armLook has next hops looked at once a period while there are pointers.
func (k *Keeper) armLook(e env.Env) {
	if k.Store.Len() > 0 {
		k.arm(e, timerLook, e.Now().Add(lease.Period))
	}
}

func (k *Keeper) armToken(e env.Env) {
	if pulse := k.Pulse(e.Now()); k.began != 0 {
		k.arm(e, timerToken, k.began.Add(time.Duration(pulse.Index+1)*lease.Period))
	}
}

// take checks a server's token, and says until when what it speaks for counts: as long as its
// age, by the word of whoever brings it and by what is known here, allows. One that is newer than
// what was known is told on, and shows that the server lives, whoever has said otherwise.
func (k *Keeper) take(e env.Env, sv *pointers.Server, w word, most uint32) (until mono.Time, ok bool) {
	anchor, ok := sv.Anchor()
	if !ok {
		return 0, false
	}
	before, _, _ := sv.Lease.Newest()
	another := !sv.Lease.Of(anchor)
	made, ok := sv.Lease.Take(anchor, w.index, lease.Token(w.token), e.Now(), most)
	if !ok {
		return 0, false
	}
	if w.coord.Known() && (another || w.index >= before || !sv.Coord.Known()) {
		sv.Coord = w.coord
	}
	if len(w.doors) > 0 && (another || w.index >= before) {
		sv.Doors = w.doors
	}
	if another || w.index > before {
		for _, b := range sv.Branches() {
			if b.Out {
				k.soon(e, k.link(b.Peer))
			}
		}
	}
	made = min(made, e.Now().Add(-w.age))
	k.revive(e, sv, made)
	return made.Add(lease.Life), true
}

// revive takes back that a server which has shown that it lived at some time was found dead before.
func (k *Keeper) revive(e env.Env, sv *pointers.Server, at mono.Time) {
	revived := k.Store.Revive(sv, at)
	for _, p := range revived {
		e.Emit(&env.Stored{GUID: p.GUID, Server: sv.ID})
	}
	if len(revived) > 0 {
		k.startSweep(e) // nobody looked after them while they were hidden
	}
}

// OnSelf takes this node's new record, and tells it to all who hold something of it: whoever
// finds that should not dial addresses of yesterday.
func (k *Keeper) OnSelf(e env.Env, m *env.SelfChanged) {
	k.cfg.Record = m.Record
	if m.Lease != nil {
		k.cfg.Lease, k.began = m.Lease, 0
	}
	if sv := k.Store.Server(wire.ServerRefTo(k.cfg.Self)); sv != nil {
		k.introduce(e, k.own(e), idspace.ID{})
		k.armToken(e)
	}
}

// introduce sends the record of a server to all to whom its pointers were laid, but for one.
func (k *Keeper) introduce(e env.Env, sv *pointers.Server, except idspace.ID) {
	var told []idspace.ID
	for _, b := range sv.Branches() {
		if b.Out && b.Peer != except && !slices.Contains(told, b.Peer) {
			told = append(told, b.Peer)
			e.Send(b.Peer, k.deposit(e, sv, wire.Copy_COPY_PATH))
		}
	}
}

// brief is one along a branch, which says nothing of the server that the peer is known to have. Without a branch it says all.
func (k *Keeper) brief(e env.Env, sv *pointers.Server, copy wire.Copy, on *pointers.Branch) *wire.Deposit {
	m := k.deposit(e, sv, copy)
	if on == nil {
		return m
	}
	on.Sent = pointers.Introduction{Record: sv.Record, Doors: string(m.Pulse.Doors)}
	if on.Sent.Record == on.Known.Record {
		ref := wire.ServerRefTo(sv.ID)
		m.Server, m.Ref = nil, ref[:]
	}
	if on.Sent.Doors == on.Known.Doors {
		m.Pulse.Doors = nil
	}
	return m
}

// deposit is a message about a server that brings no pointers yet.
func (k *Keeper) deposit(e env.Env, sv *pointers.Server, copy wire.Copy) *wire.Deposit {
	return &wire.Deposit{Server: sv.Record, Copy: copy, Pulse: k.pulse(e, sv)}
}
