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
				b := r.nextBatch()
				if b == nil {
					return
				}
				left, err := r.many(ctx, b.records)
				pause := r.settleBatch(ctx, b, left, err)
				select {
				case <-time.After(pause):
				case <-ctx.Done():
				}
			}
		})
	}
	workers.Wait()
}

func (r *Resumption) nextBatch() *several {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.batches) == 0 {
		return nil
	}
	b := r.batches[0]
	r.batches = r.batches[1:]
	for _, record := range b.records {
		r.open[record.Key] = record.State
	}
	r.progress.UnderWay += len(b.records)
	r.progress.Most = max(r.progress.Most, r.progress.UnderWay)
	return b
}

// settleBatch takes note of what a batch has left, and says how long to wait before the next one.
func (r *Resumption) settleBatch(ctx context.Context, b *several, left []Record, err error) (pause time.Duration) {
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
		return 0
	}
	if ctx.Err() == nil {
		r.progress.Failures++
		r.progress.Last = err
	}
	if b.tries++; b.tries < batchTries && len(left) >= batchFewest {
		b.records = left
		r.batches = append(r.batches, b)
		mean := pauseFirst << b.tries
		return mean/2 + rand.N(mean)
	}
	r.queue = append(r.queue, left...)
	return 0
}

// rouse has Run look again whether there is anything to do.
func (r *Resumption) rouse() {
	select {
	case r.roused <- struct{}{}:
	default:
	}
}
