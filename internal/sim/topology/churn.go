package topology

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Session is one time that a node was up, counted from the start of its trace.
type Session struct {
	Node       int
	Start, End time.Duration
}

// maxTrace is the longest trace in seconds: a hundred years, so that no time overflows.
const maxTrace = 100 * 365 * 24 * 3600

// LoadChurn reads lines of node,start_s,end_s under a header of that text: the node
// is up from start until just before end. The sessions of a node stand in the order
// of time and do not overlap. They come back in the order of their start.
func LoadChurn(path string) ([]Session, error) {
	var all []Session
	err := readTable(path, "churn trace", func(t *table) (err error) {
		all, err = readSessions(t)
		return err
	})
	slices.SortStableFunc(all, func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Node, b.Node))
	})
	return all, err
}

func readSessions(t *table) (all []Session, err error) {
	if err := t.header("node,start_s,end_s"); err != nil {
		return nil, err
	}
	upUntil := map[int]time.Duration{}
	for {
		fields, err := t.next()
		if err != nil {
			return nil, err
		}
		if fields == nil {
			break
		}
		s, err := session(t, fields)
		if err != nil {
			return nil, err
		}
		if until, ok := upUntil[s.Node]; ok && s.Start < until {
			return nil, t.bad("session of node %d starts at %gs, want %gs or later: its session before ends then",
				s.Node, s.Start.Seconds(), until.Seconds())
		}
		upUntil[s.Node] = s.End
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, t.bad("no sessions, want lines of node,start_s,end_s")
	}
	return all, nil
}

func session(t *table, fields []string) (s Session, err error) {
	if len(fields) != 3 {
		return s, t.bad("%d fields, want node,start_s,end_s", len(fields))
	}
	node, err := t.number(fields, 0, 0, math.MaxInt32)
	if err != nil {
		return s, err
	}
	if node != math.Trunc(node) {
		return s, t.bad("field 1 is %s, want a whole number", excerpt(fields[0]))
	}
	start, err := t.number(fields, 1, 0, maxTrace)
	if err != nil {
		return s, err
	}
	end, err := t.number(fields, 2, 0, maxTrace)
	if err == nil && end <= start {
		err = t.bad("session from %gs to %gs, want it to end after its start", start, end)
	}
	return Session{Node: int(node), Start: milliseconds(start * 1000), End: milliseconds(end * 1000)}, err
}
