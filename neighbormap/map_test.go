package neighbormap_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"pgregory.net/rapid"
)

// list is the slow, obvious map: all neighbors in the order in which they came.
type list struct {
	space   idspace.Space
	self    idspace.ID
	perSlot int
	all     []neighbormap.Neighbor
}

func byRTT(a, b neighbormap.Neighbor) int {
	return cmp.Or(cmp.Compare(a.RTT, b.RTT), idspace.Compare(a.ID, b.ID))
}

// slot filters the list for the nodes that share level digits and have d next.
func (l *list) slot(level int, d idspace.Digit) []neighbormap.Neighbor {
	var out []neighbormap.Neighbor
	for _, n := range l.all {
		same := l.space.Digit(n.ID, level) == d && d != l.space.Digit(l.self, level)
		for i := range level {
			same = same && l.space.Digit(n.ID, i) == l.space.Digit(l.self, i)
		}
		if same {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, byRTT)
	return out
}

func (l *list) slotOf(id idspace.ID) []neighbormap.Neighbor {
	level := l.space.CommonPrefix(l.self, id)
	return l.slot(level, l.space.Digit(id, level))
}

func (l *list) index(id idspace.ID) int {
	return slices.IndexFunc(l.all, func(n neighbormap.Neighbor) bool { return n.ID == id })
}

func (l *list) remove(id idspace.ID) bool {
	at := l.index(id)
	if at < 0 {
		return false
	}
	l.all = slices.Delete(l.all, at, at+1)
	return true
}

func (l *list) insert(n neighbormap.Neighbor) (evicted idspace.ID, ok bool) {
	if n.ID == l.self || l.index(n.ID) >= 0 {
		return idspace.ID{}, false
	}
	if slot := l.slotOf(n.ID); len(slot) >= l.perSlot {
		farthest := slot[len(slot)-1]
		if 10*n.RTT >= 9*farthest.RTT {
			return idspace.ID{}, false
		}
		evicted = farthest.ID
		l.remove(evicted)
	}
	l.all = append(l.all, n)
	return evicted, true
}

func spaces(t *testing.T) map[string]idspace.Space {
	t.Helper()
	all := map[string]idspace.Space{"hex": idspace.Hex}
	for name, p := range map[string][2]int{"tiny4": {8, 2}, "tiny16": {8, 4}, "byte": {16, 8}} {
		s, err := idspace.NewSpace(p[0], p[1])
		if err != nil {
			t.Fatal(err)
		}
		all[name] = s
	}
	return all
}

// nearSelf draws IDs that often share digits with self, so that deep slots fill.
func nearSelf(s idspace.Space, self idspace.ID) *rapid.Generator[idspace.ID] {
	return rapid.Custom(func(t *rapid.T) idspace.ID {
		id := s.Truncate(idspace.ID(rapid.SliceOfN(rapid.Byte(), idspace.Size, idspace.Size).Draw(t, "id")))
		for l := range rapid.IntRange(0, min(4, s.Digits())).Draw(t, "shared") {
			id = s.WithDigit(id, l, s.Digit(self, l))
		}
		return id
	})
}

var distance = rapid.Custom(func(t *rapid.T) time.Duration {
	return time.Duration(rapid.IntRange(1, 60).Draw(t, "rtt"))
})

// pair is the map and its slow form, which must never differ.
type pair struct {
	space idspace.Space
	fast  *neighbormap.Map
	slow  *list
	ids   *rapid.Generator[idspace.ID]
	met   []idspace.ID

	looked  string // what Check looked at last, and Changes then
	changes uint64
}

// anyID draws an ID that was seen before as often as a new one.
func (p *pair) anyID(t *rapid.T) idspace.ID {
	if len(p.met) > 0 && rapid.Bool().Draw(t, "met before") {
		return rapid.SampledFrom(p.met).Draw(t, "met")
	}
	id := p.ids.Draw(t, "new")
	p.met = append(p.met, id)
	return id
}

func (p *pair) insert(t *rapid.T) {
	n := neighbormap.Neighbor{ID: p.anyID(t), RTT: distance.Draw(t, "distance"), Suspect: rapid.Bool().Draw(t, "suspect")}
	wants := p.fast.Wants(n.ID, n.RTT)
	evicted, ok := p.fast.Insert(n)
	wantEvicted, wantOK := p.slow.insert(n)
	if ok != wantOK || evicted != wantEvicted || wants != ok {
		t.Fatalf("insert: evicted %v, %v, wanted %v; want %v, %v", evicted, ok, wants, wantEvicted, wantOK)
	}
}

func (p *pair) remove(t *rapid.T) {
	id := p.anyID(t)
	if got, want := p.fast.Remove(id), p.slow.remove(id); got != want {
		t.Fatalf("remove: %v, want %v", got, want)
	}
}

func (p *pair) update(t *rapid.T) {
	id, rtt := p.anyID(t), distance.Draw(t, "distance")
	p.fast.Update(id, rtt)
	if at := p.slow.index(id); at >= 0 {
		p.slow.all[at].RTT = rtt
	}
}

func (p *pair) setState(t *rapid.T) {
	id := p.anyID(t)
	state := rapid.SampledFrom([]neighbormap.State{neighbormap.Alive, neighbormap.Suspect}).Draw(t, "state")
	p.fast.SetState(id, state)
	if at := p.slow.index(id); at >= 0 {
		p.slow.all[at].Suspect = state == neighbormap.Suspect
	}
}

// same compares everything that can be asked.
func (p *pair) same(t *rapid.T) {
	if err := p.fast.Check(); err != nil {
		t.Fatal(err)
	}
	looked, changes := strings.ReplaceAll(fmt.Sprint(p.fast.All()), "true}", "false}"), p.fast.Changes()
	if looked != p.looked && changes == p.changes && p.looked != "" {
		t.Fatalf("%s became %s, and no change was counted", p.looked, looked)
	}
	p.looked, p.changes = looked, changes
	var all []neighbormap.Neighbor
	levels := 0
	for level := range p.space.Digits() {
		var row []neighbormap.Neighbor
		for d := range p.space.Radix() {
			slot := p.slow.slot(level, idspace.Digit(d))
			if got := p.fast.Slot(level, idspace.Digit(d)); !slices.Equal(got, slot) {
				t.Fatalf("slot %d/%x is %v, want %v", level, d, got, slot)
			}
			row = append(row, slot...)
		}
		if got := p.fast.Row(level); !slices.Equal(got, row) {
			t.Fatalf("row %d is %v, want %v", level, got, row)
		}
		if len(row) > 0 {
			levels = level + 1
		}
		all = append(all, row...)
	}
	if got := p.fast.All(); !slices.Equal(got, all) || p.fast.Len() != len(all) || p.fast.Levels() != levels {
		t.Fatalf("all %v (%d, %d levels), want %v (%d levels)", got, p.fast.Len(), p.fast.Levels(), all, levels)
	}
	if len(p.met) > 0 {
		p.sameFor(t, rapid.SampledFrom(p.met).Draw(t, "asked"))
	}
}

func (p *pair) sameFor(t *rapid.T, id idspace.ID) {
	at := p.slow.index(id)
	if id == p.slow.self {
		if p.fast.Has(id) || p.fast.FillsHole(id) || p.fast.Wants(id, 0) {
			t.Fatal("self is wanted in its own map")
		}
		return
	}
	slot := p.slow.slotOf(id)
	first := at >= 0 && slot[0].ID == id
	level, primary := p.fast.Primary(id)
	switch {
	case p.fast.Has(id) != (at >= 0):
		t.Fatalf("Has(%v) = %v", id, at < 0)
	case p.fast.Suspected(id) != (at >= 0 && p.slow.all[max(at, 0)].Suspect):
		t.Fatalf("Suspected(%v) = %v", id, p.fast.Suspected(id))
	case p.fast.FillsHole(id) != (len(slot) == 0):
		t.Fatalf("FillsHole(%v) = %v, slot %v", id, len(slot) != 0, slot)
	case p.fast.Sole(id) != (at >= 0 && len(slot) == 1):
		t.Fatalf("Sole(%v) = %v, slot %v", id, p.fast.Sole(id), slot)
	case primary != first || first && level != p.space.CommonPrefix(p.slow.self, id):
		t.Fatalf("Primary(%v) = %d, %v; slot %v", id, level, primary, slot)
	}
}

func TestMapEqualsAPlainListSortedIntoSlots(t *testing.T) {
	for name, s := range spaces(t) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				self := nearSelf(s, idspace.ID{}).Draw(t, "self")
				perSlot := rapid.IntRange(1, 4).Draw(t, "perSlot")
				p := &pair{
					space: s, fast: neighbormap.New(s, self, perSlot),
					slow: &list{space: s, self: self, perSlot: perSlot}, ids: nearSelf(s, self), met: []idspace.ID{self},
				}
				t.Repeat(map[string]func(*rapid.T){
					"insert": p.insert, "insert2": p.insert, "remove": p.remove, "update": p.update,
					"setState": p.setState, "": p.same,
				})
			})
		})
	}
}

