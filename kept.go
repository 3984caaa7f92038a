package tapestry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ipfs/go-log/v2"
	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/published"
)

var logger = log.Logger("tapestry/pub")

const (
	// afterlife is how long somebody may hold what an earlier life of this node has published: its last
	// token speaks for that as long as any, and some time later the holder looks.
	afterlife = lease.Life + lease.Period
	// forgetTime bounds removing a record.
	forgetTime = 5 * time.Second
)

// kept is what of a node's publishing outlives it. A nil *kept keeps nothing.
type kept struct {
	node       *Node
	ledger     *published.Ledger
	resumption *published.Resumption
	since      time.Time

	ctx     context.Context // ends when the node leaves or closes
	end     context.CancelFunc
	running sync.WaitGroup
}

// openKept reads what an earlier life of n has left.
func openKept(n *Node) (*kept, error) {
	if n.settings.store == nil {
		return nil, nil
	}
	k := &kept{node: n, since: time.Now()}
	k.ctx, k.end = context.WithCancel(context.Background())
	ledger, records, err := published.Open(k.ctx, n.settings.store, n.settings.network, n.id)
	if err != nil {
		k.end()
		return nil, fmt.Errorf("%w: %w", ErrDatastore, err)
	}
	k.ledger = ledger
	k.resumption = published.NewResumption(records, published.Deal{One: k.again, Many: k.againTogether, Warn: func(err error) {
		logger.Warnw("what was published before cannot be published again for now", "network", n.settings.network, "error", err)
	}})
	return k, nil
}

// start publishes again what was published before, once the node is a member.
func (k *kept) start() {
	if k == nil || k.resumption.Progress().Left == 0 {
		return
	}
	k.running.Go(func() {
		select {
		case <-k.node.ready:
			k.resumption.Run(k.ctx)
		case <-k.ctx.Done():
		}
	})
}

// stop ends that, done or not.
func (k *kept) stop() {
	if k == nil {
		return
	}
	k.end()
	k.running.Wait()
}

// again does for one record of an earlier life what it says.
func (k *kept) again(ctx context.Context, r published.Record) error {
	ctx, cancel := k.node.limit(ctx)
	defer cancel()
	asked, err := k.askAgain(ctx, r)
	if asked == nil {
		return err
	}
	out, err := asked.Wait(ctx)
	if err == nil {
		err = outcomeError(out)
	}
	if r.State == published.Withdrawn && (err == nil || time.Since(k.since) > afterlife) {
		return k.withdrawn(r.Key)
	}
	return err
}

// againTogether publishes records of one application again, as one batch, and says which of them are left.
func (k *kept) againTogether(ctx context.Context, records []published.Record) (left []published.Record, err error) {
	out, err := k.node.batched(ctx, len(records), func(ctx context.Context) (*p2p.Asked, error) { return k.askTogether(ctx, records) })
	switch {
	case out == nil && err == nil: // nothing had to be asked
		return nil, nil
	case out == nil || out.Status != env.OK && out.Status != env.TimedOut:
		return records, err
	}
	missing := make(map[GUID]bool, len(out.Missing))
	for _, g := range out.Missing {
		missing[g] = true
	}
	for _, r := range records {
		if missing[r.Key.GUID] {
			left = append(left, r)
		}
	}
	if len(left) > 0 && err == nil {
		err = &OpError{Op: "publish", ID: left[0].Key.GUID, Err: errFewRoots}
	}
	return left, err
}

var errFewRoots = errors.New("too few roots are known to have it")

// askTogether asks the core, of those of which this life has said nothing meanwhile. It returns nothing if there are none.
func (k *kept) askTogether(ctx context.Context, records []published.Record) (*p2p.Asked, error) {
	app := AppID(records[0].Key.App)
	gs := make([]GUID, len(records))
	for i, r := range records {
		gs[i] = r.Key.GUID
	}
	turns := k.turns(app, gs)
	defer endAll(turns)
	var still []GUID
	for _, t := range turns {
		state, err := t.State(ctx)
		if err != nil {
			return nil, err
		}
		if state == published.Published {
			still = append(still, t.Key().GUID)
		}
	}
	if still = k.node.unsettled(app, still); len(still) == 0 {
		return nil, nil
	}
	part, err := batch.Build(idspace.Hex, still, k.node.settings.roots)
	if err != nil {
		return nil, err
	}
	return k.node.ask(ctx, batchRequest(app, part))
}

// askAgain asks the core, unless this life has meanwhile said something else of the
// object, or the same.
func (k *kept) askAgain(ctx context.Context, r published.Record) (*p2p.Asked, error) {
	turn := k.ledger.Turn(r.Key)
	defer turn.End()
	state, err := turn.State(ctx)
	if err != nil || state != r.State || state == published.Published && k.node.stands(r.Key) {
		return nil, err
	}
	if state == published.Withdrawn {
		return k.node.ask(ctx, unpublishRequest(r.Key))
	}
	return k.node.ask(ctx, publishRequest(r.Key, env.PublishRequest{}))
}

