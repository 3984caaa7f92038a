package published

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errLate = errors.New("late")

// roots is what an overlay would do with the objects that are laid.
type roots struct {
	takes time.Duration                         // per object
	fails func(r Record, since time.Time) error // nil: never
	begun time.Time

	mu   sync.Mutex
	now  int // under way
	most int
	done []Record

	batches []int             // the sizes of those that came
	leaves  func(Record) bool // of a batch
	at      []time.Duration   // when each was begun
}

func (r *roots) lay(ctx context.Context, record Record) error {
	r.mu.Lock()
	r.now++
	r.most = max(r.most, r.now)
	r.at = append(r.at, time.Since(r.begun))
	r.mu.Unlock()
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now--
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.fails != nil {
		if err := r.fails(record, r.begun); err != nil {
			return err
		}
	}
	r.done = append(r.done, record)
	return nil
}

// layAll lays a batch, of which some may be left.
func (r *roots) layAll(ctx context.Context, records []Record) (left []Record, err error) {
	r.mu.Lock()
	r.batches = append(r.batches, len(records))
	r.mu.Unlock()
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
		return records, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, record := range records {
		if r.leaves(record) {
			left, err = append(left, record), errLate
		} else {
			r.done = append(r.done, record)
		}
	}
	return left, err
}

func records(count int) (all []Record) {
	for i := range count {
		all = append(all, Record{key(i), Published})
	}
	return all
}

// resume runs a resumption and returns how often it warned.
func resume(t *testing.T, all []Record, r *roots) (*Resumption, int) {
	t.Helper()
	warned := 0
	r.begun = time.Now()
	s := NewResumption(all, Deal{One: r.lay, Warn: func(error) { warned++ }})
	s.Run(t.Context())
	return s, warned
}

func TestAllIsLaidOnceWithinTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, all := &roots{takes: 100 * time.Millisecond}, records(2000)
		s, _ := resume(t, all, r)
		p := s.Progress()
		t.Logf("2000 objects of 100 ms in %v, at most %d at once", time.Since(r.begun), r.most)
		if p.Done != 2000 || p.Left != 0 || p.Failures != 0 || p.Most != r.most || r.most != maxWindow || len(s.Left()) != 0 {
			t.Errorf("%+v, %d at once", p, r.most)
		}
		seen := map[Record]bool{}
		for _, record := range r.done {
			seen[record] = true
		}
		if len(seen) != 2000 || len(r.done) != 2000 {
			t.Errorf("%d laid, %d of them different", len(r.done), len(seen))
		}
		if slices.Equal(r.done[:100], all[:100]) {
			t.Error("they are laid in the order in which they were read")
		}
		early := 0
		for _, at := range r.at {
			if at < spread+100*time.Millisecond {
				early++
			}
		}
		if early > 100 {
			t.Errorf("%d of 2000 in the first moment", early)
		}
	})
}

func TestFailuresHalveTheWindowAndNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// For half a minute from the tenth second on nothing comes through.
		out := func(_ Record, begun time.Time) error {
			if d := time.Since(begun); d > 10*time.Second && d < 40*time.Second {
				return errLate
			}
			return nil
		}
		r := &roots{takes: 100 * time.Millisecond, fails: out}
		s, warned := resume(t, records(10_000), r)
		p := s.Progress()
		attempts := 0
		for _, at := range r.at {
			if at > 10*time.Second && at < 39*time.Second {
				attempts++
			}
		}
		t.Logf("%d attempts while nothing came through, %d failures, done after %v", attempts, p.Failures, time.Since(r.begun))
		if p.Done != 10_000 || p.Failures == 0 || p.Last != nil || warned != 1 {
			t.Errorf("%+v, warned %d times", p, warned)
		}
		if attempts > 100 {
			t.Errorf("%d attempts while nothing came through", attempts)
		}
	})
}

