package tapestry

import (
	"errors"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
)

func TestBusyErrorsSayWhenToTryAgain(t *testing.T) {
	err := error(&OpError{Op: "send", Err: outcomeError(&env.Outcome{Status: env.Busy, RetryAfter: 1200 * time.Millisecond})})
	var busy *BusyError
	if !errors.Is(err, ErrBusy) || !errors.As(err, &busy) || busy.RetryAfter != 1200*time.Millisecond {
		t.Errorf("%v", err)
	}
	if want := "tapestry: send: busy, try again in 1.2s"; err.Error() != want {
		t.Errorf("it reads %q, want %q", err, want)
	}
	if err := outcomeError(&env.Outcome{Status: env.Busy}); err != ErrBusy {
		t.Errorf("without a time: %v", err)
	}
}
