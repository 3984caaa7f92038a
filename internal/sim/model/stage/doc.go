// Package stage is the network that models play on: the same virtual time, delays,
// queues and losses as internal/sim/world gives the real nodes, for nodes that are
// named by number and whose messages have a size and no bytes.
//
// Messages of one step to one node are one packet. A message to a node without an
// open connection waits two round trips for one; a connection that neither end
// counts among its Links closes when it has not been used for a while.
//
// Invariants: the same Config and the same calls give the same Hash; a node that is
// down does nothing.
//
// Layer 7, part of the room internal/sim: imports model and calendar.
package stage
