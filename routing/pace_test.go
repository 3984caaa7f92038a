package routing

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/mono"
	"pgregory.net/rapid"
)

// TestAsMuchBeginsAsComesThrough: the window doubles with each round trip until somebody is busy, is
// smaller then, once for all that was under way, and grows by one per window of answers.
func TestAsMuchBeginsAsComesThrough(t *testing.T) {
	p, now := newPace(), mono.Time(time.Hour)
	begin := func(n int) {
		for range n {
			if !p.room(now) {
				t.Fatalf("no room for another one, %d are under way, window %v", len(p.open), p.window.Size())
			}
			p.began(uint64(len(p.line)), now)
		}
	}
	begin(firstWindow)
	if p.room(now) {
		t.Errorf("there is room for more than %d", firstWindow)
	}
	for call := range uint64(firstWindow) {
		p.grow(now) // the first hop has it
		p.came(call, now)
	}
	if p.window.Size() != 2*firstWindow {
		t.Errorf("after a round trip the window is %v", p.window.Size())
	}
	now = now.Add(time.Second)
	p.busy(now)
	p.busy(now.Add(100 * time.Millisecond))
	if p.window.Size() != shrink*leastBusy {
		t.Errorf("when nobody but one was busy the window is %v, want %v", p.window.Size(), shrink*leastBusy)
	}
	before := p.window.Size()
	p.began(1000, now)
	p.came(1000, now)
	if p.window.Size() != before+1/before {
		t.Errorf("after one more answer it is %v", p.window.Size())
	}
	p.came(1001, now.Add(flight))
	if p.window.Size() != before+1/before {
		t.Errorf("after an answer while less than half was under way it is %v", p.window.Size())
	}
}

// TestWhatIsNotAnsweredIsNotUnderWayForEver, nor is somebody busy.
func TestWhatIsNotAnsweredIsNotUnderWayForEver(t *testing.T) {
	p, now := newPace(), mono.Time(time.Hour)
	for call := range uint64(firstWindow) {
		p.began(call, now)
	}
	p.busy(now)
	if now = now.Add(flight); !p.room(now) || len(p.open)+len(p.line) != 0 {
		t.Errorf("%v after: %d under way, %d in line", flight, len(p.open), len(p.line))
	}
	if now = now.Add(forgiven); !p.room(now) || p.window.Steady() || p.window.Size() < firstWindow {
		t.Errorf("%v after: window %v", forgiven, p.window.Size())
	}
}

// TestThePaceKeepsItsInvariants whatever happens.
func TestThePaceKeepsItsInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, now, calls := newPace(), mono.Time(time.Hour), uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(*rapid.T) {
				if p.room(now) {
					calls++
					p.began(calls, now)
				}
			},
			"came": func(t *rapid.T) { p.came(rapid.Uint64Range(0, calls).Draw(t, "call"), now) },
			"grow": func(*rapid.T) { p.grow(now) },
			"busy": func(*rapid.T) { p.busy(now) },
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(1, int64(2*flight)).Draw(t, "ns")))
			},
			"": func(t *rapid.T) {
				room, most := p.room(now), max(int(p.window.Size()), len(p.open))
				if p.window.Size() < 1 || p.window.Size() > mostWindow || len(p.line) < len(p.open) || room && len(p.open) >= most {
					t.Fatalf("window %v, %d under way, %d in line, room %v", p.window.Size(), len(p.open), len(p.line), room)
				}
				for _, o := range p.line {
					if _, open := p.open[o.id]; open && now.Sub(o.since) >= flight {
						t.Fatalf("%d has been under way for %v", o.id, now.Sub(o.since))
					}
				}
			},
		})
	})
}
