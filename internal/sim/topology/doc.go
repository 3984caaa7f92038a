// Package topology says how long a message is under way between two places of a
// simulated network, and when nodes are up: measured round-trip times, measured
// or embedded coordinates, a generated transit-stub network, and churn traces.
//
// A host is a place that has delays; a node is put on a host by Place, and several
// nodes may share one. All of it is fixed once built: the same file or seed gives
// the same delays, and asking for one neither allocates nor draws.
//
// A file that cannot be used is refused with one line of the form
//
//	file:line: what is there, what was wanted
//
// Files may be plain or gzip; which, is told by their first bytes.
//
// Layer 7, inside the room of the simulator, which alone imports it.
package topology
