package tapestry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"
)

const (
	// bulkWindow is how many objects of one call are under way at once: enough to
	// hide round trips. With 32, eight servers that publish at once over loopback queue
	// so long that hops are sent again, and nothing is done sooner.
	bulkWindow = 8
	// MaxFailures is how many failures a report lists.
	MaxFailures = 1000
)

// PublishReport is what became of a PublishObjects.
type PublishReport struct {
	Placed int       `json:"placed"` // objects whose roots have acknowledged
	Failed []Failure `json:"failed"` // the others, in no particular order; MaxFailures at most
	More   int       `json:"more"`   // that failed beside those listed
}

// UnpublishReport is what became of an UnpublishObjects.
type UnpublishReport struct {
	Withdrawn int       `json:"withdrawn"`
	Failed    []Failure `json:"failed"` // as in PublishReport
	More      int       `json:"more"`
}

// Failure is one object that was not published, or not taken back, and why.
type Failure struct {
	GUID   GUID   `json:"guid"`
	Reason string `json:"reason"` // Err as text
	Err    error  `json:"-"`
}

// Progress is how far a PublishObjects or UnpublishObjects is.
type Progress struct {
	Done    int           `json:"done"` // published, or taken back
	Failed  int           `json:"failed"`
	Elapsed time.Duration `json:"elapsed"`
}

// BulkOption is about the course of a PublishObjects or UnpublishObjects.
type BulkOption func(*bulk)

// OnProgress has f called every so often while the call is under way, and once in the end. It
// must return soon.
func OnProgress(every time.Duration, f func(Progress)) BulkOption {
	return func(b *bulk) { b.every, b.progress = every, f }
}

// OnEach has f called with each object as soon as it is known what became of it: nil, or why it
// failed. Never twice at the same time; the next objects wait for it.
func OnEach(f func(GUID, error)) BulkOption {
	return func(b *bulk) { b.each = f }
}

// PublishObjects publishes every object of gs. What comes together goes in batches of up to 10 000
// under one signature; few objects, and those of a batch that have not arrived, go one by one,
// several at a time, each with its own share of patience: ctx bounds the whole, DefaultTimeout each
// object. It takes the next object from gs when there is room for it, and tries one again when the
// overlay was busy, as soon as that has said. It always reports; the error is not nil if any object failed or ctx ended before the
// last. Adding to what is published costs what is added.
func (n *Node) PublishObjects(ctx context.Context, app AppID, gs iter.Seq[GUID], opts ...BulkOption) (PublishReport, error) {
	b := newBulk("publish", opts)
	b.many = func(ctx context.Context, gs []GUID) map[GUID]error { return n.publishBatch(ctx, app, gs) }
	err := b.run(ctx, gs, func(ctx context.Context, g GUID) error { return n.PublishObject(ctx, g, app) })
	return PublishReport{Placed: b.now.Done, Failed: b.failed, More: b.more()}, err
}

// UnpublishObjects takes every object of gs back, as UnpublishObject does, in the way of
// PublishObjects.
func (n *Node) UnpublishObjects(ctx context.Context, app AppID, gs iter.Seq[GUID], opts ...BulkOption) (UnpublishReport, error) {
	b := newBulk("unpublish", opts)
	err := b.run(ctx, gs, func(ctx context.Context, g GUID) error { return n.UnpublishObject(ctx, g, app) })
	return UnpublishReport{Withdrawn: b.now.Done, Failed: b.failed, More: b.more()}, err
}

// bulk does one thing for many objects.
type bulk struct {
	op       string
	every    time.Duration
	progress func(Progress) // nil: nobody asks
	each     func(GUID, error)
	many     func(context.Context, []GUID) (left map[GUID]error) // does many at once, all but what is left; nil: nothing does
	began    time.Time

	mu     sync.Mutex
	now    Progress
	failed []Failure
}

func newBulk(op string, opts []BulkOption) *bulk {
	b := &bulk{op: op, each: func(GUID, error) {}, began: time.Now(), failed: []Failure{}}
	for _, o := range opts {
		o(b)
	}
	return b
}

// run does one for every object of gs.
func (b *bulk) run(ctx context.Context, gs iter.Seq[GUID], one func(context.Context, GUID) error) error {
	work := make(chan GUID)
	var workers sync.WaitGroup
	for range bulkWindow {
		workers.Go(func() {
			for g := range work {
				b.add(g, patiently(ctx, g, one))
			}
		})
	}
	stop := b.watch()
	err := b.feed(ctx, work, gs)
	close(work)
	workers.Wait()
	stop()
	return b.err(err)
}

