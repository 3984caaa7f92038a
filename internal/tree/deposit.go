package tree

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// offer is a pointer that is laid here. The world has checked that its records are signed, the
// pointer by the server that it names.
type offer struct {
	server  *pointers.Server
	until   mono.Time // as long as its server's newest token makes it count
	from    idspace.ID
	copy    wire.Copy
	signed  *wire.SignedRecord
	record  *wire.BatchRecord // what signed says
	lot     *pointers.Lot     // if that is of several objects: what the pointer is of,
	item    int32             // and where
	salt    int
	roots   int
	left    time.Duration
	latency time.Duration // negative: unknown
}

// meet finds the server that a node record is of, and checks the token that comes with it.
func (k *Keeper) meet(e env.Env, signed *wire.SignedRecord, from idspace.ID, w word) (sv *pointers.Server, until mono.Time, err error) {
	node, err := signed.Node()
	if err != nil {
		return nil, 0, err
	}
	id := k.cfg.Space.Truncate(node.ID())
	switch {
	case node.Network != k.cfg.Network:
		return nil, 0, fmt.Errorf("record of network %q", node.Network)
	case id == k.cfg.Self && from == k.cfg.Self:
		return k.own(e), never, nil
	case id == k.cfg.Self: // it is this node's heir, perhaps; that may change without a word
		return k.own(e), e.Now().Add(lease.Life), nil
	}
	sv = k.Store.Meet(id, signed, node)
	until, ok := k.take(e, sv, w, lease.Length)
	if !ok {
		return sv, 0, errors.New("no token of the server's lease")
	}
	return sv, until, nil
}

// put takes an offer in.
func (k *Keeper) put(e env.Env, o offer) pointers.Result {
	d := k.read(o)
	if o.from != k.cfg.Self && o.server.ID == k.cfg.Self && !k.serves(d.Key()) {
		return pointers.Result{Kind: pointers.Ignored} // of an earlier life
	}
	result := k.Store.Put(d, e.Now())
	k.report(e, d, result)
	k.armExpiry(e, 0)
	k.armLook(e)
	return result
}

// serves reports whether this node has laid a pointer to itself, or a tombstone of it, here.
func (k *Keeper) serves(key pointers.Key) bool {
	p := k.Store.Find(key, k.cfg.Self)
	return p != nil && slices.ContainsFunc(p.Laid(), func(l *pointers.Laid) bool { return l.Branch().Peer == k.cfg.Self })
}

// open reads the header of a batch that its server is said to have signed.
func (k *Keeper) open(signed *wire.SignedRecord, server *pointers.Server) (*wire.BatchRecord, error) {
	rec, err := signed.Batch()
	switch {
	case err != nil:
		return nil, err
	case rec.Network != k.cfg.Network:
		return nil, fmt.Errorf("record of network %q", rec.Network)
	case wire.ID(rec.Server) != server.ID:
		return nil, fmt.Errorf("pointer to %s with the node record of %s", wire.ID(rec.Server).Short(), server.ID.Short())
	}
	return rec, nil
}

// read puts an offer as a deposit.
func (k *Keeper) read(o offer) pointers.Deposit {
	return pointers.Deposit{
		Signed: o.signed, Record: o.record, Lot: o.lot, Item: o.item, Server: o.server, Copy: o.copy, Salt: o.salt, Roots: o.roots,
		From: o.from, Latency: o.latency, Left: min(o.left, seconds(o.record.LifeS), k.cfg.MaxLife), Until: o.until,
	}
}

func seconds(s uint32) time.Duration { return time.Duration(s) * time.Second }

// report tells the observers what became of a deposit.
func (k *Keeper) report(e env.Env, d pointers.Deposit, result pointers.Result) {
	guid, server := d.Key().GUID, d.Server.ID
	if gone := result.Evicted; gone != nil {
		e.Emit(&env.Removed{GUID: gone.GUID, Server: gone.Server.ID, Why: "evicted"})
	}
	switch {
	case result.Kind == pointers.Full:
		e.Emit(&env.Dropped{Why: "publish: limit", Peer: server})
	case result.Kind == pointers.Renewed && result.Was == pointers.Live:
		if result.State == pointers.Withdrawn {
			e.Emit(&env.Removed{GUID: guid, Server: server, Why: "withdrawn"})
		}
	case result.Kind <= pointers.Renewed && result.State == pointers.Live:
		e.Emit(&env.Stored{GUID: guid, Server: server})
	}
}

