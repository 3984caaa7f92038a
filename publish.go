package tapestry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// publishWindow is how many objects PublishObjects has under way at once: enough to
// hide round trips. With 32, eight servers that publish at once over loopback queue
// so long that hops are sent again, and nothing is done sooner.
const publishWindow = 8

// PublishObject tells the overlay that this node serves the object g for app, and
// keeps telling it until UnpublishObject, Leave or Close. It returns nil when the
// roots asked for have acknowledged. Publishing again what is published refreshes it.
// A first publish that ends with ErrLimit leaves nothing behind.
// With a datastore (WithDatastore) the object is written down first, and published again
// whenever the node is started again, until UnpublishObject.
func (n *Node) PublishObject(ctx context.Context, g GUID, app AppID) error {
	key := pointers.Key{GUID: g, App: string(app)}
	if err := checkApp("publish", key); err != nil {
		return err
	}
	if n.kept != nil {
		return n.kept.publish(ctx, key)
	}
	_, err := n.do(ctx, "publish", g, publishRequest(key, env.PublishRequest{}))
	return err
}

func publishRequest(key pointers.Key, how env.PublishRequest) func(env.Call, mono.Time) env.Local {
	return func(c env.Call, until mono.Time) env.Local {
		how.Call, how.GUID, how.App, how.Deadline = c, key.GUID, key.App, until
		return &how
	}
}

// Published lists what this node serves. That includes what it published before it was started
// and has still to publish again (Status.Resume).
func (n *Node) Published() iter.Seq2[GUID, AppID] {
	return func(yield func(GUID, AppID) bool) {
		keys := n.kept.left()
		n.world.Inspect(func(core *node.Node) { keys = append(keys, core.Published()...) })
		slices.SortFunc(keys, pointers.Key.Compare)
		for _, k := range slices.Compact(keys) {
			if !yield(k.GUID, AppID(k.App)) {
				return
			}
		}
	}
}

// PublishReport is what became of a PublishObjects.
type PublishReport struct {
	Placed int              `json:"placed"` // objects whose roots have acknowledged
	Failed []PublishFailure `json:"failed"` // the others, in no particular order
}

// PublishFailure is one object that was not published, and why.
type PublishFailure struct {
	GUID   GUID   `json:"guid"`
	Reason string `json:"reason"` // Err as text
	Err    error  `json:"-"`
}

// PublishObjects publishes every object of gs, several at a time, each with its own
// share of patience: ctx bounds the whole, DefaultTimeout each object. It always
// reports; the error is not nil if any object failed or ctx ended before the last.
func (n *Node) PublishObjects(ctx context.Context, app AppID, gs iter.Seq[GUID]) (PublishReport, error) {
	work := make(chan GUID)
	var all tally
	var workers sync.WaitGroup
	for range publishWindow {
		workers.Go(func() {
			for g := range work {
				all.add(g, n.publishOne(ctx, g, app))
			}
		})
	}
	err := feed(ctx, work, gs)
	close(work)
	workers.Wait()
	return all.report, publishError(all.report, err)
}

func (n *Node) publishOne(ctx context.Context, g GUID, app AppID) error {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	return n.PublishObject(ctx, g, app)
}

func feed(ctx context.Context, work chan<- GUID, gs iter.Seq[GUID]) error {
	for g := range gs {
		select {
		case work <- g:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func publishError(r PublishReport, stopped error) error {
	if stopped != nil {
		return &OpError{Op: "publish", Err: stopped}
	}
	if len(r.Failed) == 0 {
		return nil
	}
	first := r.Failed[0].Err
	var op *OpError
	if errors.As(first, &op) {
		first = op.Err
	}
	return &OpError{Op: "publish", Err: fmt.Errorf("%d of %d objects failed, the first with: %w",
		len(r.Failed), r.Placed+len(r.Failed), first)}
}

// tally collects the report of objects that are published side by side.
type tally struct {
	mu     sync.Mutex
	report PublishReport
}

func (t *tally) add(g GUID, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.report.Placed++
		return
	}
	t.report.Failed = append(t.report.Failed, PublishFailure{GUID: g, Reason: err.Error(), Err: err})
}

// UnpublishObject takes the object g of app back: when it returns nil the roots, and
// the nodes on the way to them, have forgotten that this node serves it. A node that
// was on the way when it was published and is no longer may still name this node until
// it forgets what nobody vouches for, within two minutes; this node refuses what it is sent.
// Unpublishing what is not published does nothing. With a datastore that is written down
// before anybody is told: whatever happens then, the object is not published again.
func (n *Node) UnpublishObject(ctx context.Context, g GUID, app AppID) error {
	key := pointers.Key{GUID: g, App: string(app)}
	if err := checkApp("unpublish", key); err != nil {
		return err
	}
	if n.kept != nil {
		return n.kept.unpublish(ctx, key)
	}
	_, err := n.do(ctx, "unpublish", g, unpublishRequest(key))
	return err
}

func unpublishRequest(key pointers.Key) func(env.Call, mono.Time) env.Local {
	return func(c env.Call, until mono.Time) env.Local {
		return &env.UnpublishRequest{Call: c, GUID: key.GUID, App: key.App, Deadline: until}
	}
}
