package smallworld

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// scene is one state: all machines and what is under way between them.
//
// Invariants: nothing is under way to a machine that is down but dials; a dial is the
// only nil in a queue.
type scene struct {
	plan     *Plan
	now      mono.Time
	machines []*machine
	keys     []idspace.ID // that all have to agree on
	links    []link       // by from*machines+to
	done     []bool       // of the plan's acts
}

// link is one direction between two machines.
type link struct {
	open, dialing bool
	queue         []wire.Message
}

// newScene lets the members join, one after another.
func newScene(p *Plan) (*scene, error) {
	n := p.machines()
	s := &scene{plan: p, now: mono.Time(time.Hour), links: make([]link, n*n), done: make([]bool, len(p.Acts))}
	for i := range n {
		m, err := newMachine(s, i)
		if err != nil {
			return nil, err
		}
		s.machines = append(s.machines, m)
	}
	s.keys = keysOf(s.machines)
	for i := range p.Members {
		m := s.machines[i]
		m.seeds = []idspace.ID{s.machines[0].id}
		if i == 0 {
			m.seeds = []idspace.ID{}
		}
		m.join(-1)
		if err := s.found(m); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// found waits until the join of a first member is through and nothing is under way.
func (s *scene) found(m *machine) error {
	for end := s.now.Add(time.Minute); !m.member || s.underWay(); s.carry(latency) {
		if s.now >= end {
			return fmt.Errorf("machine %d has not joined before the acts begin", m.number)
		}
	}
	return nil
}

func (s *scene) find(id idspace.ID) *machine {
	for _, m := range s.machines {
		if m.id == id {
			return m
		}
	}
	return nil
}

func (s *scene) link(from, to *machine) *link { return &s.links[from.number*len(s.machines)+to.number] }

func (s *scene) push(from, to *machine, msg wire.Message) {
	if l := s.link(from, to); !to.down {
		l.queue = append(l.queue, msg)
	}
}

// crash takes a machine off the net without a word; what it has sent still arrives.
func (s *scene) crash(m *machine) {
	m.takes(tookCrash, 0)
	m.down, m.timers = true, nil
	for _, from := range s.machines {
		l := s.link(from, m)
		l.queue = nil
		if l.dialing {
			l.queue = []wire.Message{nil}
		}
	}
}

// deliver lets the first of a link's messages arrive.
func (s *scene) deliver(number int) {
	l := &s.links[number]
	from, to := s.machines[number/len(s.machines)], s.machines[number%len(s.machines)]
	msg := l.queue[0]
	l.queue = l.queue[1:]
	switch {
	case msg == nil:
		s.dialed(from, to)
	case !to.down:
		to.step(from, msg)
	}
}

// dialed opens a link, unless the other side has meanwhile.
func (s *scene) dialed(from, to *machine) {
	l, back := s.link(from, to), s.link(to, from)
	l.dialing = false
	switch {
	case from.down:
	case to.down:
		from.local(&env.Unreachable{Peer: to.id}, to.number)
	case !l.open:
		l.open, back.open = true, true
		to.hello(from)
		from.hello(to)
	}
}

func (m *machine) hello(from *machine) {
	m.takes(tookHello, from.number)
	m.node.Step(m, from.id, &wire.Hello{Version: 1, Network: network, Record: from.record})
}

// act lets one act of the plan happen.
func (s *scene) act(i int) {
	a := s.plan.Acts[i]
	m := s.machines[a.Who]
	s.done[i] = true
	switch a.What {
	case Join:
		for _, seed := range a.Seeds {
			m.seeds = append(m.seeds, s.machines[seed].id)
		}
		m.join(i)
	case Leave:
		m.leaving = true
		m.local(&env.LeaveRequest{Call: 2}, i)
	case Crash:
		s.crash(m)
	}
}

// next is the machine whose timer comes first.
func (s *scene) next() (first *machine) {
	for _, m := range s.machines {
		if t := m.due(); t != nil && (first == nil || t.at < first.due().at) {
			first = m
		}
	}
	return first
}

// tick goes on to the next timer.
func (s *scene) tick() {
	m := s.next()
	s.now = max(s.now, m.due().at)
	m.fire()
}

// hash tells states apart; see the package comment.
func (s *scene) hash() uint64 {
	h := mix(1, uint64(s.now))
	for _, m := range s.machines {
		h = mix(h, m.history)
	}
	for i := range s.links {
		h = mix(h, uint64(len(s.links[i].queue)))
	}
	return h
}
