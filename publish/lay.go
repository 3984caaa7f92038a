package publish

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// lay is one record of this node on its way to all roots of its object.
type lay struct {
	key       pointers.Key
	sequence  pointers.Sequence
	withdrawn bool
	record    *wire.SignedRecord
	until     mono.Time // no further attempts after
	roots     []root    // per salt
	acks      int
	refused   int  // roots that a limit forbids to keep it
	raised    int  // how often a higher sequence was met
	heeded    bool // a withdrawal of which those know who hold copies that this node has laid beside its paths
	farewell  bool
	jobs      []*job
}

// root is how far a lay is along one salt.
type root struct {
	state rootState
	id    idspace.ID // who acknowledged or refused
	notes []*wire.HopNote

	limit env.LimitKind // refused: which
	again time.Duration // refused: when it may have room, 0 if it has not said
	// invalid: waiting, it has said last that the record is not what it must be. A later one may be: of
	// this node's address, or with another token.
	invalid bool
}

type rootState uint8

const (
	waiting rootState = iota
	acknowledged
	refused
)

// job is a request of the face that waits for a lay.
type job struct {
	call     env.Call
	lay      *lay
	deadline mono.Time
	explain  bool // end only when every root has answered
}

// maxRaises bounds how often one lay goes above a sequence that it meets, so that a
// root that always claims a higher one cannot keep this node busy.
const maxRaises = 3

// begin signs a new record for key and sends it to all roots. The jobs that waited
// for an older record of the same kind wait for this one; others are overtaken.
func (p *Publisher) begin(e env.Env, l *lay) {
	if old := p.lays[l.key]; old != nil {
		p.inherit(e, l, old)
	}
	p.last.Counter++
	l.sequence = p.last
	l.record = p.sign(e, l)
	l.roots = make([]root, p.cfg.Roots)
	l.until = e.Now().Add(p.cfg.GiveUp)
	for _, j := range l.jobs {
		j.lay = l
		l.until = max(l.until, j.deadline)
	}
	p.lays[l.key] = l
	if o := p.Served.Find(l.key); o != nil && !l.withdrawn {
		o.Alone()
		o.Sequence = l.sequence
	}
	for salt := range l.roots {
		if p.lays[l.key] != l {
			return // answered within Route, and ended
		}
		p.try(e, attempt{lay: l, salt: salt, roots: len(l.roots), until: l.until})
	}
}

// inherit moves to l what waited for old.
func (p *Publisher) inherit(e env.Env, l, old *lay) {
	p.forget(old)
	l.farewell = l.farewell || old.farewell
	if old.withdrawn == l.withdrawn {
		l.jobs = append(l.jobs, old.jobs...)
		old.jobs = nil
		return
	}
	overtaken := env.Busy
	if l.farewell {
		overtaken = env.NotJoined
	}
	for _, j := range slices.Clone(old.jobs) {
		p.end(e, j, overtaken)
	}
}

func (p *Publisher) sign(e env.Env, l *lay) *wire.SignedRecord {
	return p.signed(e, &wire.BatchRecord{
		Network:    p.cfg.Network,
		Guid:       l.key.GUID[:],
		App:        l.key.App,
		Server:     p.cfg.Self[:],
		Generation: l.sequence.Generation,
		Counter:    l.sequence.Counter,
		Withdrawn:  l.withdrawn,
		LifeS:      uint32(p.cfg.Life.Seconds()),
	})
}

func (p *Publisher) signed(e env.Env, rec *wire.BatchRecord) *wire.SignedRecord {
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(rec)
	if err != nil {
		panic(fmt.Sprintf("publish: packing a header: %v", err)) // Key.Valid was asked
	}
	return e.Sign(wire.BatchKind, payload)
}

// try sends a lay's record along one salt.
func (p *Publisher) try(e env.Env, a attempt) {
	l := a.lay
	p.route(e, a, &wire.Routed{
		Key: p.salted(l.key, a.salt, a.roots), Body: wire.Pack(p.request(e, l, a.salt, a.roots)), Explain: l.explains(),
	})
}

// request is what is asked of every node towards one root.
func (p *Publisher) request(e env.Env, l *lay, salt, roots int) *wire.Publish {
	return &wire.Publish{
		Pointer: l.record, Server: p.cfg.Record, Salt: uint32(salt), Roots: uint32(roots),
		LeftS: uint32(p.cfg.Life.Seconds()), Pulse: p.Tree.Pulse(e.Now()),
	}
}

func (l *lay) explains() bool {
	for _, j := range l.jobs {
		if j.explain {
			return true
		}
	}
	return false
}

func (p *Publisher) salted(key pointers.Key, salt, roots int) []byte {
	k := p.cfg.Space.Salted(key.GUID, salt, roots)
	return k[:]
}

