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

func TestLimitErrorsSayWhoseLimitAndWhenToTryAgain(t *testing.T) {
	err := error(&OpError{Op: "publish", Err: outcomeError(&env.Outcome{Status: env.Limit, Refused: []env.Refused{
		{By: ID{0xab}, Limit: env.LimitServer, RetryAfter: 40 * time.Second},
		{By: ID{0xcd}, Limit: env.LimitBytes, RetryAfter: 30 * time.Second},
		{By: ID{0xef}},
	}})})
	var limit *LimitError
	if !errors.Is(err, ErrLimit) || !errors.As(err, &limit) || limit.RetryAfter != 30*time.Second || len(limit.Refusals) != 3 {
		t.Errorf("%v", err)
	}
	want := "tapestry: publish: limit reached: by ab000000 (pointers of one server), by cd000000 (bytes of pointers at one node)," +
		" by ef000000 (not said which); try again in 30s"
	if err.Error() != want {
		t.Errorf("it reads %q, want %q", err, want)
	}
	if err := outcomeError(&env.Outcome{Status: env.Limit}); err != ErrLimit {
		t.Errorf("nothing said: %v", err)
	}
}
