package published

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// What is published goes in batches, as it did before, as far as there is enough of it: what a batch leaves goes in another one after a
// pause, and by itself in the end, which says why.
const (
	batchSize     = 10_000 // records in a batch
	batchFewest   = 32     // of fewer none is made
	batchTries    = 3
	batchesAtOnce = 2 // one is made while another one travels
)

// several are the records of one application that go together.
type several struct {
	records []Record
	tries   int
	after   time.Time // not begun before
}

// gather takes out of the queue, which is in a random order, what goes in batches.
func (r *Resumption) gather() {
	apps := make(map[string]int)
	for _, record := range r.queue {
		if record.State == Published {
			apps[record.Key.App]++
		}
	}
	open := make(map[string]*several)
	r.queue = slices.DeleteFunc(r.queue, func(record Record) bool {
		app := record.Key.App
		if record.State != Published || open[app] == nil && apps[app] < batchFewest {
			return false
		}
		if open[app] == nil {
			open[app] = new(several)
			r.batches = append(r.batches, open[app])
		}
		b := open[app]
		b.records = append(b.records, record)
		if apps[app]--; len(b.records) == batchSize {
			delete(open, app)
		}
		return true
	})
}

// runBatches deals with all batches, and returns when that is done or ctx has ended.
func (r *Resumption) runBatches(ctx context.Context) {
	var workers sync.WaitGroup
	for range batchesAtOnce {
		workers.Go(func() {
			for ctx.Err() == nil {
				b, wait := r.nextBatch()
				switch {
				case b != nil:
					left, err := r.many(ctx, b.records)
					r.settleBatch(ctx, b, left, err)
					continue
				case wait <= 0:
					return
				}
				select {
				case <-time.After(wait):
				case <-ctx.Done():
				}
			}
		})
	}
	workers.Wait()
}

// nextBatch begins a batch, or says how long to wait for the next one; neither if there is none.
func (r *Resumption) nextBatch() (b *several, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.batches) == 0 {
		return nil, 0
	}
	b = slices.MinFunc(r.batches, func(a, b *several) int { return a.after.Compare(b.after) })
	if wait = time.Until(b.after); wait > 0 {
		return nil, wait
	}
	r.batches = slices.DeleteFunc(r.batches, func(o *several) bool { return o == b })
	for _, record := range b.records {
		r.open[record.Key] = record.State
	}
	r.progress.UnderWay += len(b.records)
	r.progress.Most = max(r.progress.Most, r.progress.UnderWay)
	return b, 0
}

// settleBatch takes note of what a batch has left: another one after a pause, or what goes by itself.
func (r *Resumption) settleBatch(ctx context.Context, b *several, left []Record, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.rouse()
	for _, record := range b.records {
		delete(r.open, record.Key)
	}
	done := len(b.records) - len(left)
	r.progress.UnderWay -= len(b.records)
	r.progress.Done += done
	r.progress.Left -= done
	if len(left) == 0 {
		return
	}
	if ctx.Err() == nil {
		r.progress.Failures++
		r.progress.Last = err
	}
	if b.tries++; b.tries < batchTries && len(left) >= batchFewest {
		mean := pauseFirst << b.tries
		b.records, b.after = left, time.Now().Add(mean/2+rand.N(mean))
		r.batches = append(r.batches, b)
		return
	}
	r.queue = append(r.queue, left...)
}

// rouse has Run look again whether there is anything to do.
func (r *Resumption) rouse() {
	select {
	case r.roused <- struct{}{}:
	default:
	}
}
