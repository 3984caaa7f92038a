package leafset_test

import (
	"slices"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/leafset"
	"pgregory.net/rapid"
)

func TestWhoCameOrWentHasMoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := leafset.New(idspace.ID{}, rapid.IntRange(1, 4).Draw(t, "side"))
		var before []idspace.ID
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) { s.Insert(idspace.ID{rapid.Byte().Draw(t, "id")}) },
			"remove": func(t *rapid.T) { s.Remove(idspace.ID{rapid.Byte().Draw(t, "id")}) },
			"": func(t *rapid.T) {
				moved, now := s.Moved(), s.All()
				for i, id := range moved {
					if slices.Contains(moved[:i], id) {
						t.Fatalf("%v moved twice", id)
					}
				}
				for first := range 256 {
					id := idspace.ID{byte(first)}
					if slices.Contains(before, id) != slices.Contains(now, id) && !slices.Contains(moved, id) {
						t.Fatalf("%v came or went and has not moved", id)
					}
				}
				before = now
			},
		})
	})
}
