package history

import (
	"strings"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"pgregory.net/rapid"
)

var (
	object1 = idspace.Hash([]byte("object"))
	a, b    = idspace.Hash([]byte("a")), idspace.Hash([]byte("b"))
)

func everybody(idspace.ID) bool { return true }

// TestWhatIsRightAndWhatIsNot goes through one answer each.
func TestWhatIsRightAndWhatIsNot(t *testing.T) {
	for _, c := range []struct {
		what  string
		tell  func(*Log)
		wrong string
	}{
		{"absent before it was published", func(l *Log) {
			since := l.Asked()
			l.Begun(object1, a)
			l.Done(object1, a)
			l.Absent(object1, since, everybody, "told")
		}, ""},
		{"absent while it is published", func(l *Log) {
			l.Begun(object1, a)
			l.Done(object1, a)
			l.Absent(object1, l.Asked(), everybody, "told")
		}, "told"},
		{"absent before the publish was acknowledged", func(l *Log) {
			l.Begun(object1, a)
			l.Absent(object1, l.Asked(), everybody, "told")
		}, ""},
		{"absent once it is withdrawn", func(l *Log) {
			l.Begun(object1, a)
			l.Done(object1, a)
			l.Ending(object1, a)
			l.Absent(object1, l.Asked(), everybody, "told")
		}, ""},
		{"absent though a server takes over from another meanwhile", func(l *Log) {
			l.Begun(object1, a)
			l.Done(object1, a)
			since := l.Asked()
			l.Begun(object1, b)
			l.Done(object1, b)
			l.Ending(object1, a)
			l.Absent(object1, since, everybody, "told")
		}, "told"},
		{"absent to whom the server was out of reach", func(l *Log) {
			l.Begun(object1, a)
			l.Done(object1, a)
			l.Absent(object1, l.Asked(), func(s idspace.ID) bool { return s != a }, "told")
		}, ""},
		{"found while it is published", func(l *Log) {
			since := l.Asked()
			l.Begun(object1, a)
			l.Found(object1, a, since, "told")
		}, ""},
		{"found before anybody published", func(l *Log) {
			l.Found(object1, a, l.Asked(), "told")
			l.Begun(object1, a)
		}, "told"},
		{"found long after it was withdrawn", func(l *Log) {
			l.Begun(object1, a)
			l.Ending(object1, a)
			l.Gone(object1, a)
			l.Found(object1, a, l.Asked(), "told")
		}, "told"},
		{"found by who had asked before it was gone", func(l *Log) {
			l.Begun(object1, a)
			since := l.Asked()
			l.Ending(object1, a)
			l.Gone(object1, a)
			l.Found(object1, a, since, "told")
		}, ""},
		{"two servers of which the one was gone before the other came", func(l *Log) {
			since := l.Asked()
			l.Begun(object1, a)
			l.Gone(object1, a)
			l.Begun(object1, b)
			l.Found(object1, a, since, "told")
			l.Found(object1, b, since, "told")
		}, ""},
	} {
		var l Log
		c.tell(&l)
		var texts []string
		for _, f := range l.Check() {
			texts = append(texts, f.Text)
		}
		if got := strings.Join(texts, "\n"); (got != "") != (c.wrong != "") || !strings.HasPrefix(got, c.wrong) {
			t.Errorf("%s: %q, want %q", c.what, got, c.wrong)
		}
	}
}

// TestCheckFindsWhatALookAtEveryMomentFinds compares with an obvious checker: it plays
// what happened up to each moment of the interval.
func TestCheckFindsWhatALookAtEveryMomentFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Log
		servers := []idspace.ID{a, b, idspace.Hash([]byte("c"))}
		asked := []Stamp{l.Asked()}
		tells := []func(idspace.ID){
			func(s idspace.ID) { l.Begun(object1, s) }, func(s idspace.ID) { l.Done(object1, s) },
			func(s idspace.ID) { l.Ending(object1, s) }, func(s idspace.ID) { l.Gone(object1, s) },
			func(idspace.ID) { asked = append(asked, l.Asked()) },
			func(s idspace.ID) { l.Found(object1, s, rapid.SampledFrom(asked).Draw(t, "since"), "") },
			func(s idspace.ID) {
				l.Absent(object1, rapid.SampledFrom(asked).Draw(t, "since"), func(x idspace.ID) bool { return x != s }, "")
			},
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			rapid.SampledFrom(tells).Draw(t, "tell")(rapid.SampledFrom(servers).Draw(t, "server"))
		}
		want := 0
		for _, answer := range l.object(object1).answers {
			if !l.object(object1).atSomeMoment(answer.Input.(word), answer.Call, answer.Return) {
				want++
			}
		}
		if got := len(l.Check()); got != want {
			t.Fatalf("%d answers are wrong, found %d", want, got)
		}
	})
}

// atSomeMoment is whether an answer is right at a moment from one to another.
func (o *object) atSomeMoment(w word, from, to int64) bool {
	for at := from; at <= to; at++ {
		state := strings.Repeat(string(rune(none)), len(o.servers))
		for _, h := range o.happens {
			if h.Call <= at {
				_, next := step(state, h.Input.(word))
				state = next.(string)
			}
		}
		if right, _ := step(state, w); right {
			return true
		}
	}
	return false
}