// settle ends the jobs of l that need not wait longer, and l when nothing is left to do.
func (p *Publisher) settle(e env.Env, l *lay) {
	all := l.acks+l.refused == len(l.roots)
	enough, hopeless := l.acks >= p.cfg.Acks, len(l.roots)-l.refused < p.cfg.Acks
	if all && l.withdrawn && !l.heeded && !l.farewell && !p.heed(e, l) {
		return
	}
	if all {
		p.forget(l)
		p.parted(e, l)
	}
	if enough && l.withdrawn && !all {
		p.hurry(e, l)
		return
	}
	for _, j := range slices.Clone(l.jobs) {
		switch {
		case enough && (all || !j.explain):
			p.end(e, j, env.OK)
		case hopeless && (all || !j.explain):
			p.end(e, j, env.Limit)
		}
	}
}

// heed reports whether those know of a withdrawal who hold copies that this node has laid itself.
func (p *Publisher) heed(e env.Env, l *lay) bool {
	mine := p.Store.Find(l.key, p.cfg.Self)
	return mine == nil || p.Tree.Settled(e, mine)
}

// hurry gives the roots that have not acknowledged a withdrawal one more retry's time:
// until they have, a lookup may still find the object there.
func (p *Publisher) hurry(e env.Env, l *lay) {
	for _, j := range l.jobs {
		if soon := e.Now().Add(2 * p.cfg.Retry); soon < j.deadline {
			j.deadline = soon
			e.SetTimer(env.TimerKey{Room: env.Publish, What: timerDeadline, N: uint64(j.call)}, 2*p.cfg.Retry)
		}
	}
}

// end gives j its outcome.
func (p *Publisher) end(e env.Env, j *job, status env.Status) {
	l := j.lay
	p.release(e, j)
	o := &env.Outcome{Call: j.call, Status: status}
	for _, r := range l.roots {
		if r.state == acknowledged {
			o.Placed = append(o.Placed, r.id)
		}
		if j.explain {
			o.Notes = append(o.Notes, r.notes)
		}
	}
	if status == env.Limit {
		o.Refused = l.refusals()
	}
	e.Deliver(o)
	if status != env.OK {
		p.abandon(e, l, status)
	}
}

// refusals lists who has no room for a lay; a node that is several roots says so once, with the
// soonest that it may have room.
func (l *lay) refusals() (all []env.Refused) {
	for _, at := range l.roots {
		if at.state != refused {
			continue
		}
		i := slices.IndexFunc(all, func(o env.Refused) bool { return o.By == at.id && o.Limit == at.limit })
		switch {
		case i < 0:
			all = append(all, env.Refused{By: at.id, Limit: at.limit, RetryAfter: at.again})
		case at.again > 0:
			all[i].RetryAfter = min(cmp.Or(all[i].RetryAfter, at.again), at.again)
		}
	}
	return all
}

// release lets go of j without an outcome.
func (p *Publisher) release(e env.Env, j *job) {
	delete(p.jobs, j.call)
	e.StopTimer(env.TimerKey{Room: env.Publish, What: timerDeadline, N: uint64(j.call)})
	j.lay.jobs = slices.DeleteFunc(j.lay.jobs, func(o *job) bool { return o == j })
}

// abandon stops serving an object whose first publish came to nothing, when nobody waits for it
// any more and its publisher was told so. What lies on the way is taken back.
func (p *Publisher) abandon(e env.Env, l *lay, why env.Status) {
	o := p.Served.Find(l.key)
	if l.withdrawn || len(l.jobs) > 0 || o == nil || o.Sequence.Above(l.sequence) || stays(o, why) {
		return // or a batch has been laid of it since
	}
	if newer := p.lays[l.key]; newer != nil && newer != l {
		return
	}
	p.Served.Remove(l.key)
	p.begin(e, &lay{key: l.key, withdrawn: true})
}

// stays reports whether an object is served on though a publish of it has failed. One root that
// has acknowledged it may be joined by others soon, unless those have said that they have no
// room. What an earlier life has published has not failed: it is only not placed yet.
func stays(o *pointers.Object, why env.Status) bool {
	return o.Kept || o.Stands || o.Established && why != env.Limit
}

// forget drops l: its attempts are not repeated.
func (p *Publisher) forget(l *lay) {
	if p.lays[l.key] == l {
		delete(p.lays, l.key)
	}
}

// onDeadline ends the job of a call that has waited long enough.
func (p *Publisher) onDeadline(e env.Env, call env.Call) {
	if g := p.calls[call]; g != nil {
		p.giveUpGroup(e, g, env.TimedOut)
		return
	}
	j := p.jobs[call]
	if j == nil {
		return
	}
	l, status := j.lay, env.TimedOut
	switch {
	case l.acks >= p.cfg.Acks: // it waited only for the rest
		status = env.OK
	case len(l.roots)-l.invalid() < p.cfg.Acks:
		status = env.Invalid
	}
	p.end(e, j, status)
}

// invalid counts the roots that do not accept the record.
func (l *lay) invalid() (n int) {
	for _, at := range l.roots {
		if at.state == waiting && at.invalid {
			n++
		}
	}
	return n
}
