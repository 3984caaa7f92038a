package tree

import (
	"errors"
	"fmt"
	"slices"
	"time"

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
func (k *Keeper) put(e env.Env, o offer) (pointers.Result, error) {
	d, err := k.read(o)
	if err != nil {
		return pointers.Result{}, err
	}
	if o.from != k.cfg.Self && o.server.ID == k.cfg.Self && !k.serves(d.Record) {
		return pointers.Result{Kind: pointers.Ignored}, nil // of an earlier life
	}
	result := k.Store.Put(d, e.Now())
	k.report(e, d, result)
	k.armExpiry(e, 0)
	k.armLook(e)
	return result, nil
}

// serves reports whether this node has laid a pointer to itself, or a tombstone of it, here.
func (k *Keeper) serves(rec *wire.BatchRecord) bool {
	p := k.Store.Find(pointers.Key{GUID: wire.ID(rec.Guid), App: rec.App}, k.cfg.Self)
	return p != nil && slices.ContainsFunc(p.Laid(), func(l *pointers.Laid) bool { return l.Branch().Peer == k.cfg.Self })
}

// read checks an offer's record, and puts it as a deposit.
func (k *Keeper) read(o offer) (d pointers.Deposit, err error) {
	rec, err := o.signed.Pointer()
	if err != nil {
		return d, err
	}
	switch {
	case rec.Network != k.cfg.Network:
		return d, fmt.Errorf("record of network %q", rec.Network)
	case wire.ID(rec.Server) != o.server.ID:
		return d, fmt.Errorf("pointer to %s with the node record of %s", wire.ID(rec.Server).Short(), o.server.ID.Short())
	}
	return pointers.Deposit{
		Signed: o.signed, Record: rec, Server: o.server, Copy: o.copy, Salt: o.salt, Roots: o.roots, From: o.from,
		Latency: o.latency, Left: min(o.left, seconds(rec.LifeS), k.cfg.MaxLife), Until: o.until,
	}, nil
}

func seconds(s uint32) time.Duration { return time.Duration(s) * time.Second }

// report tells the observers what became of a deposit.
func (k *Keeper) report(e env.Env, d pointers.Deposit, result pointers.Result) {
	guid, server := wire.ID(d.Record.Guid), d.Server.ID
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
	o := offer{
		server: sv, until: until, from: a.From, copy: wire.Copy_COPY_PATH, signed: m.Pointer,
		salt: int(m.Salt), roots: int(m.Roots), left: seconds(m.LeftS), latency: a.Latency,
	}
	if rtt, ok := k.Links.RTT(sv.ID); ok {
		o.latency = rtt
	}
	result, err := k.put(e, o)
	if err == nil && result.Pointer != nil && result.Kind != pointers.Older {
		k.passed(e, result, o, a.Next)
		if sv.ID == k.cfg.Self {
			k.armToken(e)
		}
	}
	k.flush(e)
	return result, err
}

// OnDeposit takes what a neighbor lays here, and passes it on where it is news.
func (k *Keeper) OnDeposit(e env.Env, from idspace.ID, m *wire.Deposit) {
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
	back := k.deposit(e, sv, wire.Copy_COPY_NEWER)
	for _, l := range m.Laid {
		o := offer{
			server: sv, until: until, from: from, copy: m.Copy, signed: l.Pointer, salt: int(l.Salt), roots: int(l.Roots),
			left: seconds(l.LeftS), latency: k.along(from, l.LatencyUs),
		}
		if older := k.lay(e, o); older != nil {
			back.Laid = append(back.Laid, older)
		}
	}
	if len(back.Laid) > 0 && m.Copy != wire.Copy_COPY_NEWER {
		e.Send(from, back)
	}
	k.flush(e)
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

// lay takes one pointer of a deposit. It returns the newer record, if there is one here.
func (k *Keeper) lay(e env.Env, o offer) (newer *wire.Laid) {
	if o.copy == wire.Copy_COPY_NEWER {
		k.renew(e, o)
		return nil
	}
	result, err := k.put(e, o)
	switch {
	case err != nil:
		e.Emit(&env.Dropped{Why: "deposit: bad record", Peer: o.from})
	case result.Kind == pointers.Older:
		p := result.Pointer
		return &wire.Laid{Pointer: p.Record, Salt: uint32(o.salt), Roots: uint32(o.roots), LeftS: k.left(e, p)}
	case result.Kind == pointers.Full:
		if b := o.server.Branch(o.from, o.copy, false); b != nil {
			b.Short = e.Now().Add(lease.Life)
		}
	case result.Pointer != nil:
		k.received(e, result, o)
	}
	return nil
}

// renew takes a newer record of what is held here.
func (k *Keeper) renew(e env.Env, o offer) {
	d, err := k.read(o)
	if err != nil {
		e.Emit(&env.Dropped{Why: "deposit: bad record", Peer: o.from})
		return
	}
	p, ok := k.Store.Renew(d, e.Now())
	if !ok {
		return
	}
	if k.spread(p); p.State == pointers.Withdrawn {
		e.Emit(&env.Removed{GUID: p.GUID, Server: p.Server.ID, Why: "withdrawn"})
	}
}