// latency is how far the server of a pointer is from here.
func (k *Keeper) latency(p *pointers.Pointer) time.Duration {
	if p.Server.ID == k.cfg.Self {
		return 0
	}
	if rtt, ok := k.Links.RTT(p.Server.ID); ok {
		return rtt
	}
	return p.Latency
}

// Arrival is a routed publish at this node.
type Arrival struct {
	Publish *wire.Publish
	From    idspace.ID    // the hop before; this node itself at the origin
	Next    idspace.ID    // where it goes on to; this node itself at the root
	Latency time.Duration // of the way that it has come
}

// Arrive deposits what a routed publish brings (JSAC Fig. 2), and sees to the copies that lie
// beside its path. The request itself goes on to the next hop.
func (k *Keeper) Arrive(e env.Env, a Arrival) (pointers.Result, error) {
	m := a.Publish
	sv, until, err := k.meet(e, m.Server, a.From, wordOf(m.Pulse))
	if err != nil {
		return pointers.Result{}, err
	}
	rec, err := k.open(m.Pointer, sv)
	switch {
	case err != nil:
		return pointers.Result{}, err
	case rec.Objects() != 1:
		return pointers.Result{}, fmt.Errorf("batch of %d objects where a single one is due", rec.Objects())
	}
	o := offer{
		server: sv, until: until, from: a.From, copy: wire.Copy_COPY_PATH, signed: m.Pointer, record: rec,
		salt: int(m.Salt), roots: int(m.Roots), left: seconds(m.LeftS), latency: a.Latency,
	}
	if rtt, ok := k.Links.RTT(sv.ID); ok {
		o.latency = rtt
	}
	result := k.put(e, o)
	if result.Pointer != nil && result.Kind != pointers.Older {
		k.passed(e, result, o, a.Next)
		if sv.ID == k.cfg.Self {
			k.armToken(e)
		}
	}
	k.flush(e)
	return result, nil
}

// OnDeposit takes what a neighbor lays here, and passes it on where it is news.
func (k *Keeper) OnDeposit(e env.Env, from idspace.ID, m *wire.Deposit) {
	if m.Server == nil {
		k.depositOf(e, from, m)
		return
	}
	held := k.heldRecord(m)
	sv, until, err := k.meet(e, m.Server, from, wordOf(m.Pulse))
	switch {
	case err != nil && m.Copy != wire.Copy_COPY_NEWER && sv != nil && held != nil && sv.Record == held:
		e.Send(from, k.deposit(e, sv, wire.Copy_COPY_NEWER)) // its record is of an earlier life, perhaps
		return
	case err != nil:
		e.Emit(&env.Dropped{Why: "deposit: bad record", Peer: from})
		return
	case held != nil && sv.Record != held:
		k.introduce(e, sv, from)
	}
	k.laidHere(e, m, offer{server: sv, until: until, from: from, copy: m.Copy})
}

// depositOf takes a deposit of a server whose record is here, by the word of who has laid something of it here before. If that is wrong the
// digest that follows says so, and the record comes.
func (k *Keeper) depositOf(e env.Env, from idspace.ID, m *wire.Deposit) {
	sv := k.Store.Server(wire.ServerRef(m.Ref))
	if sv == nil {
		e.Emit(&env.Dropped{Why: "deposit: no record", Peer: from})
		return
	}
	until, ok := e.Now().Add(lease.Life), true // of this node itself as in meet
	if sv.ID != k.cfg.Self {
		until, ok = k.take(e, sv, wordOf(m.Pulse), lease.Length)
	}
	if !ok {
		e.Emit(&env.Dropped{Why: "deposit: bad record", Peer: from})
		return
	}
	k.laidHere(e, m, offer{server: sv, until: until, from: from, copy: m.Copy})
}

// laidHere takes the pointers of a deposit in; o says of whom and whence.
func (k *Keeper) laidHere(e env.Env, m *wire.Deposit, o offer) {
	from := o.from
	back := &bundle{server: o.server, copy: wire.Copy_COPY_NEWER}
	duty := uint64(0)
	if m.Ask != 0 {
		duty = k.owes(from, m.Ask, e.Now().Add(min(time.Duration(m.PatienceMs)*time.Millisecond, maxPatience)))
	}
	for _, l := range m.Laid {
		k.layOne(e, o, l, duty, back)
	}
	for _, part := range m.Parts {
		k.layPart(e, o, part, duty, back)
	}
	if duty != 0 {
		k.fulfil(e, duty)
	}
	if m.Copy != wire.Copy_COPY_NEWER {
		k.sendAll(e, from, back)
	}
	k.flush(e)
}

