package history

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Finding is an answer that the model would have given at no moment.
type Finding struct {
	Object idspace.ID
	Absent bool // the object was called absent; else a server was named that has long gone
	Text   string
}

// The states of a server.
const (
	none = 'n' + iota
	publishing
	published
	fading
)

const (
	// portion is how many answers are judged together: the checker keeps, for every step,
	// which operations it has placed.
	portion = 256
	// patience is far beyond what a portion takes; one that takes longer is a finding.
	patience = 20 * time.Second
)

// Check judges all answers.
func (l *Log) Check() (all []Finding) {
	for _, id := range l.order {
		o := l.objects[id]
		for some := range slices.Chunk(o.answers, portion) {
			if o.holds(some...) {
				continue
			}
			for _, one := range some {
				if !o.holds(one) {
					all = append(all, o.finding(id, one))
				}
			}
		}
	}
	return all
}

// holds reports whether answers fit what happened to an object.
func (o *object) holds(answers ...porcupine.Operation) bool {
	all := slices.Concat(o.happens, answers)
	return porcupine.CheckOperationsTimeout(o.model(), all, patience) == porcupine.Ok
}

func (o *object) finding(id idspace.ID, answer porcupine.Operation) Finding {
	w := answer.Input.(word)
	var b strings.Builder
	fmt.Fprintf(&b, "%s; asked at %d, answered at %d:", w.told, answer.Call, answer.Return)
	for _, h := range o.happens {
		x := h.Input.(word)
		if w.kind == absent || x.server == w.server {
			fmt.Fprintf(&b, " %s %s at %d,", o.servers[x.server].Short(), names[x.kind], h.Call)
		}
	}
	return Finding{Object: id, Absent: w.kind == absent, Text: strings.TrimSuffix(b.String(), ",")}
}

var names = [...]string{"begun", "done", "ending", "gone", "found", "absent"}

// model is the object as one who sees everything at once would have it: a letter for
// each server.
func (o *object) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return strings.Repeat(string(rune(none)), len(o.servers)) },
		Step: func(state, input, _ any) (bool, any) { return step(state.(string), input.(word)) },
	}
}

func step(state string, w word) (bool, any) {
	switch w.kind {
	case found:
		return state[w.server] != none, state
	case absent:
		return !certain(state, w.beyond), state
	}
	is := state[w.server]
	switch w.kind {
	case begun:
		if is != published {
			is = publishing
		}
	case done:
		if is == publishing {
			is = published
		}
	case ending:
		is = fading
	case gone:
		is = none
	}
	return true, state[:w.server] + string(rune(is)) + state[w.server+1:]
}

// certain reports whether a server is published that counts. Who was first heard of
// later than the answer was not published then.
func certain(state string, beyond []bool) bool {
	for i, out := range beyond {
		if !out && state[i] == published {
			return true
		}
	}
	return false
}
