package publish

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// handOver is a range of pointers on its way to a new root: all whose path leads to one
// node, or, when this node leaves, all of which it is the root.
type handOver struct {
	to    idspace.ID // zero: to whoever comes after this node
	left  int        // pointers still to be looked at; a removal moves one that was looked at into the gap
	open  int        // pushes that were not acknowledged yet
	until mono.Time
}

// OnHandOver brings to a node what its insertion has made its own, or to its heirs what is
// this node's when it leaves (JSAC §III-C; design §6), and posts HandedOver when all of it
// was acknowledged or cannot be. Pointers that went that way before go again: the node may
// have been started anew.
func (p *Publisher) OnHandOver(e env.Env, m *env.HandOver) {
	i := slices.IndexFunc(p.handOvers, func(h *handOver) bool { return h.to == m.To })
	if i < 0 {
		i = len(p.handOvers)
		p.handOvers = append(p.handOvers, &handOver{to: m.To})
	}
	h := p.handOvers[i]
	h.left, h.until = p.Store.Len(), e.Now().Add(p.cfg.GiveUp)
	p.goOn(e, h)
}

// onHandOver goes on with all hand-overs.
func (p *Publisher) onHandOver(e env.Env) {
	for _, h := range slices.Clone(p.handOvers) {
		p.goOn(e, h)
	}
}

// goOn looks at the next portion.
func (p *Publisher) goOn(e env.Env, h *handOver) {
	if h.until <= e.Now() {
		h.left = 0 // whoever waits for it has gone on
	}
	pushed := 0
	for budget := p.cfg.Portion; budget > 0 && h.left > 0 && 4*pushed < p.cfg.Portion && p.pace.room(); budget-- {
		h.left = min(h.left, p.Store.Len()) - 1
		if h.left >= 0 {
			pushed += p.give(e, h, p.Store.At(h.left))
		}
	}
	switch {
	case h.left == 0:
	case p.pace.room():
		p.arm(e, timerHandOver, e.Now().Add(step))
	default:
		p.arm(e, timerHandOver, h.until)
	}
	p.handed(e, h)
}

// give pushes ptr along the paths that h is about, and says how many those were.
func (p *Publisher) give(e env.Env, h *handOver, ptr *pointers.Pointer) (pushed int) {
	if ptr.State == pointers.Dead || ptr.Expires() <= e.Now() {
		return 0
	}
	for i := range ptr.Paths() {
		path := ptr.Paths()[i]
		if path.Until <= e.Now() || !p.goesTo(h, p.cfg.Space.Salted(ptr.GUID, path.Salt, path.Roots)) {
			continue
		}
		if !h.to.IsZero() {
			p.Store.Passed(ptr, path, h.to)
		}
		h.open++
		if p.push(e, ptr, path, attempt{until: h.until, hand: h}) {
			pushed++
		} else {
			h.open--
		}
	}
	return pushed
}

// goesTo reports whether h is about the path of a key.
func (p *Publisher) goesTo(h *handOver, key idspace.ID) bool {
	if h.to.IsZero() {
		return p.Router.Course(key).To == p.cfg.Self && len(p.Router.Heirs(key, 1)) > 0
	}
	return p.Router.Course(key).To == h.to
}

// handed ends a hand-over when nothing of it is open.
func (p *Publisher) handed(e env.Env, h *handOver) {
	i := slices.Index(p.handOvers, h)
	if i < 0 || h.left > 0 || h.open > 0 {
		return
	}
	p.handOvers = slices.Delete(p.handOvers, i, i+1)
	e.Post(&env.HandedOver{To: h.to})
}

// settled notes that one push of a hand-over was acknowledged, or never will be.
func (p *Publisher) settled(e env.Env, a attempt) {
	if a.hand != nil {
		a.hand.open--
		p.handed(e, a.hand)
	}
}

// withdrawnTo ends the hand-overs to nodes that have gone.
func (p *Publisher) withdrawnTo(e env.Env, gone []idspace.ID) {
	for _, h := range slices.Clone(p.handOvers) {
		if slices.Contains(gone, h.to) {
			h.left, h.open = 0, 0
			p.handed(e, h)
		}
	}
}

// toHeir sends a push past this node, which leaves, to who is root after it.
func (p *Publisher) toHeir(e env.Env, m *wire.Routed) bool {
	heirs := p.Router.Heirs(wire.ID(m.Key), 1)
	if len(heirs) == 0 {
		return false
	}
	m.Excluded = p.cfg.Self[:]
	p.Router.RouteVia(e, m, heirs[0])
	return true
}
