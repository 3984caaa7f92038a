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
	slow    bool // it stalls now and then
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
	// changed is when somebody last came, went, or was cut off.
	changed mono.Time
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
	p.free = slices.DeleteFunc(p.free, func(free int) bool { return free == place })
}

// activate takes a node among the active.
func (p *population) activate(m *member) {
	if m.at >= 0 {
		return
	}
	m.at, m.since = len(p.active), p.world.Now()
	p.active = append(p.active, m)
	i, _ := slices.BinarySearchFunc(p.ring, m.host.ID(), idspace.Compare)
	p.ring = slices.Insert(p.ring, i, m.host.ID())
	p.changed = p.world.Now()
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

// random draws an active member, nil if there is none.
func (p *population) random() *member {
	if len(p.active) == 0 {
		return nil
	}
	return p.active[p.world.Rand().IntN(len(p.active))]
}

// seeds is how many members a node is told of.
const seeds = 2

// join asks a node to join by way of two members; the first of all founds the overlay.
func (p *population) join(m *member, call env.Call) {
	m.joining = call
	request := &env.JoinRequest{Call: call}
	for range min(seeds, len(p.active)) {
		seed := p.random()
		for range 20 { // an operator names seeds that can be reached
			if p.world.Reachable(m.host, seed.host) {
				break
			}
			seed = p.random()
		}
		request.Seeds = append(request.Seeds, seed.host.ID())
	}
	m.host.Request(request)
}

// root is the active member with the smallest surrogate distance to key.
func (p *population) root(key idspace.ID) idspace.ID { return rootOf(idspace.Hex, p.ring, key) }

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
