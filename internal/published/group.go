package published

import (
	"context"
	"errors"

	"github.com/ipfs/go-datastore"
)

// op is one write: the record at a place, which was so before, becomes State; None deletes it.
type op struct {
	at      datastore.Key
	was, is State
}

// group is what is written by one commit: a disk takes as long for many as for one.
type group struct {
	ops  []op
	done chan struct{}
	err  error // once done is closed
}

// write brings o to the disk. The first who comes while a commit is under way commits
// next, for all who come meanwhile.
func (l *Ledger) write(ctx context.Context, o op) error {
	g, first := l.enlist(o)
	if first {
		l.commits.Lock()
		defer l.commits.Unlock()
		l.mu.Lock()
		l.next = nil
		l.mu.Unlock()
		g.err = l.commit(context.WithoutCancel(ctx), g.ops) // others depend on it
		close(g.done)
	}
	<-g.done
	return g.err
}

func (l *Ledger) enlist(o op) (g *group, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		l.next, first = &group{done: make(chan struct{})}, true
	}
	l.next.ops = append(l.next.ops, o)
	return l.next, first
}

// commit writes the tally that ops leave untouched, then ops.
func (l *Ledger) commit(ctx context.Context, ops []op) error {
	before := l.tally.clone()
	for _, o := range ops {
		l.tally.doubt(o.at, o.was)
	}
	if err := l.put(ctx, tallyKey, l.tally.encode()); err != nil {
		l.tally = before // nothing of ops was tried
		return err
	}
	if err := l.apply(ctx, ops); err != nil {
		return err
	}
	for _, o := range ops {
		l.tally.settle(o.at, o.is)
	}
	return nil
}

func (l *Ledger) put(ctx context.Context, at datastore.Key, value []byte) error {
	return errors.Join(l.store.Put(ctx, at, value), l.store.Sync(ctx, at))
}

func (l *Ledger) apply(ctx context.Context, ops []op) error {
	b, err := l.store.Batch(ctx)
	if errors.Is(err, datastore.ErrBatchUnsupported) {
		b, err = datastore.NewBasicBatch(l.store), nil
	}
	if err != nil {
		return err
	}
	for _, o := range ops {
		if o.is == None {
			err = b.Delete(ctx, o.at)
		} else {
			err = b.Put(ctx, o.at, encode(o.at, o.is))
		}
		if err != nil {
			return err
		}
	}
	if err := b.Commit(ctx); err != nil {
		return err
	}
	return l.store.Sync(ctx, datastore.NewKey("/"))
}