// feed gives out the objects of gs, those first to many that come together.
func (b *bulk) feed(ctx context.Context, work chan<- GUID, gs iter.Seq[GUID]) error {
	if b.many == nil {
		return feed(ctx, work, gs)
	}
	came, together := make(chan GUID, gathered), make(chan []GUID)
	var workers sync.WaitGroup
	workers.Go(func() { gather(came, together) })
	for range batchesAtOnce {
		workers.Go(func() {
			for gs := range together {
				b.batch(ctx, work, gs)
			}
		})
	}
	err := feed(ctx, came, gs)
	close(came)
	workers.Wait()
	return err
}

const (
	batchSize     = 10_000                // objects in a batch
	batchFewest   = 32                    // fewer go one by one: their proofs would cost more than their signatures
	batchPause    = 50 * time.Millisecond // a batch that grows no more for so long is complete
	batchesAtOnce = 2                     // one is made while another one travels
	batchRate     = 500                   // objects per second that a batch is given time for, beside DefaultTimeout
	gathered      = 1024
)

// gather makes batches of what comes.
func gather(came <-chan GUID, together chan<- []GUID) {
	defer close(together)
	for first := range came {
		gs := append(make([]GUID, 0, batchFewest), first)
		for open := true; open && len(gs) < batchSize; {
			pause := time.NewTimer(batchPause)
			var g GUID
			select {
			case g, open = <-came:
				if open {
					gs = append(gs, g)
				}
			case <-pause.C:
				open = false
			}
			pause.Stop()
		}
		together <- gs
	}
}

// batch does what many can for gs, and gives out the rest.
func (b *bulk) batch(ctx context.Context, work chan<- GUID, gs []GUID) {
	times := make(map[GUID]int, len(gs))
	distinct := gs[:0]
	for _, g := range gs {
		if times[g]++; times[g] == 1 {
			distinct = append(distinct, g)
		}
	}
	left := allLeft(distinct, nil)
	if len(distinct) >= batchFewest {
		left = b.many(ctx, distinct)
	}
	for _, g := range distinct {
		why, isLeft := left[g]
		for range times[g] {
			if isLeft && why == nil {
				work <- g
			} else {
				b.add(g, why)
			}
		}
	}
}

func feed(ctx context.Context, work chan<- GUID, gs iter.Seq[GUID]) error {
	for g := range gs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		select {
		case work <- g:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// patiently does one for an object, and again when somebody was busy and has said when to try again,
// as long as the object's patience lasts.
func patiently(ctx context.Context, g GUID, one func(context.Context, GUID) error) error {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	for {
		err := one(ctx, g)
		var busy *BusyError
		if !errors.As(err, &busy) || busy.RetryAfter <= 0 {
			return err
		}
		if deadline, _ := ctx.Deadline(); time.Until(deadline) <= busy.RetryAfter {
			return err
		}
		again := time.NewTimer(busy.RetryAfter)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return err
		}
	}
}

// watch tells the progress, until stop is called, and then once more.
func (b *bulk) watch() (stop func()) {
	if b.progress == nil {
		return func() {}
	}
	end := make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() {
		tick := time.NewTicker(max(b.every, time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				b.tell()
			case <-end:
				return
			}
		}
	})
	return func() {
		close(end)
		told.Wait()
		b.tell()
	}
}

func (b *bulk) tell() {
	b.mu.Lock()
	now := b.now
	b.mu.Unlock()
	now.Elapsed = time.Since(b.began)
	b.progress(now)
}

// add notes what became of an object.
func (b *bulk) add(g GUID, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.now.Done++
	} else if b.now.Failed++; len(b.failed) < MaxFailures {
		b.failed = append(b.failed, Failure{GUID: g, Reason: err.Error(), Err: err})
	}
	b.each(g, err)
}

func (b *bulk) more() int { return b.now.Failed - len(b.failed) }

// err is what a call that was stopped early, or has failed for some objects, returns.
func (b *bulk) err(stopped error) error {
	if stopped != nil {
		return &OpError{Op: b.op, Err: stopped}
	}
	if b.now.Failed == 0 {
		return nil
	}
	first := b.failed[0].Err
	var op *OpError
	if errors.As(first, &op) {
		first = op.Err
	}
	return &OpError{Op: b.op, Err: fmt.Errorf("%d of %d objects failed, the first with: %w", b.now.Failed, b.now.Done+b.now.Failed, first)}
}
