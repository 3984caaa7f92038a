package locate

import (
	"cmp"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// asker is whoever looks for an object, as a holder of pointers sees it.
type asker struct {
	coord wire.Coord
	spent time.Duration // round trips of the links between it and here
	zone  zone
}

// offer is a pointer and how far its server is from the asker, as is guessed here.
type offer struct {
	*pointers.Pointer
	coord wire.Coord
	far   time.Duration
	match int // labels that its zone shares with the one wanted
}

// nearest returns up to limit of the live pointers that lie here, those nearest to the
// asker (design §8): what is near to here need not be near to it.
func (l *Locator) nearest(e env.Env, key pointers.Key, by asker, limit int) []offer {
	return l.offers(l.Store.Live(key, e.Now(), l.Store.Len()), by, limit)
}

// offers are those up to limit of some pointers that are nearest to the asker.
func (l *Locator) offers(lie []*pointers.Pointer, by asker, limit int) []offer {
	var offers []offer
	for _, p := range lie {
		if match, ok := by.zone.match(p.Server.Zone()); ok {
			c := l.where(p)
			offers = append(offers, offer{p, c, l.guess(p, c, by), match})
		}
	}
	slices.SortFunc(offers, func(a, b offer) int {
		return cmp.Or(
			cmp.Compare(last(a), last(b)), cmp.Compare(b.match, a.match), cmp.Compare(a.far, b.far), idspace.Compare(a.Server.ID, b.Server.ID),
		)
	})
	return offers[:min(len(offers), limit)]
}

// last puts servers last that somebody says are dead.
func last(o offer) int {
	if o.Server.Doubted() {
		return 1
	}
	return 0
}

// where is where the server of a pointer is: a neighbor's own word is newer than what came
// with the pointer.
func (l *Locator) where(p *pointers.Pointer) wire.Coord {
	if p.Server.ID == l.cfg.Self {
		return wire.CoordIn(l.Links.Coord())
	}
	if c := l.Links.Where(p.Server.ID); c.Known() {
		return c
	}
	return p.Server.Coord
}

// guess is how far the server of a pointer is from the asker: as measured if this node asks,
// else by their coordinates, else by way of here. Bounds that follow from distances to here
// made guesses worse: on the Internet the way around is often the shorter one.
func (l *Locator) guess(p *pointers.Pointer, server wire.Coord, by asker) time.Duration {
	here := l.latency(p)
	if _, measured := l.Links.RTT(p.Server.ID); measured && by.spent == 0 || p.Server.ID == l.cfg.Self {
		return by.spent + here
	}
	far, ok := links.Apart(by.coord, server)
	if !ok {
		return by.spent + here
	}
	return far
}

// latency is how far the server of a pointer is from here, as this node measures it
// now, or as it was told when the pointer came.
func (l *Locator) latency(p *pointers.Pointer) time.Duration {
	if p.Server.ID == l.cfg.Self {
		return 0
	}
	if rtt, ok := l.Links.RTT(p.Server.ID); ok {
		return rtt
	}
	return p.Latency
}
