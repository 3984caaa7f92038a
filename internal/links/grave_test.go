package links_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/links"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// yard is a table that buries nodes.
type yard struct {
	*links.Table
	now mono.Time
}

func newYard() *yard { return &yard{links.New(links.Config{}.WithDefaults()), mono.Time(time.Hour)} }

func (y *yard) bury(id idspace.ID) { y.Bury(&links.Link{ID: id, Generation: 5}, y.now) }

func (y *yard) hints(reader idspace.ID) (ids []idspace.ID) {
	for _, r := range wire.Refs(y.Hints(reader, y.now)) {
		ids = append(ids, r.Guess())
	}
	return ids
}

func TestTheDeadAreToldForAMinute(t *testing.T) {
	y := newYard()
	y.bury(idspace.ID{1})
	y.now = y.now.Add(59 * time.Second)
	if got := y.hints(idspace.ID{2}); len(got) != 1 || got[0] != (idspace.ID{1}) {
		t.Errorf("told of %v", got)
	}
	y.now = y.now.Add(2 * time.Second)
	if got := y.hints(idspace.ID{2}); len(got) != 0 {
		t.Errorf("told of %v after a minute", got)
	}
}

func TestAHintNamesTheGeneration(t *testing.T) {
	y := newYard()
	y.bury(idspace.ID{1})
	if r := wire.Refs(y.Hints(idspace.ID{2}, y.now))[0]; r != wire.RefTo(idspace.ID{1}, 5) {
		t.Errorf("told of %v", r)
	}
	l := y.Open(idspace.ID{1})
	l.Mine, l.Generation = wire.Use_USE_LEAF, 5
	if y.Named(wire.RefTo(idspace.ID{1}, 5)) != l || y.Named(wire.RefTo(idspace.ID{1}, 6)) != nil || y.Named(wire.RefTo(idspace.ID{3}, 5)) != nil {
		t.Error("a reference leads to another link than the one of its generation")
	}
}

func TestAReaderIsToldOnce(t *testing.T) {
	y := newYard()
	reader := idspace.ID{2}
	y.Open(reader).Theirs = wire.Use_USE_LEAF
	y.bury(idspace.ID{1})
	y.Hinted(reader)
	if got := y.hints(reader); len(got) != 0 {
		t.Errorf("told again of %v", got)
	}
	y.bury(idspace.ID{3})
	if got := y.hints(reader); len(got) != 1 || got[0] != (idspace.ID{3}) {
		t.Errorf("told of %v, want the new one alone", got)
	}
	if got := y.hints(idspace.ID{9}); len(got) != 2 {
		t.Errorf("somebody else is told of %v", got)
	}
}

func TestAReaderIsToldFirstOfThoseItIsLikelyToPointAt(t *testing.T) {
	y := newYard()
	for i := range 20 {
		y.bury(idspace.ID{byte(0x10 * (i % 16)), byte(i)})
	}
	if got := y.hints(idspace.ID{0x3f}); len(got) != 2 || got[0][0] != 0x30 || got[1][0] != 0x30 {
		t.Errorf("told of %v, want both that begin with 3", got)
	}
	if got := y.hints(idspace.ID{0xff}); len(got) != 2 || got[0][0] != 0xf0 || got[1][0] == 0xf0 {
		t.Errorf("told of %v, want the one that begins with f and one other", got)
	}
	for i := range 20 {
		y.bury(idspace.ID{0x31, byte(i)})
	}
	if got := y.hints(idspace.ID{0x3f}); len(got) != wire.MaxDead {
		t.Errorf("told of %d, want %d", len(got), wire.MaxDead)
	}
}

func TestWhoIsFoundAliveIsNoLongerTold(t *testing.T) {
	y := newYard()
	for i := range 100 { // more than are remembered
		y.bury(idspace.ID{byte(i)})
	}
	for i := range 100 {
		y.Exhume(idspace.ID{byte(i)})
	}
	if got := y.hints(idspace.ID{200}); len(got) != 0 {
		t.Errorf("told of %v", fmt.Sprint(got))
	}
}
