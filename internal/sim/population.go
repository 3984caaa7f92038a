package sim

import (
	"fmt"
	"slices"
	"sort"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
)

// member is what the scenario knows of a host; it is the host's Mark.
type member struct {
	host    *world.Host
	at      int       // index in population.active, -1 if it is no active member
	since   mono.Time // when it became one
	joining env.Call
	leaving bool
	slow    bool      // it stalls now and then
	upset   mono.Time // see population.disturb, 0: never
	bytes   int       // sent because it joins, until it is a member
}

func of(h *world.Host) *member { return h.Mark.(*member) }

// population is who is there, and where there is room for more.
//
// Invariants: ring holds the IDs of active, in order; free places have no live host.
type population struct {
	world  *world.World
	active []*member
	ring   []idspace.ID
	live   int // hosts that are up, members or not
	free   []int
	// gathering: many become members at once, and ring is not yet in order.
	gathering bool
	// changed is when somebody last came, began to leave, or went, or was cut off; upset
	// when anybody was last disturbed, healed when a cut last ended, 0: never.
	changed, upset, healed mono.Time
}

// birth brings a node onto the net.
func (p *population) birth(b world.Birth) (*member, error) {
	h, err := p.world.Add(b)
	if err != nil {
		return nil, err
	}
	m := &member{host: h, at: -1}
	h.Mark = m
	p.live++
	return m, nil
}

// place takes a free place at random.
func (p *population) place() (int, error) {
	if len(p.free) == 0 {
		return 0, fmt.Errorf("no place left for another node: %d are up", p.live)
	}
	i := p.world.Rand().IntN(len(p.free))
	place := p.free[i]
	last := len(p.free) - 1
	p.free[i] = p.free[last]
	p.free = p.free[:last]
	return place, nil
}

// take takes one free place.
func (p *population) take(place int) {
	if len(p.free) > 0 && p.free[0] == place { // so it is while the first nodes are born
		p.free = p.free[1:]
		return
	}
	p.free = slices.DeleteFunc(p.free, func(free int) bool { return free == place })
}

// activate takes a node among the active.
func (p *population) activate(m *member) {
	if m.at >= 0 {
		return
	}
	m.at, m.since = len(p.active), p.world.Now()
	p.active = append(p.active, m)
	if p.gathering {
		p.ring = append(p.ring, m.host.ID())
		return
	}
	i, _ := slices.BinarySearchFunc(p.ring, m.host.ID(), idspace.Compare)
	p.ring = slices.Insert(p.ring, i, m.host.ID())
	p.changed = p.world.Now()
}

// gather lets do make many members at once: the ring is put in order at the end.
func (p *population) gather(do func()) {
	p.gathering = true
	do()
	p.gathering = false
	slices.SortFunc(p.ring, idspace.Compare)
}

// retire takes a node out of the active ones.
func (p *population) retire(m *member) {
	if m.at < 0 {
		return
	}
	last := p.active[len(p.active)-1]
	p.active[m.at], last.at = last, m.at
	p.active = p.active[:len(p.active)-1]
	m.at = -1
	i, _ := slices.BinarySearchFunc(p.ring, m.host.ID(), idspace.Compare)
	p.ring = slices.Delete(p.ring, i, i+1)
	p.changed = p.world.Now()
}

// crash takes a node off the net.
func (p *population) crash(m *member) {
	if m.host.Down() {
		return
	}
	p.retire(m)
	p.live--
	p.free = append(p.free, m.host.Place())
	p.world.Crash(m.host)
}

// random draws an active member that is not taking its leave, nil if there is none.
func (p *population) random() *member {
	staying := p.staying()
	if len(staying) == 0 {
		return nil
	}
	return staying[p.world.Rand().IntN(len(staying))]
}

// seeds is how many members a node is told of.
const seeds = 2

// join asks a node to join by way of two members; the first of all founds the overlay.
func (p *population) join(m *member, call env.Call) {
	m.joining, p.changed = call, p.world.Now()
	m.host.Request(&env.JoinRequest{Call: call, Seeds: p.seedsOf(m)})
}

// seedsOf draws the seeds that a node is told of.
func (p *population) seedsOf(m *member) (ids []idspace.ID) {
	for range min(seeds, len(p.active)) {
		seed := p.random()
		for range 20 { // an operator names seeds that can be reached
			if p.world.Reachable(m.host, seed.host) {
				break
			}
			seed = p.random()
		}
		ids = append(ids, seed.host.ID())
	}
	return ids
}

// root is the active member with the smallest surrogate distance to key.
func (p *population) root(key idspace.ID) idspace.ID { return rootOf(idspace.Hex, p.ring, key) }

// rootToStay is the root among those that are not taking their leave.
func (p *population) rootToStay(key idspace.ID) idspace.ID {
	root := p.root(key)
	if h := p.world.Host(root); h == nil || !of(h).leaving {
		return root
	}
	var staying []idspace.ID
	for _, id := range p.ring {
		if !of(p.world.Host(id)).leaving {
			staying = append(staying, id)
		}
	}
	return rootOf(idspace.Hex, staying, key)
}

// staying lists the active members that are not taking their leave.
func (p *population) staying() []*member {
	if !slices.ContainsFunc(p.active, func(m *member) bool { return m.leaving }) {
		return p.active
	}
	return slices.DeleteFunc(slices.Clone(p.active), func(m *member) bool { return m.leaving })
}

// rootOf is surrogate.Root for IDs in order: at every level it keeps those that have the
// first digit from the key's on that anybody has.
func rootOf(space idspace.Space, ring []idspace.ID, key idspace.ID) idspace.ID {
	for level := 0; len(ring) > 1; level++ {
		for step := range space.Radix() {
			d := (space.Digit(key, level) + idspace.Digit(step)) & idspace.Digit(space.Radix()-1)
			if same := withDigit(space, ring, level, d); len(same) > 0 {
				ring = same
				break
			}
		}
	}
	if len(ring) == 0 {
		return idspace.ID{}
	}
	return ring[0]
}

// withDigit is the part of a ring whose IDs, alike up to a level, have a digit there.
func withDigit(space idspace.Space, ring []idspace.ID, level int, d idspace.Digit) []idspace.ID {
	low := sort.Search(len(ring), func(i int) bool { return space.Digit(ring[i], level) >= d })
	high := low + sort.Search(len(ring)-low, func(i int) bool { return space.Digit(ring[low+i], level) > d })
	return ring[low:high]
}
