// Package smallworld enumerates what can happen among three or four nodes: every order
// in which messages arrive, up to a depth, while some join, leave and crash at every
// possible moment (design §9).
//
// A link keeps the order of its messages, as a stream does; between links any order is
// tried. The clock stands while messages are under way and goes on to the next timer
// only in silence, so that orders which no node can tell apart lead to the same state.
// From the end of each order on messages are carried in turn, and the overlay has to
// become whole: all nodes agree with brute force on the root of every first digit.
//
// A node cannot be copied: a state is what its choices make of a new scene, played
// again. Two states are the same if every machine has taken the same inputs at the same
// times and the same number of messages is left on every link: machines are
// deterministic and send nothing but in answer to inputs, so that nothing is taken for
// the same that is not.
//
// Invariants: the same Plan and Bounds give the same Result.
//
// Layer 7, part of the room internal/sim: imports node and below; a stranger to world.
package smallworld
