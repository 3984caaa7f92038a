package neighbormap_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/neighbormap"
	"pgregory.net/rapid"
)

// standing is all that others may ask of a node's place.
type standing struct {
	has, sole, primary bool
	level              int
}

func standingOf(m *neighbormap.Map, id idspace.ID) standing {
	level, primary := m.Primary(id)
	return standing{m.Has(id), m.Sole(id), primary, level}
}

func TestWhoseStandingChangesHasMoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := neighbormap.New(idspace.Hex, idspace.ID{}, rapid.IntRange(1, 3).Draw(t, "slot"))
		before := make(map[idspace.ID]standing)
		anyID := func(t *rapid.T) idspace.ID {
			return idspace.ID{4 * rapid.ByteMax(31).Draw(t, "id"), rapid.ByteMax(1).Draw(t, "more")}
		}
		rtt := func(t *rapid.T) time.Duration { return time.Duration(rapid.IntRange(1, 50).Draw(t, "rtt")) }
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) { m.Insert(neighbormap.Neighbor{ID: anyID(t), RTT: rtt(t)}) },
			"remove": func(t *rapid.T) { m.Remove(anyID(t)) },
			"update": func(t *rapid.T) { m.Update(anyID(t), rtt(t)) },
			"": func(t *rapid.T) {
				moved := m.Moved()
				for i, id := range moved {
					if slices.Contains(moved[:i], id) {
						t.Fatalf("%v moved twice", id)
					}
				}
				for first := range byte(32) {
					for more := range byte(2) {
						id := idspace.ID{4 * first, more}
						now := standingOf(m, id)
						if now != before[id] && !slices.Contains(moved, id) {
							t.Fatalf("%v was %v and is %v, and has not moved", id, before[id], now)
						}
						before[id] = now
					}
				}
			},
		})
	})
}
