package smallworld

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/surrogate"
)

const (
	// latency is how long a message takes once orders are no longer tried.
	latency = 5 * time.Millisecond
	// glance is how often an overlay that becomes whole is looked at.
	glance = 500 * time.Millisecond
)

// carry lets d of virtual time pass: every message takes the latency, timers fire when
// they are due.
func (s *scene) carry(d time.Duration) {
	for end := s.now.Add(d); s.now < end; {
		s.round()
		until := min(end, s.now.Add(latency))
		if !s.underWay() {
			m := s.next()
			if m == nil || m.due().at >= end {
				s.now = end
				return
			}
			until = max(s.now, m.due().at)
		}
		for m := s.next(); m != nil && m.due().at <= until; m = s.next() {
			s.tick()
		}
		s.now = max(s.now, until)
	}
}

// round delivers what is under way at its beginning.
func (s *scene) round() {
	many := make([]int, len(s.links))
	for i := range s.links {
		many[i] = len(s.links[i].queue)
	}
	for i, n := range many {
		for range n {
			if len(s.links[i].queue) > 0 { // a departure may have emptied it
				s.deliver(i)
			}
		}
	}
}

func (s *scene) underWay() bool {
	for i := range s.links {
		if len(s.links[i].queue) > 0 {
			return true
		}
	}
	return false
}

// settle lets what has not happened yet happen, and waits until the overlay is whole.
func (s *scene) settle(patience time.Duration) (err error) {
	for i, done := range s.done {
		if !done {
			s.act(i)
		}
	}
	for end := s.now.Add(patience); s.now < end; {
		s.carry(glance)
		if err = s.whole(); err == nil {
			return nil
		}
		for _, m := range s.machines {
			if m.refused && !m.down {
				m.join(-1) // as its operator would
			}
		}
	}
	return fmt.Errorf("not whole within %v: %w", patience, err)
}

// whole says what is not as it has to be: every machine that is up is a member, its
// tables hold what they promise, and from each the way to every key ends at the root that
// brute force finds.
func (s *scene) whole() error {
	var up []*machine
	var ids []idspace.ID
	for _, m := range s.machines {
		if m.down {
			continue
		}
		if m.leaving || !m.node.Active() {
			return fmt.Errorf("machine %d is %s", m.number, m.node.Status(s.now).Phase)
		}
		up, ids = append(up, m), append(ids, m.id)
	}
	for _, m := range up {
		if err := m.node.Check(); err != nil {
			return fmt.Errorf("machine %d: %w", m.number, err)
		}
		for _, key := range s.keys {
			if err := s.follow(m, key, surrogate.Root(idspace.Hex, ids, key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// keysOf are a key of every first digit, and the identifiers of the machines.
func keysOf(machines []*machine) (keys []idspace.ID) {
	for d := range idspace.Digit(idspace.Hex.Radix()) {
		keys = append(keys, idspace.Hex.WithDigit(idspace.Hash([]byte("small world")), 0, d))
	}
	for _, m := range machines {
		keys = append(keys, m.id)
	}
	return keys
}

// follow goes the way to a key.
func (s *scene) follow(m *machine, key, root idspace.ID) error {
	for at := m; ; {
		hop := at.node.NextHop(key)
		next := s.find(hop.To)
		switch {
		case hop.Wait || next == nil || next.down:
			return fmt.Errorf("from machine %d the way to %s stops at machine %d", m.number, key.Short(), at.number)
		case hop.Rule == wire.Rule_RULE_ROOT && at.id == root:
			return nil
		case hop.Rule == wire.Rule_RULE_ROOT:
			return fmt.Errorf("machine %d takes machine %d for the root of %s, which is machine %d",
				m.number, at.number, key.Short(), s.find(root).number)
		case !idspace.Hex.Closer(next.id, at.id, key):
			return fmt.Errorf("machine %d passes %s on to machine %d, which is no closer", at.number, key.Short(), next.number)
		}
		at = next
	}
}