func hexID(t *testing.T, digits string) idspace.ID {
	t.Helper()
	id, err := idspace.Parse((digits + idspace.ID{}.String())[:2*idspace.Size])
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// JSAC §III-A: each entry has a primary and backup neighbors, in order of network distance.
func TestPaper_IIIA_NearestOfASlotIsPrimary(t *testing.T) {
	m := neighbormap.New(idspace.Hex, hexID(t, "00"), 3)
	far, near, middle := hexID(t, "51"), hexID(t, "52"), hexID(t, "53")
	for id, rtt := range map[idspace.ID]time.Duration{far: 90, near: 10, middle: 50} {
		if _, ok := m.Insert(neighbormap.Neighbor{ID: id, RTT: rtt}); !ok {
			t.Fatalf("%v was not taken", id)
		}
	}
	if got := m.String(); got != "[0] 5=52000000,53000000,51000000" {
		t.Errorf("map is %s", got)
	}
	m.Remove(near)
	if level, ok := m.Primary(middle); !ok || level != 0 {
		t.Errorf("the backup did not move up: %s", m)
	}
}

func TestFullSlotGivesUpItsFarthestOnlyForAClearlyNearerNode(t *testing.T) {
	m := neighbormap.New(idspace.Hex, hexID(t, "00"), 2)
	for i, rtt := range []time.Duration{10, 100} {
		m.Insert(neighbormap.Neighbor{ID: hexID(t, "5"+string(rune('0'+i))), RTT: rtt})
	}
	id := hexID(t, "5a")
	if m.Wants(id, 90) {
		t.Error("a tenth nearer is wanted, that is noise")
	}
	if evicted, ok := m.Insert(neighbormap.Neighbor{ID: id, RTT: 89}); !ok || evicted != hexID(t, "51") {
		t.Errorf("evicted %v, %v", evicted, ok)
	}
}

func TestStringMarksSuspects(t *testing.T) {
	m := neighbormap.New(idspace.Hex, hexID(t, "12"), 2)
	for _, digits := range []string{"2f", "13", "2a"} {
		m.Insert(neighbormap.Neighbor{ID: hexID(t, digits), RTT: 5})
	}
	m.SetState(hexID(t, "2a"), neighbormap.Suspect)
	if got, want := m.String(), "[0] 2=2a000000?,2f000000[1] 3=13000000"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNewWantsRoomForAPrimary(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a map without room was made")
		}
	}()
	neighbormap.New(idspace.Hex, idspace.ID{}, 0)
}
