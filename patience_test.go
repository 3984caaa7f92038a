package tapestry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// An object that somebody was too busy for is tried again when that has said, while there is patience.
func TestWhoIsBusyIsAskedAgainWhenItHasSaid(t *testing.T) {
	busy := func(after time.Duration) error { return &OpError{Op: "publish", Err: &BusyError{RetryAfter: after}} }
	for name, c := range map[string]struct {
		answers []error
		stops   bool // the caller, meanwhile
		tries   int
		took    time.Duration
		err     error
	}{
		"it does":               {[]error{busy(2 * time.Second), busy(3 * time.Second), nil}, false, 3, 5 * time.Second, nil},
		"not in time":           {[]error{busy(time.Second), busy(time.Hour)}, false, 2, time.Second, ErrBusy},
		"it has not said when":  {[]error{&OpError{Op: "publish", Err: ErrBusy}}, false, 1, 0, ErrBusy},
		"another failure":       {[]error{ErrLimit}, false, 1, 0, ErrLimit},
		"its caller has enough": {[]error{busy(2 * time.Second)}, true, 1, 0, ErrBusy},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, tries := time.Now(), 0
				ctx, end := context.WithCancel(context.Background())
				defer end()
				err := patiently(ctx, GUID{}, func(context.Context, GUID) error {
					tries++
					if c.stops {
						end()
					}
					return c.answers[tries-1]
				})
				if took := time.Since(began); !errors.Is(err, c.err) || tries != c.tries || took != c.took {
					t.Errorf("%v after %d tries and %v", err, tries, took)
				}
			})
		})
	}
}