// withdrawn forgets an object whose roots know that it was withdrawn.
func (k *kept) withdrawn(key pointers.Key) error {
	ctx, cancel := context.WithTimeout(context.Background(), forgetTime)
	defer cancel()
	turn := k.ledger.Turn(key)
	defer turn.End()
	if state, err := turn.State(ctx); err != nil || state != published.Withdrawn {
		return err
	}
	return turn.Forget(ctx)
}

// do is Node.do for a request about an object: what it asks for is written down first.
func (k *kept) do(ctx context.Context, op string, key pointers.Key, write func(*published.Turn, context.Context) error,
	request func(env.Call, mono.Time) env.Local,
) error {
	ctx, cancel := k.node.limit(ctx)
	defer cancel()
	_, err := k.node.ended(op, key.GUID, func() (*env.Outcome, error) {
		asked, err := k.ask(ctx, key, write, request)
		if err != nil {
			return nil, err
		}
		return asked.Wait(ctx)
	})
	return err
}

func (k *kept) ask(ctx context.Context, key pointers.Key, write func(*published.Turn, context.Context) error,
	request func(env.Call, mono.Time) env.Local,
) (*p2p.Asked, error) {
	turn := k.ledger.Turn(key)
	defer turn.End()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := write(turn, ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDatastore, err)
	}
	return k.node.ask(ctx, request)
}

// publish writes the object down and publishes it. What was not published, and is not
// served, is not written down any more afterwards.
func (k *kept) publish(ctx context.Context, key pointers.Key) error {
	err := k.do(ctx, "publish", key, (*published.Turn).Publish, publishRequest(key, env.PublishRequest{}))
	if err == nil {
		k.ledger.Placed(key)
		return nil
	}
	return k.gaveUp(key, err)
}

// gaveUp gives up an object whose publish has failed, and adds to why what else goes wrong.
func (k *kept) gaveUp(key pointers.Key, why error) error {
	if failed := k.giveUp(key); failed != nil {
		failed = fmt.Errorf("%w: %w: the object will be published when the node is started again", ErrDatastore, failed)
		return errors.Join(why, &OpError{Op: "publish", ID: key.GUID, Err: failed})
	}
	return why
}

func (k *kept) giveUp(key pointers.Key) error {
	ctx, cancel := context.WithTimeout(context.Background(), forgetTime)
	defer cancel()
	turn := k.ledger.Turn(key)
	defer turn.End()
	switch {
	case !turn.Tentative():
		return nil
	case k.node.serves(key):
		k.ledger.Placed(key)
		return nil
	}
	return turn.Forget(ctx)
}

// unpublish writes down that the object is withdrawn, withdraws it, and forgets it once its
// roots know.
func (k *kept) unpublish(ctx context.Context, key pointers.Key) error {
	if err := k.do(ctx, "unpublish", key, (*published.Turn).Withdraw, unpublishRequest(key)); err != nil {
		return err
	}
	if err := k.withdrawn(key); err != nil {
		// The next start withdraws it once more, which does no harm.
		logger.Warnw("a withdrawn object cannot be forgotten", "guid", key.GUID, "error", err)
	}
	return nil
}

// left lists what was published before and is still to be published again.
func (k *kept) left() []pointers.Key {
	if k == nil {
		return nil
	}
	return k.resumption.Left()
}

// serves reports whether the core serves an object.
func (n *Node) serves(key pointers.Key) (yes bool) {
	n.world.Inspect(func(core *node.Node) { yes = core.Publishes(key) })
	return yes
}

// stands reports whether enough roots know that this life of n serves an object.
func (n *Node) stands(key pointers.Key) (yes bool) {
	n.world.Inspect(func(core *node.Node) { yes = core.Stands(key) })
	return yes
}

// unsettled lists those of some objects that too few roots are known to have from this life of n.
func (n *Node) unsettled(app AppID, gs []GUID) (left []GUID) {
	n.world.Inspect(func(core *node.Node) {
		for _, g := range gs {
			if !core.Stands(pointers.Key{GUID: g, App: string(app)}) {
				left = append(left, g)
			}
		}
	})
	return left
}

// Resume is how far a node is with publishing again what it published before it was
// started, and with withdrawing what it had no time to withdraw.
type Resume struct {
	Done      int    `json:"done"`
	Left      int    `json:"left"`
	UnderWay  int    `json:"under_way"` // of those left
	Most      int    `json:"most"`      // the most that were under way at once
	Failures  int    `json:"failures"`  // attempts that failed; each is repeated
	LastError string `json:"last_error,omitempty"`
}

func (k *kept) status() (s Resume) {
	if k == nil {
		return s
	}
	p := k.resumption.Progress()
	s = Resume{Done: p.Done, Left: p.Left, UnderWay: p.UnderWay, Most: p.Most, Failures: p.Failures}
	if p.Last != nil {
		s.LastError = p.Last.Error()
	}
	return s
}
