package tree

import (
	"math"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// OnRefresh compares what a neighbor has laid here with what it says that it has, and makes what
// agrees count longer if its server lives.
func (k *Keeper) OnRefresh(e env.Env, from idspace.ID, m *wire.Refresh) {
	reply := &wire.RefreshReply{Seq: m.Seq}
	wrong := 0
	for _, b := range wire.Branches(m.Branches) {
		name := wire.BranchName{Server: b.Server, Copy: b.Copy}
		switch k.refreshed(e, from, b, wrong < maxWrong) {
		case differs:
			reply.Differ = wire.AppendBranchName(reply.Differ, name)
		case stale:
			wrong++
			reply.Stale = wire.AppendBranchName(reply.Stale, name)
		}
	}
	for _, ref := range wire.ServerRefs(m.Asked) {
		if sv := k.Store.Server(ref); sv != nil {
			k.Asked(e, sv)
		}
	}
	for _, ref := range wire.ServerRefs(m.Dead) {
		k.onNotice(e, from, ref)
	}
	if m.Seq != 0 || len(reply.Differ)+len(reply.Stale) > 0 {
		e.Send(from, reply)
	}
	k.flush(e)
}

// maxWrong is how many tokens of one message may be wrong before the rest is not looked at: each costs
// up to lease.Few hashes.
const maxWrong = 64

// agreement is what comes of comparing a branch.
type agreement uint8

const (
	agrees agreement = iota
	differs
	stale // its token is not believed
)

func (k *Keeper) refreshed(e env.Env, from idspace.ID, b wire.Branch, trusted bool) agreement {
	sv := k.Store.Server(b.Server)
	var held *pointers.Branch
	if sv != nil {
		held = sv.Branch(from, b.Copy, false)
	}
	switch {
	case b.Count == 0:
		k.release(e, held)
		return agrees
	case held == nil && k.Store.Crowded(from):
		return agrees // there is no room for what is missing
	case sv == nil:
		return differs // its record alone would not be kept: the pointers bring it
	case !trusted:
		return stale
	}
	until, ok := k.take(e, sv, word{b.Index, b.Token[:], b.Age, b.Coord, nil}, lease.Few)
	if !ok {
		return stale
	}
	if held == nil {
		return differs
	}
	if count, sum := held.Digest(); count != b.Count || sum != b.Sum {
		return differs
	}
	k.Store.Extend(held, until)
	return agrees
}

// release forgets what a neighbor has laid here, because it does so no longer.
func (k *Keeper) release(e env.Env, b *pointers.Branch) {
	for b != nil && b.Len() > 0 {
		k.drop(e, b.At(b.Len()-1))
	}
}

// drop takes a pointer off a branch that came in.
func (k *Keeper) drop(e env.Env, l *pointers.Laid) {
	k.Store.TakeOff(l)
	if len(l.Laid()) == 0 {
		e.Emit(&env.Removed{GUID: l.GUID, Server: l.Server.ID, Why: "moved"})
		return
	}
	k.leavePath(e, l)
}

// leavePath takes a pointer, which was taken off a branch that came in, off those along which it
// has gone on for the sake of that.
func (k *Keeper) leavePath(e env.Env, l *pointers.Laid) {
	p := l.Pointer
	if p.OnPath(l.Salt, l.Roots) {
		return
	}
	k.only(e, p, wire.Copy_COPY_HEIR, l.Salt, l.Roots, nil)
	if onward := p.Onward(l.Salt, l.Roots); onward != nil {
		k.takeOff(e, onward)
	}
}

// OnRefreshReply lists what a neighbor holds otherwise than it should, and goes on with what
// waits to be sent there.
func (k *Keeper) OnRefreshReply(e env.Env, from idspace.ID, m *wire.RefreshReply) {
	l := k.known(from)
	if l == nil {
		return
	}
	if f := l.flight; f != nil && m.Seq == f.seq {
		k.pace.ended(f)
		l.flight = nil
		for _, b := range f.told { // but for those that are named below
			b.Known = b.Sent
		}
	}
	for _, name := range wire.BranchNames(m.Stale) {
		b := k.laidAt(from, name)
		if b != nil {
			b.Known = pointers.Introduction{}
		}
		if b != nil && k.mayTell(e, b) {
			e.Send(from, k.deposit(e, b.Server, name.Copy)) // it knows an earlier life of it, perhaps
		}
	}
	var differ []*pointers.Branch
	var nothing []byte
	for _, name := range wire.BranchNames(m.Differ) {
		if b := k.laidAt(from, name); b != nil {
			b.Known = pointers.Introduction{}
			differ = append(differ, b)
		} else {
			nothing = wire.AppendBranch(nothing, wire.Branch{Server: name.Server, Copy: name.Copy})
		}
	}
	if len(nothing) > 0 {
		e.Send(from, &wire.Refresh{Branches: nothing})
	}
	if len(l.queue) == 0 && l.flight == nil {
		k.listAll(e, l, differ)
	}
	k.flush(e)
	k.settleHandOvers(e)
	k.settle(e)
}

// laidAt is the branch to a neighbor that a name is of, nil if there is none.
func (k *Keeper) laidAt(from idspace.ID, name wire.BranchName) *pointers.Branch {
	if sv := k.Store.Server(name.Server); sv != nil {
		if b := sv.Branch(from, name.Copy, true); b != nil && b.Len() > 0 {
			return b
		}
	}
	return nil
}

// maxLists bounds how often a branch is listed within half a period to somebody with whom it never
// agrees: because there is no room, or out of malice.
const maxLists = 4

// mayTell counts what is told of a branch because the other end asks for it.
func (k *Keeper) mayTell(e env.Env, b *pointers.Branch) bool {
	if now := e.Now(); b.Lists == 0 || now >= b.Since.Add(lease.Period/2) {
		b.Lists, b.Since = 0, now
	}
	if b.Lists >= maxLists {
		b.Due = true
		return false
	}
	b.Lists++
	return true
}

// listAll lists branches, and asks again about them: by then the neighbor has asked for what it
// lacks, or let go of what it should not have.
func (k *Keeper) listAll(e env.Env, l *link, differ []*pointers.Branch) {
	slices.SortFunc(differ, byServer)
	differ = slices.DeleteFunc(slices.Compact(differ), func(b *pointers.Branch) bool { return !k.mayTell(e, b) })
	for _, b := range differ {
		k.list(e, b)
	}
	if len(differ) > 0 {
		l.flight = &flight{branches: differ}
		k.confirm(e, l)
	}
}

// list names all pointers of a branch, and their headers.
func (k *Keeper) list(e env.Env, b *pointers.Branch) {
	pulse := k.pulse(e, b.Server)
	sorted := b.Prints()
	low := uint64(0)
	for b.Parts = 0; ; {
		n := min(len(sorted), wire.MaxPrints)
		m := &wire.Listing{Server: b.Server.ID[:], Copy: b.Copy, Low: low, High: math.MaxUint64, Pulse: pulse}
		for _, print := range sorted[:n] {
			m.Prints = wire.AppendPrint(m.Prints, print)
		}
		if sorted = sorted[n:]; len(sorted) > 0 {
			m.High = sorted[0] - 1
		}
		e.Send(b.Peer, m)
		if b.Parts++; len(sorted) == 0 {
			return
		}
		low = m.High + 1
	}
}

// OnListing lets go of what is not listed, and asks for what is not here.
func (k *Keeper) OnListing(e env.Env, from idspace.ID, m *wire.Listing) {
	wanted := &wire.Wanted{Server: m.Server, Copy: m.Copy}
	sv := k.Store.Server(wire.ServerRefTo(wire.ID(m.Server)))
	if sv == nil {
		wanted.Prints = m.Prints
		e.Send(from, wanted)
		return
	}
	b := sv.Branch(from, m.Copy, false)
	have, headers := printsOf(b, m.Low, m.High), headersOf(b)
	for _, print := range wire.Prints(m.Prints) {
		if _, here := have[print]; here {
			delete(have, print)
		} else if headers[print] == nil {
			wanted.Prints = wire.AppendPrint(wanted.Prints, print)
		}
	}
	if b != nil {
		for i := b.Len() - 1; i >= 0; i-- {
			if l := b.At(i); have[l.Print()] == l {
				k.drop(e, l)
			}
		}
	}
	short := b != nil && b.Short > e.Now()
	switch until, ok := k.take(e, sv, wordOf(m.Pulse), lease.Few); {
	case len(wanted.Prints) > 0 && !short:
		e.Send(from, wanted)
	case ok && b != nil && b.Len() > 0:
		k.Store.Extend(b, until)
	}
	k.flush(e)
}

// printsOf maps the prints from low to high of a branch, which may be nil.
func printsOf(b *pointers.Branch, low, high uint64) map[uint64]*pointers.Laid {
	prints := make(map[uint64]*pointers.Laid)
	for i := 0; b != nil && i < b.Len(); i++ {
		if l := b.At(i); low <= l.Print() && l.Print() <= high {
			prints[l.Print()] = l
		}
	}
	return prints
}

// headersOf maps the headers of a branch, which may be nil.
func headersOf(b *pointers.Branch) map[uint64]*pointers.Header {
	if b == nil {
		return nil
	}
	return b.Headers()
}

// OnWanted sends the pointers and headers of a listing that a neighbor has not.
func (k *Keeper) OnWanted(e env.Env, from idspace.ID, m *wire.Wanted) {
	b := k.laidAt(from, wire.BranchName{Server: wire.ServerRefTo(wire.ID(m.Server)), Copy: m.Copy})
	if b == nil || b.Parts == 0 {
		return // it was listed nothing
	}
	b.Parts--
	laid, headers := printsOf(b, 0, math.MaxUint64), headersOf(b)
	for _, print := range wire.Prints(m.Prints) {
		if l := laid[print]; l != nil {
			k.enqueue(l)
		} else if h := headers[print]; h != nil {
			k.enqueueHeader(h, b)
		}
	}
	k.flush(e)
}
