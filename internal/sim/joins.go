package sim

import (
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
	"github.com/tapestry-dolr/tapestry/internal/sim/world"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// joins is what it took nodes to become members.
type joins struct {
	failed int
	time   samples
	bytes  samples
}

// sent counts a message: by its kind, and for a joining node if it is to, from or about one.
func (r *run) sent(from, to *world.Host, m wire.Message, size, headers int) {
	r.kinds.add(m, size)
	if b := r.stats.batches; b != nil {
		b.add(m, size)
	}
	if r.loading {
		r.charge(from, to, m, size+headers)
	}
}

func (r *run) charge(from, to *world.Host, m wire.Message, size int) {
	switch x := m.(type) {
	case *wire.Multicast:
		if i := x.Insertion; i != nil {
			if h := r.world.Host(wire.ID(x.Prefix)); h != nil && h != to {
				of(h).bytes += size
				return
			}
		}
	case *wire.Routed:
		if x.BodyKind == wire.BodyKind_BODY_JOIN {
			if h := r.world.Host(wire.ID(x.Key)); h != nil {
				of(h).bytes += size // at every hop of its way
				return
			}
		}
	}
	for _, h := range [...]*world.Host{from, to} {
		if j := of(h); j.at < 0 && j.joining != 0 {
			j.bytes += size
			return
		}
	}
}

// joined notes that a node has become a member.
func (r *run) joined(m *member) {
	if m.at < 0 && m.joining != 0 && r.loading && r.late(m) {
		r.stats.joins.time.ms(r.world.Now().Sub(m.host.Born()))
		r.stats.joins.bytes.add(float64(m.bytes))
	}
}

// late reports whether a node has come since the measured part began.
func (r *run) late(m *member) bool { return !m.host.Born().Before(r.began) }

// joinOneByOne lets one node join, and the next one later.
func (r *run) joinOneByOne() {
	if r.loading && r.newcomer() != nil {
		r.world.After(r.cfg.JoinEvery, r.joinOneByOne)
	}
}

func (j *joins) report() report.Joins {
	return report.Joins{Total: len(j.time), Failed: j.failed, Ms: j.time.quantiles(), BytesMean: j.bytes.mean()}
}
