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
	if h.score != 7 {
		t.Errorf("after many late answers its score is %d, want 7", h.score)
	}
	for range 7 * recovery {
		h.answered(time.Second, time.Second)
	}
	if h.score != 0 {
		t.Errorf("after as many in time it is %d", h.score)
	}
	never := health{}
	never.answered(2*time.Second, time.Second)
	if never.score != 0 {
		t.Errorf("switched off, it is %d", never.score)
	}
}
