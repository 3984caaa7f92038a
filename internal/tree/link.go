package tree

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// link is a neighbor to whom something is laid.
type link struct {
	peer     idspace.ID
	branches []*pointers.Branch // those to it; an empty one until it knows
	queue    []queued           // to be sent
	anew     []headed           // to be sent before it
	rests    mono.Time          // nothing of it need be sent before
	flight   *flight            // what was sent and not confirmed; nil: nothing
	told     mono.Time          // when it was last told digests
	due      mono.Time          // when it is next
	dead     []byte             // servers that it is to hear are dead
}

// queued is a pointer that waits to be sent along a branch, if it still lies there then.
type queued struct {
	laid   *pointers.Laid
	branch *pointers.Branch
}

// headed is a header that waits to be sent along a branch, if anything of it lies there then.
type headed struct {
	*pointers.Header
	branch *pointers.Branch
}

// flight is the deposits that wait to be confirmed.
type flight struct {
	seq      uint64 // of the latest question whether they are there
	pointers int    // as many as they count for; see portion
	branches []*pointers.Branch
	told     []*pointers.Branch // of them, those that it is asked about
	until    mono.Time          // when it is confirmed again
	tries    int
}

// link returns the link to a peer, made if there was none.
func (k *Keeper) link(peer idspace.ID) *link {
	at, found := slices.BinarySearchFunc(k.links, peer, func(l *link, id idspace.ID) int { return idspace.Compare(l.peer, id) })
	if !found {
		k.links = slices.Insert(k.links, at, &link{peer: peer, due: never})
	}
	return k.links[at]
}

// known returns the link to a peer, nil if there is none.
func (k *Keeper) known(peer idspace.ID) *link {
	at, found := slices.BinarySearchFunc(k.links, peer, func(l *link, id idspace.ID) int { return idspace.Compare(l.peer, id) })
	if !found {
		return nil
	}
	return k.links[at]
}

// soon has a link told what is new within half a period: news of several servers come together.
func (k *Keeper) soon(e env.Env, l *link) {
	k.tellAt(e, l, max(e.Now().Add(k.cfg.Gather), l.told.Add(lease.Period/2)))
}

// hurry has it told within Gather: what it holds is not what it ought to.
func (k *Keeper) hurry(e env.Env, l *link) {
	k.tellAt(e, l, max(e.Now().Add(k.cfg.Gather), l.told.Add(k.cfg.Gather)))
}

func (k *Keeper) tellAt(e env.Env, l *link, at mono.Time) {
	l.due = min(l.due, at)
	k.arm(e, timerLinks, l.due)
}

// onLinks tells whoever is due, confirms deposits again that were not answered, and lets go of
// links over which nothing is laid any more.
func (k *Keeper) onLinks(e env.Env) {
	now, next := e.Now(), never
	for _, l := range k.links {
		if l.due <= now {
			k.tell(e, l)
		}
		if f := l.flight; f != nil && f.until <= now {
			k.again(e, l)
		}
		if next = min(next, l.due); l.flight != nil {
			next = min(next, l.flight.until)
		}
		if len(l.queue) > 0 && l.rests > now {
			next = min(next, l.rests)
		}
	}
	k.links = slices.DeleteFunc(k.links, func(l *link) bool {
		return len(l.branches)+len(l.queue)+len(l.anew)+len(l.dead) == 0 && l.flight == nil
	})
	if next < never {
		k.arm(e, timerLinks, next)
	}
	k.settleHandOvers(e)
	k.settle(e)
}

// tell sends the digests of all branches that are news, and cuts those that are empty.
func (k *Keeper) tell(e env.Env, l *link) {
	l.told, l.due = e.Now(), never
	var news []byte
	for _, b := range slices.Clone(l.branches) {
		if !k.news(e, b) {
			continue
		}
		if news = k.describe(e, news, b); len(news) >= maxNews {
			e.Send(l.peer, &wire.Refresh{Branches: news})
			news = nil
		}
		if b.Len() == 0 {
			k.cut(l, b)
		}
	}
	if len(news)+len(l.dead) > 0 {
		e.Send(l.peer, &wire.Refresh{Branches: news, Dead: l.dead})
		l.dead = nil
	}
}

