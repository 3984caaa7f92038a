package pointers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

func TestSomebodyDoubtedIsOfferedLastUntilATokenShowsThatHeLives(t *testing.T) {
	s := pointers.New(named("s0"), pointers.Limits{})
	near, far := long("x", "near"), long("x", "far")
	far.latency = time.Second
	sv := demandPut(t, s, near, 0, pointers.Stored).Pointer.Server
	demandPut(t, s, far, 0, pointers.Stored)
	demandFirst := func(want string) {
		t.Helper()
		demandSound(t, s)
		if got := s.Live(near.key(), 1, 9); len(got) != 2 || got[0].Server.ID != named(want) {
			t.Fatalf("offered %v, want %s first", got, want)
		}
	}
	demandFirst("near")
	for round := range 2 {
		at := mono.Time(10 * (round + 1))
		if !s.Doubt(sv, named("peer"), at) || s.Doubt(sv, named("another"), at) {
			t.Fatal("the first doubt is news, the second is not")
		}
		demandFirst("far")
		s.Revive(sv, at)
		demandFirst("far") // that token is no newer than the doubt
		s.Revive(sv, at+1)
		demandFirst("near")
	}
	if s.Doubt(sv, named("peer"), 50) || s.Doubt(sv, named("another"), 50) {
		t.Error("somebody who was wrong twice is believed")
	}
	demandFirst("near")
	if !s.Doubt(sv, named("third"), 50) {
		t.Error("because of others somebody is not believed who was never wrong")
	}
}

// What is remembered of accusers stays bounded, however many come and go; those who have something
// of the server here are heard.
func TestAccusersAreBounded(t *testing.T) {
	s := pointers.New(named("s0"), pointers.Limits{})
	d := long("x", "s")
	sv := demandPut(t, s, d, 0, pointers.Stored).Pointer.Server
	now := mono.Time(1)
	accuse := func(by string) bool {
		now += 10
		believed := s.Doubt(sv, named(by), now)
		s.Revive(sv, now+1)
		return believed
	}
	for i := range 16 { // as many as are kept, each wrong twice
		by := fmt.Sprint("stays", i)
		d.from = by
		demandPut(t, s, d, 0, pointers.Same)
		for _, want := range []bool{true, true, false} {
			if accuse(by) != want {
				t.Fatalf("accuser %d was not believed twice, and no more", i)
			}
		}
	}
	if accuse("one more") {
		t.Error("one more is believed, and so remembered")
	}
	for i := range 16 {
		if by := fmt.Sprint("stays", i); accuse(by) {
			t.Errorf("%s was wrong twice, and that is forgotten", by)
		}
	}
	for i := range 8 { // half of them go
		s.TakeOff(sv.Branch(named(fmt.Sprint("stays", i)), wire.Copy_COPY_PATH, false).At(0))
	}
	if !accuse("one more") {
		t.Error("nobody is believed any more, although there is room")
	}
	if accuse("stays15") {
		t.Error("who is still here, and was wrong twice, is believed again")
	}
	demandSound(t, s)
}

func TestNobodyMakesANodeDoubtItself(t *testing.T) {
	s := pointers.New(named("s0"), pointers.Limits{})
	own := long("x", "s0")
	own.until = 1 << 62
	sv := demandPut(t, s, own, 0, pointers.Stored).Pointer.Server
	if s.Doubt(sv, named("peer"), 5) || s.Bury(named("s0"), 5) != nil || !sv.Lives() {
		t.Error("it does")
	}
	if live := s.Live(own.key(), 6, 1); len(live) != 1 {
		t.Errorf("it offers %v", live)
	}
}