// One object that no root takes delays the others little, and is tried ever more rarely.
func TestAnObjectThatNobodyTakesDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := records(1)[0]
		r := &roots{takes: 100 * time.Millisecond, fails: func(record Record, _ time.Time) error {
			if record == bad {
				return errLate
			}
			return nil
		}, begun: time.Now()}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		s := NewResumption(records(1000), Deal{One: r.lay, Warn: func(error) {}})
		s.Run(ctx)
		p := s.Progress()
		t.Logf("%d failures in 10 minutes", p.Failures)
		if p.Done != 999 || p.Left != 1 || !errors.Is(p.Last, errLate) || p.Failures > 40 || p.Failures < 10 {
			t.Errorf("%+v", p)
		}
		if left := s.Left(); len(left) != 1 || left[0] != bad.Key {
			t.Errorf("left: %v", left)
		}
		if late := r.at[len(r.at)-p.Failures]; late > 20*time.Second {
			t.Errorf("the others took %v", late)
		}
	})
}

func TestWithdrawalsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := records(50)
		for i := range 10 {
			all[5*i].State = Withdrawn
		}
		r := &roots{takes: time.Millisecond}
		s := NewResumption(all, Deal{One: r.lay, Warn: func(error) {}})
		if left := s.Left(); len(left) != 40 {
			t.Errorf("%d are published", len(left))
		}
		s.Run(t.Context())
		for i, record := range r.done { // those that are laid together end in any order
			if withdrawn := record.State == Withdrawn; i < 10-firstWindow && !withdrawn || i >= 10+firstWindow && withdrawn {
				t.Fatalf("at %d there is %c", i, record.State)
			}
		}
	})
}

func TestARunEndsWithItsContextAndLeavesNothingUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &roots{takes: time.Hour}
		warn := func(err error) { t.Errorf("warned: %v", err) }
		for _, d := range []Deal{{One: r.lay, Warn: warn}, {One: r.lay, Many: r.layAll, Warn: warn}} {
			r.begun = time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			s := NewResumption(records(100), d)
			s.Run(ctx)
			if p := s.Progress(); time.Since(r.begun) != 10*time.Second || r.now != 0 || p.UnderWay != 0 || p.Left != 100 || p.Failures != 0 {
				t.Errorf("after %v: %+v, %d at the roots", time.Since(r.begun), p, r.now)
			}
			if len(s.Left()) != 100 {
				t.Errorf("%d left", len(s.Left()))
			}
		}
		if !slices.Equal(r.batches, []int{100}) {
			t.Errorf("batches of %v", r.batches)
		}
	})
}

// TestWhatIsPublishedGoesInBatches has some objects not come through as part of one: they are left to smaller ones, and go by themselves
// in the end. So do withdrawals, and what there is little of.
func TestWhatIsPublishedGoesInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, odd := records(25_000), make(map[Record]bool)
		for i := range all {
			switch {
			case i < 50:
				all[i].State = Withdrawn
			case i < 50+batchFewest-1:
				all[i].Key.App = "little"
			case i < 200:
				odd[all[i]] = true
			}
		}
		r := &roots{takes: 100 * time.Millisecond, begun: time.Now(), leaves: func(record Record) bool { return odd[record] }}
		s := NewResumption(all, Deal{One: r.lay, Many: r.layAll, Warn: func(err error) { t.Errorf("warned: %v", err) }})
		if left := s.Left(); len(left) != len(all)-50 {
			t.Errorf("%d left to publish", len(left))
		}
		s.Run(t.Context())
		t.Logf("batches of %v, the rest one by one, in %v: %+v", r.batches, time.Since(r.begun), s.Progress())
		seen := map[Record]bool{}
		for _, record := range r.done {
			seen[record] = true
		}
		if p := s.Progress(); len(seen) != len(all) || len(r.done) != len(all) || p.Done != len(all) || p.Left+p.UnderWay != 0 {
			t.Errorf("%d laid, %d of them different: %+v", len(r.done), len(seen), p)
		}
		if most := s.Progress().Most; most > batchesAtOnce*batchSize+maxWindow {
			t.Errorf("%d under way at once", most)
		}
		if alone := len(r.at); alone != 50+batchFewest-1+len(odd) || len(r.batches) > 9 {
			t.Errorf("%d went by themselves, and batches of %v", alone, r.batches)
		}
	})
}
