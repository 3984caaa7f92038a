package heartbeat

import (
	"testing"
	"time"
)

// TestLateAnswersMakeANodePatient: Lifeguard's local health [5].
func TestLateAnswersMakeANodePatient(t *testing.T) {
	h := health{most: 7}
	for range 20 {
		h.answered(2*time.Second, time.Second)
	}
	if d := h.stretch(time.Second); d != 8*time.Second {
		t.Errorf("after many late answers it waits %v, want 8 s", d)
	}
	for range 7 * recovery {
		h.answered(time.Second, time.Second)
	}
	if d := h.stretch(time.Second); d != time.Second {
		t.Errorf("after as many in time it waits %v", d)
	}
	never := health{}
	never.answered(2*time.Second, time.Second)
	if d := never.stretch(time.Second); d != time.Second {
		t.Errorf("switched off, it waits %v", d)
	}
}
