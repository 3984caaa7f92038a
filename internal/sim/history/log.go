package history

import (
	"slices"

	"github.com/anishathalye/porcupine"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Log is the history of objects, told in the order in which it happens. The zero Log is
// empty.
type Log struct {
	objects map[idspace.ID]*object
	order   []idspace.ID // in which they were first heard of
	stamp   Stamp
}

// Stamp is a moment in a Log; each comes once.
type Stamp int64

// object is what a Log has of one.
type object struct {
	servers []idspace.ID // in the order of their first publish: the model knows them by number
	happens []porcupine.Operation
	answers []porcupine.Operation
}

// Counts says how much a Log has.
type Counts struct {
	Objects, Happened, Found, Absent int
}

// word is what an operation says.
type word struct {
	kind   kind
	server int
	beyond []bool // absent: servers that do not count, by number
	told   string // of an answer: for whoever reads of it
}

type kind uint8

const (
	begun kind = iota
	done
	ending
	gone
	found
	absent
)

// Begun: a server has begun to publish an object.
func (l *Log) Begun(o, server idspace.ID) { l.happened(o, server, begun) }

// Done: its publish was acknowledged.
func (l *Log) Done(o, server idspace.ID) { l.happened(o, server, done) }

// Ending: it withdraws the object, takes its leave, or has crashed.
func (l *Log) Ending(o, server idspace.ID) { l.happened(o, server, ending) }

// Gone: whoever asks from now on must not hear of it.
func (l *Log) Gone(o, server idspace.ID) { l.happened(o, server, gone) }

// Asked is when somebody asks.
func (l *Log) Asked() Stamp { return l.now() }

// Found: who asked since then is told of a server.
func (l *Log) Found(o, server idspace.ID, since Stamp, told string) {
	x := l.object(o)
	x.answers = append(x.answers, interval(since, l.now(), word{kind: found, server: x.number(server), told: told}))
}

// Absent: who asked since then is told that there is no such object. Reached says of a
// server whether the asker could reach it throughout.
func (l *Log) Absent(o idspace.ID, since Stamp, reached func(server idspace.ID) bool, told string) {
	x := l.object(o)
	beyond := make([]bool, len(x.servers))
	for i, s := range x.servers {
		beyond[i] = !reached(s)
	}
	x.answers = append(x.answers, interval(since, l.now(), word{kind: absent, beyond: beyond, told: told}))
}

// Counts counts what was told.
func (l *Log) Counts() (c Counts) {
	c.Objects = len(l.order)
	for _, o := range l.objects { // unordered: sums
		c.Happened += len(o.happens)
		for _, a := range o.answers {
			if a.Input.(word).kind == found {
				c.Found++
			} else {
				c.Absent++
			}
		}
	}
	return c
}

func (l *Log) happened(o, server idspace.ID, k kind) {
	x, at := l.object(o), l.now()
	x.happens = append(x.happens, interval(at, at, word{kind: k, server: x.number(server)}))
}

func interval(from, to Stamp, w word) porcupine.Operation {
	return porcupine.Operation{Input: w, Call: int64(from), Return: int64(to)}
}

func (l *Log) now() Stamp {
	l.stamp++
	return l.stamp
}

func (l *Log) object(id idspace.ID) *object {
	o := l.objects[id]
	if o == nil {
		if l.objects == nil {
			l.objects = make(map[idspace.ID]*object)
		}
		o = new(object)
		l.objects[id] = o
		l.order = append(l.order, id)
	}
	return o
}

// number is what the model calls a server.
func (o *object) number(server idspace.ID) int {
	i := slices.Index(o.servers, server)
	if i < 0 {
		i = len(o.servers)
		o.servers = append(o.servers, server)
	}
	return i
}