// maxNews is how many bytes of branches go into one message: half of what may.
const maxNews = wire.MaxBranches * 67 / 2

// news reports whether the peer of a branch does not know what there is to say of it. Of a
// server that has been silent for too long there is nothing.
func (k *Keeper) news(e env.Env, b *pointers.Branch) bool {
	index, _, ok := b.Server.Lease.Newest()
	if b.Len() == 0 {
		return true
	}
	return ok && k.age(e, b.Server) < lease.Life && (b.Due || b.Told != index+1)
}

// describe appends what there is to say of a branch, and notes that it was said.
func (k *Keeper) describe(e env.Env, packed []byte, b *pointers.Branch) []byte {
	index, token, _ := b.Server.Lease.Newest()
	b.Told, b.Due = index+1, false
	count, sum := b.Digest()
	return wire.AppendBranch(packed, wire.Branch{
		Server: wire.ServerRefTo(b.Server.ID), Copy: b.Copy, Count: count, Sum: sum,
		Index: index, Token: token, Age: k.age(e, b.Server), Coord: k.where(b.Server),
	})
}

func (k *Keeper) cut(l *link, b *pointers.Branch) {
	l.branches = slices.DeleteFunc(l.branches, func(o *pointers.Branch) bool { return o == b })
	k.Store.Cut(b)
}

// enqueue has a pointer sent to where it was laid.
func (k *Keeper) enqueue(p *pointers.Laid) {
	if b := p.Branch(); b != nil && b.Out {
		l := k.link(b.Peer)
		l.rests = 0
		k.wait(l, p)
	}
}

// enqueueLater has it sent within Gather: a server's objects are often published together, and
// nobody waits for copies that are not on their paths.
func (k *Keeper) enqueueLater(e env.Env, p *pointers.Laid) {
	if b := p.Branch(); b != nil && b.Out {
		l := k.link(b.Peer)
		if len(l.queue) == 0 {
			l.rests = e.Now().Add(k.cfg.Gather)
			k.arm(e, timerLinks, l.rests)
		}
		k.wait(l, p)
	}
}

func (k *Keeper) wait(l *link, p *pointers.Laid) {
	if !p.Queued {
		p.Queued = true
		p.Branch().Waiting++
		l.queue = append(l.queue, queued{p, p.Branch()})
	}
}

// flush sends what is queued to those who have confirmed what they were sent before, all but
// a window of it. Who holds nothing of a server from here any more is told, or its branch would
// never be cut.
func (k *Keeper) flush(e env.Env) {
	for _, b := range k.Store.Emptied() {
		k.hurry(e, k.link(b.Peer))
	}
	for _, l := range k.links {
		if (len(l.queue) > 0 && l.rests <= e.Now() || len(l.anew) > 0) && k.room(l) > 0 {
			k.send(e, l)
		}
		if len(l.dead) > 0 {
			e.Send(l.peer, &wire.Refresh{Dead: l.dead})
			l.dead = nil
		}
	}
}

// room is how many more pointers may be on their way to a neighbor.
func (k *Keeper) room(l *link) int {
	room := min(k.cfg.Window, k.pace.room())
	if l.flight != nil {
		room = min(room, k.cfg.Window-l.flight.pointers)
	}
	return room
}

// lightly is how many pointers of a batch count as one that travels alone, by the bytes that they take.
const lightly = 8

// portion is how much of the queue there is room for beside some headers, and for how many pointers that counts.
func (k *Keeper) portion(l *link, headers int) (n, weight int) {
	room, alone, batched := k.room(l), headers, 0
	weight = headers
	for _, q := range l.queue {
		if lot, _ := q.laid.Stand(q.laid.Salt); lot != nil {
			batched++
		} else {
			alone++
		}
		sum := alone + (batched+lightly-1)/lightly
		if sum > room {
			break
		}
		n, weight = n+1, sum
	}
	return n, weight
}

