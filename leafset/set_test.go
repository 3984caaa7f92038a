package leafset_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/leafset"
	"pgregory.net/rapid"
)

// ring is the slow, obvious leaf set: all members, sorted as numbers, with self
// among them; the sides are read off by walking from self.
type ring struct {
	self    idspace.ID
	perSide int
	members []idspace.ID
}

// walk returns up to perSide members, step (+1 or −1) by step around the sorted ring from self.
func (r *ring) walk(step int) []idspace.ID {
	all := append(slices.Clone(r.members), r.self)
	slices.SortFunc(all, idspace.Compare)
	at := slices.Index(all, r.self)
	var side []idspace.ID
	for i := 1; i < len(all) && len(side) < r.perSide; i++ {
		side = append(side, all[((at+step*i)%len(all)+len(all))%len(all)])
	}
	return side
}

// trim forgets members that are on neither side and returns them.
func (r *ring) trim() (gone []idspace.ID) {
	cw, ccw := r.walk(1), r.walk(-1)
	for _, id := range r.members {
		if !slices.Contains(cw, id) && !slices.Contains(ccw, id) {
			gone = append(gone, id)
		}
	}
	r.members = slices.DeleteFunc(r.members, func(id idspace.ID) bool { return slices.Contains(gone, id) })
	return gone
}

func (r *ring) insert(id idspace.ID) (evicted []idspace.ID, ok bool) {
	if id == r.self || slices.Contains(r.members, id) {
		return nil, false
	}
	r.members = append(r.members, id)
	gone := r.trim()
	if slices.Contains(gone, id) {
		return nil, false
	}
	return gone, true
}

// smallID draws IDs of one byte at either end, so that many are near and some far.
var smallID = rapid.Custom(func(t *rapid.T) (id idspace.ID) {
	id[rapid.SampledFrom([]int{0, 0, 19}).Draw(t, "where")] = rapid.Byte().Draw(t, "byte")
	return id
})

type pair struct {
	fast     *leafset.Set
	slow     *ring
	suspects []idspace.ID
	met      []idspace.ID

	looked  string // what Check looked at last, and Changes then
	changes uint64
}

func (p *pair) anyID(t *rapid.T) idspace.ID {
	if rapid.Bool().Draw(t, "met before") {
		return rapid.SampledFrom(p.met).Draw(t, "met")
	}
	id := smallID.Draw(t, "new")
	p.met = append(p.met, id)
	return id
}

func (p *pair) insert(t *rapid.T) {
	id := p.anyID(t)
	wants := p.fast.Wants(id)
	evicted, ok := p.fast.Insert(id)
	wantEvicted, wantOK := p.slow.insert(id)
	slices.SortFunc(evicted, idspace.Compare)
	slices.SortFunc(wantEvicted, idspace.Compare)
	if ok != wantOK || wants != ok || !slices.Equal(evicted, wantEvicted) {
		t.Fatalf("insert %v: %v %v (wanted %v), want %v %v", id, evicted, ok, wants, wantEvicted, wantOK)
	}
	p.suspects = slices.DeleteFunc(p.suspects, func(id idspace.ID) bool { return slices.Contains(evicted, id) })
}

func (p *pair) remove(t *rapid.T) {
	id := p.anyID(t)
	at := slices.Index(p.slow.members, id)
	if got := p.fast.Remove(id); got != (at >= 0) {
		t.Fatalf("remove %v: %v", id, got)
	}
	if at >= 0 {
		p.slow.members = slices.Delete(p.slow.members, at, at+1)
	}
	p.suspects = slices.DeleteFunc(p.suspects, func(s idspace.ID) bool { return s == id })
}

func (p *pair) setState(t *rapid.T) {
	id := p.anyID(t)
	state := rapid.SampledFrom([]leafset.State{leafset.Alive, leafset.Suspect}).Draw(t, "state")
	p.fast.SetState(id, state)
	p.suspects = slices.DeleteFunc(p.suspects, func(s idspace.ID) bool { return s == id })
	if state == leafset.Suspect && slices.Contains(p.slow.members, id) {
		p.suspects = append(p.suspects, id)
	}
}

func (p *pair) same(t *rapid.T) {
	if err := p.fast.Check(); err != nil {
		t.Fatal(err)
	}
	up, down := p.fast.Span()
	looked, changes := fmt.Sprint(p.fast, up, down), p.fast.Changes()
	if looked != p.looked && changes == p.changes && p.looked != "" {
		t.Fatalf("%s became %s, and no change was counted", p.looked, looked)
	}
	p.looked, p.changes = looked, changes
	cw, ccw := p.slow.walk(1), p.slow.walk(-1)
	if !slices.Equal(p.fast.CW(), cw) || !slices.Equal(p.fast.CCW(), ccw) {
		t.Fatalf("sides %v %v, want %v %v", p.fast.CW(), p.fast.CCW(), cw, ccw)
	}
	n := rapid.IntRange(0, p.slow.perSide+1).Draw(t, "n")
	var nearest []idspace.ID
	for _, id := range append(slices.Clone(cw[:min(n, len(cw))]), ccw[:min(n, len(ccw))]...) {
		if !slices.Contains(nearest, id) {
			nearest = append(nearest, id)
		}
	}
	if got := p.fast.Nearest(n); !slices.Equal(got, nearest) {
		t.Fatalf("nearest %d: %v, want %v", n, got, nearest)
	}
	all := p.fast.All()
	slices.SortFunc(all, idspace.Compare)
	slices.SortFunc(p.slow.members, idspace.Compare)
	if !slices.Equal(all, p.slow.members) || p.fast.Len() != len(all) {
		t.Fatalf("all %v (%d), want %v", all, p.fast.Len(), p.slow.members)
	}
	if want := len(all) <= p.slow.perSide; p.fast.Wraps() != want {
		t.Fatalf("Wraps = %v with %d members", !want, len(all))
	}
	p.sameFor(t, rapid.SampledFrom(p.met).Draw(t, "asked"))
}

