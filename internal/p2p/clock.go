package p2p

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// clock counts the time of one node, from a second before its start so that no time
// is zero, which means never.
type clock struct{ start time.Time }

func newClock() clock { return clock{time.Now().Add(-time.Second)} }

func (c clock) now() mono.Time { return mono.Time(time.Since(c.start)) }

// of is t as the node counts time.
func (c clock) of(t time.Time) mono.Time { return mono.Time(t.Sub(c.start)) }

// at is when the node's clock shows t.
func (c clock) at(t mono.Time) time.Time { return c.start.Add(time.Duration(t)) }
