package pointers_test

import (
	"fmt"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"pgregory.net/rapid"
)

func TestServedComesDueInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := pointers.NewServed(pointers.Limits{Served: 8})
		due := make(map[pointers.Key]mono.Time)
		looked, changes := "", uint64(0)
		key := func(t *rapid.T) pointers.Key {
			return pointers.Key{GUID: idspace.Hash([]byte{byte(rapid.IntRange(0, 11).Draw(t, "object"))}), App: "a"}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				k, at := key(t), mono.Time(rapid.IntRange(0, 99).Draw(t, "at"))
				_, known := due[k]
				o := s.Add(k, 4)
				if (o == nil) != (!known && len(due) == 8) {
					t.Fatalf("add %v to %d gave %v", k, len(due), o)
				}
				if o != nil {
					s.Schedule(o, at)
					due[k] = at
				}
			},
			"remove": func(t *rapid.T) {
				k := key(t)
				s.Remove(k)
				delete(due, k)
			},
			"": func(t *rapid.T) {
				if err := s.Check(); err != nil {
					t.Fatal(err)
				}
				first := s.Next()
				if (first == nil) != (len(due) == 0) || s.Len() != len(due) || len(s.Sorted()) != len(due) {
					t.Fatalf("next %v of %d, want %d", first, s.Len(), len(due))
				}
				now := ""
				for _, o := range s.Sorted() {
					now += fmt.Sprint(o.Key, o.Due(), ";")
				}
				if now != looked && s.Changes() == changes {
					t.Fatalf("%s became %s, and no change was counted", looked, now)
				}
				looked, changes = now, s.Changes()
				for k, at := range due {
					if !s.Has(k) || s.Find(k).Due() != at || first.Due() > at {
						t.Fatalf("%v is due at %v, next at %v", k, at, first.Due())
					}
				}
			},
		})
	})
}

func TestLimitErrorsNameTheField(t *testing.T) {
	envtest.ValidateNamesFields(t, pointers.Limits{})
}
