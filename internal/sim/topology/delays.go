package topology

import "time"

// Delays is a network of hosts, numbered from 0.
type Delays interface {
	// Hosts returns how many hosts there are.
	Hosts() int
	// OneWay returns how long a message is under way from host a to host b; 0 if
	// they are the same. The two directions may differ.
	OneWay(a, b int) time.Duration
}

// RTT returns the round-trip time between two hosts.
func RTT(d Delays, a, b int) time.Duration { return d.OneWay(a, b) + d.OneWay(b, a) }

// milliseconds turns a number of a file into a duration.
func milliseconds(ms float64) time.Duration {
	return time.Duration(ms*float64(time.Millisecond) + 0.5)
}