// layOne takes one pointer of a deposit; what is newer here goes back.
func (k *Keeper) layOne(e env.Env, o offer, l *wire.Laid, duty uint64, back *bundle) {
	rec, err := k.open(l.Pointer, o.server)
	if err != nil {
		e.Emit(&env.Dropped{Why: "deposit: bad record", Peer: o.from})
		return
	}
	d, err := pointers.Alone(k.cfg.Space, l.Pointer, rec, l.Under, l.Proof)
	if err != nil {
		e.Emit(&env.Dropped{Why: "deposit: bad proof", Peer: o.from})
		return
	}
	o.signed, o.record, o.lot, o.item, o.salt, o.roots = d.Signed, rec, d.Lot, d.Item, int(l.Salt), int(l.Roots)
	o.left, o.latency = seconds(l.LeftS), k.along(o.from, l.LatencyUs)
	k.renewHeader(e, o, back)
	k.lay(e, o, duty, back)
}

// layPart takes the pointers of a part of a batch.
func (k *Keeper) layPart(e env.Env, o offer, part *wire.BatchPart, duty uint64, back *bundle) {
	rec, err := k.open(part.Header, o.server)
	if err != nil {
		e.Emit(&env.Dropped{Why: "deposit: bad record", Peer: o.from})
		return
	}
	o.signed, o.record, o.roots = part.Header, rec, rec.Salts()
	o.left, o.latency = seconds(part.LeftS), k.along(o.from, part.LatencyUs)
	if len(part.Lists) == 0 {
		k.renewHeader(e, o, back)
		return
	}
	opened, err := batch.Open(k.cfg.Space, rec, part.Lists)
	if err != nil {
		e.Emit(&env.Dropped{Why: "deposit: bad proof", Peer: o.from})
		return
	}
	k.renewHeader(e, o, back)
	for salt, run := range opened.Runs() {
		if run == nil {
			continue
		}
		o.salt, o.lot = salt, pointers.NewLot(part.Header, rec, run)
		for o.item = range o.lot.Objects() {
			k.lay(e, o, duty, back)
		}
		o.lot.Tidy()
	}
}

// heldRecord is the record that is known of the server of a deposit, nil if there is none.
func (k *Keeper) heldRecord(m *wire.Deposit) *wire.SignedRecord {
	node, err := m.Server.Node()
	if err != nil {
		return nil
	}
	if sv := k.Store.Server(wire.ServerRefTo(k.cfg.Space.Truncate(node.ID()))); sv != nil {
		return sv.Record
	}
	return nil
}

// along is how far a server is that is so far from a neighbor.
func (k *Keeper) along(from idspace.ID, us uint64) time.Duration {
	rtt, _ := k.Links.RTT(from)
	return rtt + time.Duration(min(us, maxLatency))*time.Microsecond
}

// maxLatency bounds what a peer may claim, in microseconds.
const maxLatency = uint64(time.Hour / time.Microsecond)

// lay takes one pointer in, as a matter of a duty if there is one. If there is a newer record of it here, that goes back.
func (k *Keeper) lay(e env.Env, o offer, duty uint64, back *bundle) {
	if o.copy == wire.Copy_COPY_NEWER {
		k.renew(e, o)
		return
	}
	result := k.put(e, o)
	switch {
	case result.Kind == pointers.Older:
		back.add(nil, result.Pointer, o.salt, o.roots)
	case result.Kind == pointers.Full:
		if b := o.server.Branch(o.from, o.copy, false); b != nil {
			b.Short = e.Now().Add(lease.Life)
		}
	case result.Pointer != nil:
		k.received(e, result, o)
	}
	switch {
	case duty == 0 || o.copy != wire.Copy_COPY_PATH:
	case result.Pointer != nil && result.Kind != pointers.Older:
		k.owe(e, duty, result.Pointer, o.salt, o.roots)
	default:
		k.refuse(e, duty, k.read(o))
	}
}

// renew takes a newer record of what is held here.
func (k *Keeper) renew(e env.Env, o offer) {
	p, ok := k.Store.Renew(k.read(o), e.Now())
	if !ok {
		return
	}
	if k.spread(p); p.State == pointers.Withdrawn {
		e.Emit(&env.Removed{GUID: p.GUID, Server: p.Server.ID, Why: "withdrawn"})
	}
}
