package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/leafset"
)

// roots: a node takes itself for the root of a key if and only if it is.
func (a *auditor) roots(m *member) {
	id := m.host.ID()
	for _, key := range a.keys {
		root := a.run.people.root(key)
		hop := m.host.Node().NextHop(key)
		claims := hop.Rule == wire.Rule_RULE_ROOT
		if claims && id != root && !m.leaving && !a.relays(m, root) {
			a.found(finding{oneRoot, m.host.Number(), key}, whereof{host: m, about: []idspace.ID{root}},
				fmt.Sprintf("takes itself for the root of %s, which is %s", key.Short(), root.Short()))
		} else if !claims && id == root {
			a.found(finding{oneRoot, m.host.Number(), key}, whereof{host: m, about: []idspace.ID{hop.To}},
				fmt.Sprintf("is the root of %s and would go on to %s", key.Short(), hop.To.Short()))
		}
	}
}

// holes: no slot is empty for which there is a node.
func (a *auditor) holes(m *member) {
	space, id, nodes := idspace.Hex, m.host.ID(), a.run.people.ring
	table := m.host.Node().Tables().Map
	for level := 0; len(nodes) > 1; level++ {
		own := space.Digit(id, level)
		for d := range idspace.Digit(space.Radix()) {
			if d == own || len(table.Slot(level, d)) > 0 {
				continue
			}
			there := slices.DeleteFunc(slices.Clone(withDigit(space, nodes, level, d)), func(id idspace.ID) bool { return !a.inReach(m, id) })
			if len(there) > 0 {
				slot := space.WithDigit(id, level, d)
				a.found(finding{falseHole, m.host.Number(), slot}, whereof{host: m, about: there},
					fmt.Sprintf("slot %d/%x is empty, %s is there", level, d, there[0].Short()))
			}
		}
		nodes = withDigit(space, nodes, level, own)
	}
}

// leaves: the next nodes on the ring are in the leaf set, the dead are not.
func (a *auditor) leaves(m *member) {
	nodes, set := a.run.people.ring, m.host.Node().Tables().Leaves
	if m.leaving {
		return
	}
	if n := len(nodes); n > 1 {
		i, _ := slices.BinarySearchFunc(nodes, m.host.ID(), idspace.Compare)
		a.adjacent(m, set, nodes[(i+1)%n])
		a.adjacent(m, set, nodes[(i+n-1)%n])
	}
	for _, id := range set.All() {
		if h := a.run.world.Host(id); h == nil || h.Down() {
			a.found(finding{ring, m.host.Number(), id}, whereof{host: m, about: []idspace.ID{id}}, fmt.Sprintf("keeps %s in its leaf set, which is down", id.Short()))
		}
	}
}

// relays reports whether a node knows that it cannot reach another, so that requests of which
// that is the root go by way of somebody who can.
func (a *auditor) relays(m *member, root idspace.ID) bool {
	return !a.inReach(m, root) && slices.Contains(m.host.Node().Tables().Away, root)
}

// inReach reports whether there is a way from one node to another, which links need not have:
// whom it cannot reach, a node need not have in its tables.
func (a *auditor) inReach(m *member, id idspace.ID) bool {
	h := a.run.world.Host(id)
	return h == nil || a.run.parted || a.run.world.Reachable(m.host, h)
}

func (a *auditor) adjacent(m *member, set *leafset.Set, id idspace.ID) {
	if !set.Has(id) && a.inReach(m, id) {
		a.found(finding{ring, m.host.Number(), id}, whereof{host: m, about: []idspace.ID{id}}, fmt.Sprintf("%s is next on the ring and not in its leaf set", id.Short()))
	}
}

const (
	// sweep is how much later than it must a holder may forget a pointer.
	sweep = 5 * time.Second
)

// pointers: none outlives its own life, nor by more than a lease that of its server or the
// withdrawal of its object.
func (a *auditor) pointers(m *member) {
	if m.host.Stalled() {
		return // it cannot forget anything now
	}
	store, now := m.host.Node().Pointers(), a.run.world.Now()
	for i := range store.Len() {
		p := store.At(i)
		f := finding{outlived, m.host.Number(), p.GUID}
		if late := now.Sub(p.Until()); late > sweep {
			a.violation(f, fmt.Sprintf("keeps a pointer to %s of %s %v after its end", p.GUID.Short(), p.Server.ID.Short(), late))
			continue
		}
		if since, over := a.run.over(p.GUID, p.Server.ID); over && p.State == pointers.Live && since > lease.Life+sweep {
			a.violation(f, fmt.Sprintf("keeps a pointer to %s of %s, which has been down, or has served it no more, for %v",
				p.GUID.Short(), p.Server.ID.Short(), since))
		}
	}
}

// bounds: links, pointers, timers and what waits stay within their bounds.
func (a *auditor) bounds(m *member) {
	s := m.host.Node().Status(m.host.Now())
	for _, b := range []struct {
		what     string
		is, most int
	}{
		{"links", s.Links, s.LinksCap}, {"timers", m.host.Timers(), maxTimers},
		{"connections", m.host.Conns(), 4*s.LinksCap + 64}, {"envelopes", s.Pending, 8192},
	} {
		if b.is > b.most {
			a.violation(finding{bounded, m.host.Number(), m.host.ID()}, fmt.Sprintf("%d %s, at most %d allowed", b.is, b.what, b.most))
		}
	}
}

// objects: from some nodes, the walk to one of the roots at least passes a pointer to a
// living server.
func (a *auditor) objects(nodes []*member) {
	objects := a.run.objects
	if len(objects) == 0 || len(nodes) == 0 {
		return
	}
	step := max(1, len(objects)/auditObjects)
	for i := 0; i < len(objects); i += step {
		o := objects[i]
		known := slices.ContainsFunc(o.living(), func(s server) bool {
			return a.run.world.Now().Sub(s.since) > time.Second
		})
		if !known {
			continue
		}
		for k := range 3 {
			from := nodes[(i*7+k*len(nodes)/3)%len(nodes)]
			if !a.reaches(from, o) {
				a.found(finding{locatable, from.host.Number(), o.guid}, whereof{anybody: true},
					fmt.Sprintf("no path from here to a root of %s has a pointer to any of its %d servers", o.guid.Short(), len(o.living())))
			}
		}
	}
}

// salts is how many roots an object has by default.
const salts = 4

// reaches walks the paths that a locate would take.
func (a *auditor) reaches(from *member, o *object) bool {
	for salt := range a.run.cfg.Roots {
		key := idspace.Hex.Salted(o.guid, salt, a.run.cfg.Roots)
		h := from.host
		for range wire.MaxHops {
			for _, p := range h.Node().Pointers().Live(o.key(), a.run.world.Now(), wire.MaxFound) {
				if server := a.run.world.Host(p.Server.ID); server != nil && !server.Down() {
					return true
				}
			}
			hop := h.Node().NextHop(key)
			next := a.run.world.Host(hop.To)
			if hop.Rule == wire.Rule_RULE_ROOT || hop.Wait || next == nil || next.Down() {
				break
			}
			h = next
		}
	}
	return false
}
