package tapestry

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/published"
)

// publishBatch publishes distinct objects under one signature, and says which of them are left: with an error they have failed,
// without one each is still to be tried by itself.
func (n *Node) publishBatch(ctx context.Context, app AppID, gs []GUID) (left []GUID, err error) {
	if err := checkApp("publish", pointers.Key{App: string(app)}); err != nil {
		return gs, err
	}
	part, err := batch.Build(idspace.Hex, gs, n.settings.roots)
	if err != nil {
		return gs, nil //nolint:nilerr // two of them have one key: by themselves they can be published
	}
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout+time.Duration(len(gs))*time.Second/batchRate)
	defer cancel()
	request := func(c env.Call, until mono.Time) env.Local {
		return &env.PublishBatchRequest{Call: c, App: string(app), Part: part, Deadline: until}
	}
	out, err := n.ended("publish", ID{}, func() (*env.Outcome, error) {
		asked, err := n.kept.askBatch(ctx, n, app, gs, request)
		if err != nil {
			return nil, err
		}
		return asked.Wait(ctx)
	})
	switch {
	case out == nil: // it was not asked, or not answered in time: nobody knows what has become of any
		left = gs
	case out.Status == env.Limit:
		return gs, nil // some may have room
	case out.Status == env.OK || out.Status == env.TimedOut:
		left = out.Missing
	default:
		left = gs
	}
	return left, n.kept.endBatch(app, gs, left, err)
}

// askBatch writes a batch down, and hands it to the core.
func (k *kept) askBatch(ctx context.Context, n *Node, app AppID, gs []GUID, request func(env.Call, mono.Time) env.Local) (*p2p.Asked, error) {
	if k == nil {
		return n.ask(ctx, request)
	}
	turns := k.turns(app, gs)
	defer func() {
		for _, t := range turns {
			t.End()
		}
	}()
	if err := k.writeAll(ctx, turns); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDatastore, err)
	}
	return n.ask(ctx, request)
}

// turns takes the turns of all objects of a batch: in their order, so that no two batches wait for each other.
func (k *kept) turns(app AppID, gs []GUID) (turns []*published.Turn) {
	sorted := slices.SortedFunc(slices.Values(gs), idspace.Compare)
	for _, g := range sorted {
		turns = append(turns, k.ledger.Turn(pointers.Key{GUID: g, App: string(app)}))
	}
	return turns
}

// writeAll writes objects down, many with one commit. It says the first thing that went wrong.
func (k *kept) writeAll(ctx context.Context, turns []*published.Turn) error {
	var writers sync.WaitGroup
	errs := make([]error, len(turns))
	for i, t := range turns {
		writers.Go(func() { errs[i] = t.Publish(ctx) })
	}
	writers.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}

// endBatch has the records of what was placed stay, and takes back those of what has failed. What is left without having failed is
// tried by itself, which sees to its record.
func (k *kept) endBatch(app AppID, gs, left []GUID, err error) error {
	if k == nil {
		return err
	}
	failed := make(map[GUID]bool, len(left))
	for _, g := range left {
		failed[g] = true
	}
	for _, g := range gs {
		key := pointers.Key{GUID: g, App: string(app)}
		switch {
		case !failed[g]:
			k.ledger.Placed(key)
		case err != nil:
			if lasts := k.giveUp(key); lasts != nil {
				err = &OpError{Op: "publish", ID: g, Err: fmt.Errorf("%w: %w: the object will be published when the node is started again", ErrDatastore, lasts)}
			}
		}
	}
	return err
}
