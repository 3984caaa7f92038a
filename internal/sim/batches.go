package sim

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// With --batch the objects that a run begins with are published as batches of so many by ten servers, each batch by --replicas of them,
// and a server's own one after the other.
const batchServers = 10

// batchDeadline is how long a batch may take: of many objects, over links that are shared.
const batchDeadline = 60 * time.Second

// batches is what publishing them came to.
type batches struct {
	objects, missing int // of all servers
	took             samples
	path, copies     count // deposits: along paths, and beside them
	rest             count // what confirms deposits, and answers them
}

// add counts a message, if it is about pointers.
func (b *batches) add(m wire.Message, size int) {
	to := &b.rest
	switch m := m.(type) {
	case *wire.Deposit:
		if to = &b.path; m.Copy != wire.Copy_COPY_PATH {
			to = &b.copies
		}
	case *wire.Refresh, *wire.RefreshReply, *wire.Placed, *wire.Listing, *wire.Wanted:
	default:
		return
	}
	to.messages++
	to.bytes += uint64(size)
}

// publishBatches lays the objects that the run begins with as batches.
func (r *run) publishBatches() {
	st := r.stats
	st.began, st.batches = r.kinds, &batches{}
	servers := r.honest(max(batchServers, r.cfg.Replicas))
	queues := make(map[*member][]func(then func()))
	for left := r.cfg.Objects; left > 0; {
		var objects []*object
		for range min(left, r.cfg.Batch) {
			objects = append(objects, &object{guid: r.guid()})
		}
		left -= len(objects)
		r.objects = append(r.objects, objects...)
		part := r.batch(objects)
		for i := range r.cfg.Replicas {
			by := servers[i%len(servers)]
			queues[by] = append(queues[by], func(then func()) { r.publishBatch(objects, part, by, then) })
		}
		servers = append(servers[1:], servers[0])
	}
	for _, by := range servers {
		r.world.After(time.Duration(r.world.Rand().Int64N(int64(time.Second))), func() { inTurn(queues[by]) })
	}
	for r.world.Run(time.Second); st.batches.objects < r.cfg.Objects*r.cfg.Replicas && len(r.operations) > 0; {
		r.world.Run(time.Second)
	}
	r.world.Run(3 * time.Second)
	st.laid = r.kinds
	for _, m := range r.people.active {
		st.pointersLaid += m.host.Node().Pointers().Len()
	}
	st.batchReport, st.batches = st.batches.report(r.cfg), nil
}

func (r *run) batch(objects []*object) *batch.Part {
	var guids []idspace.ID
	for _, o := range objects {
		guids = append(guids, o.guid)
	}
	part, err := batch.Build(idspace.Hex, guids, r.cfg.Roots)
	if err != nil {
		panic(fmt.Sprintf("sim: %v", err))
	}
	return part
}

// inTurn does one thing after the other.
func inTurn(queue []func(then func())) {
	if len(queue) > 0 {
		queue[0](func() { inTurn(queue[1:]) })
	}
}

func (r *run) publishBatch(objects []*object, part *batch.Part, by *member, then func()) {
	p, st := &publishing{started: r.world.Now()}, r.stats
	st.offered += len(objects)
	for _, o := range objects {
		r.history.begun(o, by)
	}
	p.done = func(out *env.Outcome) {
		left := make(map[idspace.ID]bool)
		for _, guid := range out.Missing {
			left[guid] = true
		}
		b := st.batches
		if b != nil {
			b.objects += len(objects)
			b.took.ms(r.world.Now().Sub(p.started))
		}
		for _, o := range objects {
			switch {
			case !left[o.guid] && (out.Status == env.OK || out.Status == env.TimedOut):
				st.placed++
				st.published++
				o.servers = append(o.servers, server{by, r.world.Now()})
				r.history.done(o, by)
			case b != nil:
				b.missing++
			}
		}
		then()
	}
	r.ask(by, p, func(call env.Call) env.Local {
		return &env.PublishBatchRequest{Call: call, App: app, Part: part, Deadline: r.world.Now().Add(batchDeadline)}
	})
}

func (b *batches) report(cfg Config) *report.Batches {
	per := func(n uint64) float64 { return float64(n) / float64(max(b.objects*cfg.Roots, 1)) }
	return &report.Batches{
		Size: cfg.Batch, PlacedRatio: 1 - ratio(b.missing, b.objects), Ms: b.took.ends(),
		PathBytes: per(b.path.bytes), PathMessages: per(b.path.messages),
		CopyBytes: per(b.copies.bytes), CopyMessages: per(b.copies.messages),
		ConfirmBytes: per(b.rest.bytes), ConfirmMessages: per(b.rest.messages),
	}
}
