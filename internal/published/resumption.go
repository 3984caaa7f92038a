package published

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

const (
	// spread is the longest that a resumption waits before it begins: of nodes that were
	// started together not all begin together.
	spread = time.Second
	// pauseFirst and pauseMost bound the mean pause after a failure: it doubles from one to
	// the next, until something succeeds.
	pauseFirst = time.Second
	pauseMost  = time.Minute
)

// Progress is how far a resumption is.
type Progress struct {
	Done     int // records that were dealt with
	Left     int // records that were not, those under way among them
	UnderWay int
	Most     int   // that were under way at once
	Failures int   // attempts that failed; each is repeated
	Last     error // of the last failure since something succeeded, nil if nothing failed
}

// Resumption deals with the records of an earlier life.
type Resumption struct {
	do     func(context.Context, Record) error
	many   func(context.Context, []Record) (left []Record, err error)
	warn   func(error)
	roused chan struct{}

	mu       sync.Mutex
	queue    []Record
	batches  []*several
	open     map[pointers.Key]State // under way
	progress Progress
	alone    int // of those under way go by themselves
	pace     pace
	failing  int // rounds that failed since something succeeded
}

// result is what became of one attempt.
type result struct {
	record Record
	number uint64
	err    error
}

// Deal is how records are dealt with. One does it for a record; Many for published ones of one application, and says which of them are
// left, and what was wrong with the first: nil if each goes by itself. Warn, which must not call back, is told when something fails after a success.
type Deal struct {
	One  func(context.Context, Record) error
	Many func(context.Context, []Record) (left []Record, err error)
	Warn func(error)
}

// NewResumption returns a resumption that deals with each record until that has succeeded.
func NewResumption(records []Record, d Deal) *Resumption {
	r := &Resumption{
		do: d.One, many: d.Many, warn: d.Warn, roused: make(chan struct{}, 1),
		queue: slices.Clone(records), open: map[pointers.Key]State{}, pace: newPace(),
	}
	rand.Shuffle(len(r.queue), func(a, b int) { r.queue[a], r.queue[b] = r.queue[b], r.queue[a] })
	// What was withdrawn goes first: until then somebody may look for it here.
	slices.SortStableFunc(r.queue, func(a, b Record) int { return int(b.State) - int(a.State) })
	r.progress.Left = len(records)
	if d.Many != nil {
		r.gather()
	}
	return r
}

// Progress is how far it is.
func (r *Resumption) Progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}

// Left lists what is published and was not yet dealt with.
func (r *Resumption) Left() (keys []pointers.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, state := range r.open { // unordered: the caller is promised no order
		if state == Published {
			keys = append(keys, key)
		}
	}
	for _, b := range r.batches {
		for _, record := range b.records {
			keys = append(keys, record.Key)
		}
	}
	for _, record := range r.queue {
		if record.State == Published {
			keys = append(keys, record.Key)
		}
	}
	return keys
}

// Run deals with all records, and returns when that is done or ctx has ended; nothing is
// under way then.
func (r *Resumption) Run(ctx context.Context) {
	select {
	case <-time.After(rand.N(spread)):
	case <-ctx.Done():
		return
	}
	var batches sync.WaitGroup
	defer batches.Wait()
	batches.Go(func() { r.runBatches(ctx) })
	results := make(chan result, maxWindow)
	var hold <-chan time.Time
	for !r.finished() {
		if hold == nil {
			r.launch(ctx, results)
		}
		select {
		case <-hold:
			hold = nil
		case <-r.roused:
		case res := <-results:
			if pause := r.settle(ctx, res); pause > 0 {
				hold = time.After(pause)
			}
		case <-ctx.Done():
			batches.Wait()
			for r.Progress().UnderWay > 0 {
				r.settle(ctx, <-results)
			}
			return
		}
	}
}

func (r *Resumption) finished() bool { return r.Progress().Left == 0 }

// launch begins as many as there is room for.
func (r *Resumption) launch(ctx context.Context, results chan<- result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.queue) > 0 && r.pace.room(r.alone) {
		record, number := r.queue[0], r.pace.begin()
		r.queue = r.queue[1:]
		r.alone++
		r.progress.UnderWay++
		r.progress.Most = max(r.progress.Most, r.progress.UnderWay)
		r.open[record.Key] = record.State
		go func() { results <- result{record, number, r.do(ctx, record)} }()
	}
	if len(r.queue) == 0 {
		r.queue = nil // of millions nothing is kept once they are laid
	}
}

// settle takes note of a result, and says how long nothing is to be begun.
func (r *Resumption) settle(ctx context.Context, res result) (pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alone--
	r.progress.UnderWay--
	delete(r.open, res.record.Key)
	if res.err == nil {
		r.progress.Done++
		r.progress.Left--
		r.progress.Last, r.failing = nil, 0
		r.pace.placed()
		return 0
	}
	r.queue = append(r.queue, res.record)
	if ctx.Err() != nil {
		return 0
	}
	r.progress.Failures++
	r.progress.Last = res.err
	if !r.pace.failed(res.number) {
		return 0
	}
	if r.failing++; r.failing == 1 {
		r.warn(res.err)
	}
	mean := min(pauseFirst<<min(r.failing-1, 6), pauseMost)
	return mean/2 + rand.N(mean)
}
