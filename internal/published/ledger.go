package published

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/namespace"
	"github.com/ipfs/go-datastore/query"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// format is the version of what stands in the datastore.
const format = "1"

var versionKey = datastore.NewKey("version")

// Ledger is the record of what a node publishes. Its methods may be called from any
// number of goroutines.
type Ledger struct {
	store  datastore.Batching // below prefix
	prefix datastore.Key

	mu    sync.Mutex
	turns map[pointers.Key]*Turn // that somebody has or waits for
	// tentative holds what was recorded for a publish that has not yet come to an end: if
	// it fails, the record goes.
	tentative map[pointers.Key]bool
	next      *group // of writes that wait to be committed, nil if there are none

	commits sync.Mutex // held while a group is committed
	tally   tally      // under commits
}

// Open opens the ledger of the node self in a network, and returns what is recorded. What
// cannot be read is an error: to go on without it would be to lose an object, or to bring
// one back, and nobody would know.
func Open(ctx context.Context, store datastore.Batching, network string, self idspace.ID) (*Ledger, []Record, error) {
	prefix := datastore.NewKey("/tapestry/" + network + "/" + self.String() + "/published")
	l := &Ledger{
		store: namespace.Wrap(store, prefix), prefix: prefix,
		turns: map[pointers.Key]*Turn{}, tentative: map[pointers.Key]bool{},
	}
	if err := l.checkVersion(ctx); err != nil {
		return nil, nil, err
	}
	all, err := l.load(ctx)
	if err == nil {
		err = l.checkTally(ctx, all)
	}
	return l, all, err
}

func (l *Ledger) checkVersion(ctx context.Context) error {
	b, err := l.store.Get(ctx, versionKey)
	at := l.prefix.Child(versionKey)
	switch {
	case errors.Is(err, datastore.ErrNotFound):
		if err := l.put(ctx, versionKey, []byte(format)); err != nil {
			return fmt.Errorf("writing %s: %w", at, err)
		}
	case err != nil:
		return fmt.Errorf("reading %s: %w", at, err)
	case string(b) != format:
		return fmt.Errorf("%s is %q, this program reads %q: run the one that wrote it, or a newer one", at, b, format)
	}
	return nil
}

// checkTally counts all records, and compares with what was written of them, if it is there.
func (l *Ledger) checkTally(ctx context.Context, all []Record) error {
	b, err := l.store.Get(ctx, tallyKey)
	switch {
	case errors.Is(err, datastore.ErrNotFound):
	case err != nil:
		return fmt.Errorf("reading %s: %w", l.prefix.Child(tallyKey), err)
	default:
		written, err := decodeTally(b)
		if err == nil {
			err = written.missing(all)
		}
		if err != nil {
			return fmt.Errorf("%s: the datastore is damaged: %w; restore it, or delete %s to go on with what is left, and publish again what is missing",
				l.prefix, err, l.prefix.Child(tallyKey))
		}
	}
	l.tally = tally{doubts: map[datastore.Key]bool{}}
	for _, r := range all {
		l.tally.settle(place(r.Key), r.State)
	}
	return nil
}

func (l *Ledger) load(ctx context.Context) (all []Record, err error) {
	damaged := 0
	for entry, failed := range datastore.QueryIter(ctx, l.store, query.Query{Prefix: objects}) {
		if failed != nil {
			return nil, fmt.Errorf("reading %s: %w", l.prefix, failed)
		}
		at := datastore.NewKey(entry.Key)
		r, wrong := decode(at, entry.Value)
		if wrong == nil {
			all = append(all, r)
			continue
		}
		if damaged++; damaged == 1 {
			err = l.damaged(at, wrong)
		}
	}
	if damaged > 1 {
		err = fmt.Errorf("%d records are damaged, one of them: %w", damaged, err)
	}
	return all, err
}

func (l *Ledger) damaged(at datastore.Key, why error) error {
	return fmt.Errorf("record %s is damaged: %w; delete it or restore the datastore, and publish again what is missing",
		l.prefix.Child(at), why)
}

// Turn is the right to change what is recorded of one object.
type Turn struct {
	ledger *Ledger
	key    pointers.Key
	mu     sync.Mutex
	users  int // who have it or wait for it
}

// Key is whose turn it is.
func (t *Turn) Key() pointers.Key { return t.key }

// Turn waits for the turn of key. Whoever gets it calls End.
func (l *Ledger) Turn(key pointers.Key) *Turn {
	l.mu.Lock()
	t := l.turns[key]
	if t == nil {
		t = &Turn{ledger: l, key: key}
		l.turns[key] = t
	}
	t.users++
	l.mu.Unlock()
	t.mu.Lock()
	return t
}

// End gives the turn to the next.
func (t *Turn) End() {
	t.mu.Unlock()
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(t.ledger.turns, t.key)
	}
}

// State reads what is recorded.
func (t *Turn) State(ctx context.Context) (State, error) {
	at := place(t.key)
	b, err := t.ledger.store.Get(ctx, at)
	if errors.Is(err, datastore.ErrNotFound) {
		return None, nil
	}
	if err != nil {
		return None, fmt.Errorf("reading %s: %w", t.ledger.prefix.Child(at), err)
	}
	s, err := decodeState(at, b)
	if err != nil {
		return None, t.ledger.damaged(at, err)
	}
	return s, nil
}

// Publish records the object as published. Until Placed is told the record is tentative.
func (t *Turn) Publish(ctx context.Context) error {
	was, err := t.State(ctx)
	if err != nil || was == Published {
		return err
	}
	failed := t.set(ctx, was, Published)
	if failed != nil && t.Forget(ctx) == nil {
		return failed // and what was half written does not come back
	}
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	t.ledger.tentative[t.key] = true // if it could not be forgotten now, who gives it up tries again
	return failed
}

// Withdraw records that the object was withdrawn, if it was recorded as published.
func (t *Turn) Withdraw(ctx context.Context) error {
	was, err := t.State(ctx)
	if err == nil && was == Published {
		err = t.set(ctx, was, Withdrawn)
	}
	if err == nil {
		t.ledger.Placed(t.key)
	}
	return err
}

// Forget removes the record.
func (t *Turn) Forget(ctx context.Context) error {
	was, err := t.State(ctx)
	if err == nil && was != None {
		err = t.set(ctx, was, None)
	}
	if err == nil {
		t.ledger.Placed(t.key)
	}
	return err
}

func (t *Turn) set(ctx context.Context, was, is State) error {
	at := place(t.key)
	if err := t.ledger.write(ctx, op{at, was, is}); err != nil {
		return fmt.Errorf("writing %s: %w", t.ledger.prefix.Child(at), err)
	}
	return nil
}

// Tentative reports whether the object was recorded for a publish that has not yet come to
// an end.
func (t *Turn) Tentative() bool {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	return t.ledger.tentative[t.key]
}

// Placed is told that the object of key is served: its record stays.
func (l *Ledger) Placed(key pointers.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.tentative, key)
}
