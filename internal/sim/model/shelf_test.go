package model_test

import (
	"slices"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

func TestShelfHoldsEachServerForItsTime(t *testing.T) {
	var s model.Shelf
	a, b := idspace.Hash([]byte("a")), idspace.Hash([]byte("b"))
	s.Remove(a, 1)
	s.Drop(1)
	s.Put(a, model.Entry{Server: 3, Until: 10})
	s.Put(a, model.Entry{Server: 1, Until: 20})
	s.Put(a, model.Entry{Server: 3, Until: 15})
	s.Put(a, model.Entry{Server: 3, Until: 12})
	s.Put(b, model.Entry{Server: 1, Until: 5})
	for _, c := range []struct {
		key  idspace.ID
		now  mono.Time
		want []model.Addr
	}{{a, 9, []model.Addr{3, 1}}, {a, 14, []model.Addr{3, 1}}, {a, 15, []model.Addr{1}}, {a, 20, nil}, {b, 4, []model.Addr{1}}, {b, 5, nil}} {
		if got := s.Servers(c.key, c.now); !slices.Equal(got, c.want) {
			t.Errorf("at %d: %v, want %v", c.now, got, c.want)
		}
	}
	s.Sweep(15)
	if keys := s.Keys(); !slices.Equal(keys, []idspace.ID{a}) || len(s.Entries(a)) != 1 {
		t.Errorf("%v left, %v", keys, s.Entries(a))
	}
	s.Put(b, model.Entry{Server: 1, Until: 30})
	s.Drop(1)
	if keys := s.Keys(); len(keys) != 0 {
		t.Errorf("%v left", keys)
	}
}
