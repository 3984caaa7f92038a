package tapestry

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// publishBatch publishes distinct objects under one signature, and says which of them are left: those that have failed, with why, and
// with nil those that are still to be tried by themselves.
func (n *Node) publishBatch(ctx context.Context, app AppID, gs []GUID) (left map[GUID]error) {
	if err := checkApp("publish", pointers.Key{App: string(app)}); err != nil {
		return allLeft(gs, err)
	}
	part, err := batch.Build(idspace.Hex, gs, n.settings.roots)
	if err != nil {
		return allLeft(gs, nil) // two of them have one key: by themselves they can be published
	}
	out, err := n.batched(ctx, len(gs), func(ctx context.Context) (*p2p.Asked, error) {
		return n.kept.askBatch(ctx, n, app, gs, batchRequest(app, part))
	})
	switch {
	case out == nil: // it was not asked, or not answered in time: nobody knows what has become of any
		left = allLeft(gs, err)
	case out.Status == env.Limit: // some may have room
		left = allLeft(gs, nil)
	case out.Status == env.OK || out.Status == env.TimedOut:
		left = allLeft(out.Missing, err)
		maps.Copy(left, allLeft(out.Overtaken, &OpError{Op: "publish", Err: ErrBusy}))
	default:
		left = allLeft(gs, err)
	}
	n.kept.endBatch(app, gs, left)
	return left
}

// batched asks for a batch of so many objects, and waits for what comes of it as long as one of that size has.
func (n *Node) batched(ctx context.Context, objects int, ask func(context.Context) (*p2p.Asked, error)) (*env.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout+time.Duration(objects)*time.Second/batchRate)
	defer cancel()
	return n.ended("publish", ID{}, func() (*env.Outcome, error) {
		asked, err := ask(ctx)
		if asked == nil {
			return nil, err
		}
		return asked.Wait(ctx)
	})
}

func batchRequest(app AppID, part *batch.Part) func(env.Call, mono.Time) env.Local {
	return func(c env.Call, until mono.Time) env.Local {
		return &env.PublishBatchRequest{Call: c, App: string(app), Part: part, Deadline: until}
	}
}

// allLeft has what went wrong with many, if anything did, be said of each.
func allLeft(gs []GUID, why error) map[GUID]error {
	left := make(map[GUID]error, len(gs))
	for _, g := range gs {
		left[g] = why
		if op := (*OpError)(nil); errors.As(why, &op) {
			left[g] = &OpError{Op: op.Op, ID: g, Err: op.Err}
		}
	}
	return left
}

// askBatch writes a batch down, and hands it to the core.
func (k *kept) askBatch(ctx context.Context, n *Node, app AppID, gs []GUID, request func(env.Call, mono.Time) env.Local) (*p2p.Asked, error) {
	if k == nil {
		return n.ask(ctx, request)
	}
	turns := k.turns(app, gs)
	defer endAll(turns)
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

func endAll(turns []*published.Turn) {
	for _, t := range turns {
		t.End()
	}
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
func (k *kept) endBatch(app AppID, gs []GUID, left map[GUID]error) {
	if k == nil {
		return
	}
	var mu sync.Mutex
	var failed sync.WaitGroup // as in writeAll: many are forgotten with one commit
	for _, g := range gs {
		key := pointers.Key{GUID: g, App: string(app)}
		mu.Lock()
		why, isLeft := left[g]
		mu.Unlock()
		switch {
		case !isLeft:
			k.ledger.Placed(key)
		case why != nil:
			failed.Go(func() {
				why := k.gaveUp(key, why)
				mu.Lock()
				left[g] = why
				mu.Unlock()
			})
		}
	}
	failed.Wait()
}