// send sends a window of deposits to a neighbor, and asks whether it has them.
func (k *Keeper) send(e env.Env, l *link) {
	anew := l.anew[:min(len(l.anew), k.room(l))]
	l.anew = l.anew[len(anew):]
	n, weight := 0, len(anew)
	if l.rests <= e.Now() {
		n, weight = k.portion(l, len(anew))
	}
	portion := l.queue[:n]
	l.queue = l.queue[n:]
	branches := k.deliver(e, l.peer, portion, anew)
	if len(branches) == 0 {
		return
	}
	if l.flight == nil {
		l.flight = &flight{}
	}
	k.pace.sent(weight)
	f := l.flight
	f.pointers, f.tries, f.branches = f.pointers+weight, 0, append(f.branches, branches...)
	slices.SortFunc(f.branches, byServer)
	f.branches = slices.Compact(f.branches)
	k.confirm(e, l)
}

// deliver sends those pointers that still lie where they did when they were queued, and says on which branches they do.
func (k *Keeper) deliver(e env.Env, to idspace.ID, portion []queued, anew []headed) (branches []*pointers.Branch) {
	bundles := make(map[*pointers.Branch]*bundle)
	along := func(b *pointers.Branch) *bundle {
		if bundles[b] == nil {
			bundles[b] = &bundle{server: b.Server, copy: b.Copy}
			branches = append(branches, b)
		}
		return bundles[b]
	}
	for _, q := range portion {
		p, b := q.laid, q.branch
		p.Queued = false
		b.Waiting--
		if p.Branch() != b || k.left(e, p.Pointer) == 0 {
			k.conclude(e, p, lost)
			continue
		}
		along(b).add(p, p.Pointer, p.Salt, p.Roots)
	}
	for _, h := range anew {
		if h.branch.Has(h.Header) {
			b := along(h.branch)
			b.anew = append(b.anew, h.Header)
		}
	}
	for _, b := range branches {
		k.sendAll(e, to, bundles[b])
	}
	return branches
}

func byServer(a, b *pointers.Branch) int {
	if c := idspace.Compare(a.Server.ID, b.Server.ID); c != 0 {
		return c
	}
	return int(a.Copy) - int(b.Copy)
}

// left is what is left of a record's life, in whole seconds.
func (k *Keeper) left(e env.Env, p *pointers.Pointer) uint32 { return k.whole(e, p.Expires()) }

func (k *Keeper) whole(e env.Env, until mono.Time) uint32 {
	return uint32(max(until.Sub(e.Now())/time.Second, 0))
}

// confirm asks for an answer to what is in flight. Branches of which more waits to be sent
// would differ: the answer is then only that the neighbor has taken what came before. Those that
// were cut meanwhile are not spoken of: another of the same name may have taken their place.
func (k *Keeper) confirm(e env.Env, l *link) {
	f := l.flight
	f.seq = e.Rand().Uint64() | 1
	f.until = e.Now().Add(k.Links.Stretched(k.cfg.Retry) << f.tries)
	var packed []byte
	f.told = nil
	for _, b := range f.branches {
		if b.Waiting == 0 && len(packed) < maxNews && b.Server.Branch(l.peer, b.Copy, true) == b {
			packed = k.describe(e, packed, b)
			f.told = append(f.told, b)
		}
	}
	l.told = e.Now()
	e.Send(l.peer, &wire.Refresh{Seq: f.seq, Branches: packed})
	k.arm(e, timerLinks, f.until)
}

// again confirms what was not answered; at last it is left to the next period.
func (k *Keeper) again(e env.Env, l *link) {
	f := l.flight
	f.tries++
	k.pace.late(f)
	if f.tries < k.cfg.Tries {
		k.confirm(e, l)
		return
	}
	for _, b := range f.branches {
		b.Due = true
	}
	k.pace.ended(f)
	l.flight = nil
}
