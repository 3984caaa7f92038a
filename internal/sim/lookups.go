package sim

import (
	"encoding/binary"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
)

// operation is a request that the scenario has made of a node.
type operation interface {
	// arrived: the message was delivered to the application of a node.
	arrived(at *member)
	// ended: the node that asked has its outcome. Not called if that node died before.
	ended(o *env.Outcome)
}

// app is the application of all lookups and objects.
const app = "sim"

// deadline is how long each request may take.
const deadline = 10 * time.Second

// ask makes a request of a node, under a call of its own, for an operation.
func (r *run) ask(m *member, op operation, request func(env.Call) env.Local) {
	r.calls++
	call := env.Call(r.calls)
	r.operations[call] = op
	m.host.Request(request(call))
}

// payload names the operation that a message belongs to.
func payload(call env.Call) []byte { return binary.BigEndian.AppendUint64(nil, uint64(call)) }

func (r *run) operationOf(payload []byte) operation {
	if len(payload) != 8 {
		return nil
	}
	return r.operations[env.Call(binary.BigEndian.Uint64(payload))]
}

// group is ten lookups of one key at once.
type group struct {
	key     idspace.ID
	stats   *stats // among which they count
	window  int
	pending int
	answers []answer
}

// answer is a lookup that has completed.
type answer struct {
	by   idspace.ID
	true bool
}

// lookup is one of a group.
type lookup struct {
	run      *run
	group    *group
	from     *member
	started  mono.Time
	verdicts []answer // of everybody who has answered, when it did
}

// groupSize is how many nodes ask for each key (Bamboo's test).
const groupSize = 10

// lookups asks for a random key from ten nodes, and again after a while.
func (r *run) lookups() {
	if !r.loading {
		return
	}
	r.world.After(r.lookupEvery(), r.lookups)
	asking := r.some(groupSize)
	g := &group{stats: r.stats, window: r.window(), pending: len(asking)}
	for i := 0; i < idspace.Size; i += 8 {
		var word [8]byte
		binary.BigEndian.PutUint64(word[:], r.world.Rand().Uint64())
		copy(g.key[i:], word[:])
	}
	for _, m := range asking {
		l := &lookup{run: r, group: g, from: m, started: r.world.Now()}
		g.stats.asked++
		r.ask(m, l, func(call env.Call) env.Local {
			return &env.SendRequest{Call: call, Key: g.key, App: app, Payload: payload(call), Repeat: true, Deadline: r.world.Now().Add(deadline)}
		})
	}
}

// some draws n different active members.
func (r *run) some(n int) []*member {
	active := r.people.staying()
	picked := make([]*member, 0, n)
	taken := make(map[int]bool, n)
	for len(picked) < min(n, len(active)) {
		if i := r.world.Rand().IntN(len(active)); !taken[i] {
			taken[i] = true
			picked = append(picked, active[i])
		}
	}
	return picked
}

// arrived judges an answerer at the moment when it answers. A node that is taking its
// leave may answer as long as it is asked, and so may whoever comes after it.
func (l *lookup) arrived(at *member) {
	stays, id := l.run.people.rootToStay(l.group.key), at.host.ID()
	l.verdicts = append(l.verdicts, answer{id, id == stays || idspace.Hex.Closer(id, stays, l.group.key)})
}

// verdict is whether an answerer was the root when it answered.
func (l *lookup) verdict(by idspace.ID) bool {
	for _, v := range l.verdicts {
		if v.by == by {
			return v.true
		}
	}
	return false
}

func (l *lookup) ended(o *env.Outcome) {
	s := l.group.stats
	l.group.pending--
	s.judged(l.group.window)
	if o.Status == env.Busy {
		s.refused++
		s.windows[l.group.window].refused++
	}
	if o.Status == env.OK && len(o.Path) > 0 {
		by := o.Path[len(o.Path)-1]
		right := l.verdict(by)
		l.group.answers = append(l.group.answers, answer{by, right})
		s.completed++
		if right {
			s.right++
			s.windows[l.group.window].right++
		}
		s.measure(l, o, by)
	}
	if l.group.pending == 0 {
		s.consistent += l.group.majority()
	}
}

// measure notes how long and how far a lookup has gone.
func (s *stats) measure(l *lookup, o *env.Outcome, by idspace.ID) {
	hops := len(o.Path) - 1
	took := l.run.world.Now().Sub(l.started)
	s.hops.add(float64(hops))
	for len(s.hopsHistogram) <= hops {
		s.hopsHistogram = append(s.hopsHistogram, 0)
	}
	s.hopsHistogram[hops]++
	s.latency.ms(took)
	answerer := l.run.world.Host(by)
	if hops == 0 || answerer == nil {
		return
	}
	if rtt := l.run.rtt(l.from.host, answerer); rtt > 0 {
		s.stretch.add(float64(took) / float64(rtt))
		s.stretchBins.add(rtt, float64(took)/float64(rtt))
	}
}

// majority is how many answers of a group are those of more than half.
func (g *group) majority() int {
	for _, a := range g.answers {
		n := 0
		for _, b := range g.answers {
			if a.by == b.by {
				n++
			}
		}
		if 2*n > len(g.answers) {
			return n
		}
	}
	return 0
}

// abandoned is a lookup whose node died: it is not counted.
func (r *run) abandoned(op operation) {
	l, ok := op.(*lookup)
	if !ok {
		return
	}
	l.group.stats.asked--
	if l.group.pending--; l.group.pending == 0 {
		l.group.stats.consistent += l.group.majority()
	}
}

func (r *run) rtt(a, b *world.Host) time.Duration { return r.places.RTT(a.Place(), b.Place()) }
