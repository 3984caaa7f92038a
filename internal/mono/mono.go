// Package mono holds the one notion of time that protocol code has: nanoseconds
// since a point that the world chose, never going back.
//
// Machines get it from env.Env.Now and never read a clock (style: time is a
// value). Two Times of different nodes must not be compared.
//
// Layer 0: imports nothing of the project; anybody may import it.
package mono

import "time"

// Time is a point in the life of one world, in nanoseconds. The zero Time means
// "never" where a field says so.
type Time int64

// Add returns t moved by d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns the duration from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Before reports whether t comes before u.
func (t Time) Before(u Time) bool { return t < u }

// String prints t as seconds with microseconds, as traces show it.
func (t Time) String() string { return time.Duration(t).Truncate(time.Microsecond).String() }