func (p *pair) sameFor(t *rapid.T, id idspace.ID) {
	if p.fast.Has(id) != slices.Contains(p.slow.members, id) {
		t.Fatalf("Has(%v) = %v", id, p.fast.Has(id))
	}
	if p.fast.Suspected(id) != slices.Contains(p.suspects, id) {
		t.Fatalf("Suspected(%v) = %v", id, p.fast.Suspected(id))
	}
	if got, want := p.fast.Covers(id), p.covers(id); got != want {
		t.Fatalf("Covers(%v) = %v", id, got)
	}
}

// covers: id, put on the ring, would have some member or self on either hand that is not the
// gap between the two farthest ends. With sides that meet there is no such gap.
func (p *pair) covers(id idspace.ID) bool {
	if len(p.slow.members) < 2*p.slow.perSide || id == p.slow.self {
		return true
	}
	wider := &ring{self: p.slow.self, perSide: len(p.slow.members) + 1, members: slices.Clone(p.slow.members)}
	if !slices.Contains(wider.members, id) {
		wider.members = append(wider.members, id)
	}
	at := slices.Index(wider.walk(1), id)
	return slices.Contains(p.slow.members, id) || at < p.slow.perSide || at > p.slow.perSide
}

func TestSetEqualsTheSortedRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		self := smallID.Draw(t, "self")
		perSide := rapid.IntRange(1, 5).Draw(t, "perSide")
		p := &pair{
			fast: leafset.New(self, perSide), slow: &ring{self: self, perSide: perSide}, met: []idspace.ID{self},
		}
		t.Repeat(map[string]func(*rapid.T){
			"insert": p.insert, "insert2": p.insert, "remove": p.remove, "setState": p.setState, "": p.same,
		})
	})
}

func small(bytes ...byte) (ids []idspace.ID) {
	for _, b := range bytes {
		ids = append(ids, idspace.ID{b})
	}
	return ids
}

func newSet(perSide int, self byte, members ...byte) *leafset.Set {
	s := leafset.New(idspace.ID{self}, perSide)
	for _, id := range small(members...) {
		s.Insert(id)
	}
	return s
}

func TestOneOtherNodeIsOnBothSides(t *testing.T) {
	s := newSet(2, 10, 200)
	if !slices.Equal(s.CW(), small(200)) || !slices.Equal(s.CCW(), small(200)) || s.Len() != 1 {
		t.Errorf("set is %v", s)
	}
	if !s.Wraps() || !s.Covers(idspace.ID{99}) {
		t.Error("two nodes do not cover their ring")
	}
}

func TestNobodyKnownWraps(t *testing.T) {
	s := newSet(2, 10)
	if !s.Wraps() || !s.Covers(idspace.ID{99}) || s.Len() != 0 || len(s.All()) != 0 {
		t.Error("a lone node does not cover its ring")
	}
}

func TestFullSetCoversOnlyItsArc(t *testing.T) {
	s := newSet(2, 10, 20, 30, 250, 240)
	for id, want := range map[byte]bool{10: true, 15: true, 30: true, 31: false, 100: false, 239: false, 240: true, 255: true, 0: true} {
		if got := s.Covers(idspace.ID{id}); got != want {
			t.Errorf("Covers(%d) = %v", id, got)
		}
	}
	if s.Wraps() {
		t.Error("wraps")
	}
}

func TestANearerNodeEvictsTheFarthestOfItsSide(t *testing.T) {
	s := newSet(2, 10, 20, 30, 250, 240)
	evicted, ok := s.Insert(idspace.ID{12})
	if !ok || !slices.Equal(evicted, small(30)) {
		t.Errorf("evicted %v, %v", evicted, ok)
	}
	if got, want := s.String(), "f0000000 fa000000 | 0c000000 14000000"; got != want {
		t.Errorf("set is %q, want %q", got, want)
	}
	s.SetState(idspace.ID{12}, leafset.Suspect)
	if got, want := s.String(), "f0000000 fa000000 | 0c000000? 14000000"; got != want {
		t.Errorf("set is %q, want %q", got, want)
	}
}

func TestSidesAreReadInOrderOfDistance(t *testing.T) {
	s := newSet(3, 10, 240, 20, 250, 30, 5, 40)
	if !slices.Equal(s.CW(), small(20, 30, 40)) || !slices.Equal(s.CCW(), small(5, 250, 240)) {
		t.Errorf("set is %v", s)
	}
	if got := s.Nearest(1); !slices.Equal(got, small(20, 5)) {
		t.Errorf("nearest is %v", got)
	}
}

func TestNewWantsRoomOnASide(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a set without room was made")
		}
	}()
	leafset.New(idspace.ID{}, 0)
}
