// Package explore looks for violations by chance: it draws scenarios from a seed, plays
// each with all oracles, and shrinks one that fails to a small one that still does, with
// the command line that repeats it (design §9).
//
// What is drawn is what the overlay has to stand: faults whose harm the oracles forgive
// while it is repaired, and no longer.
//
// Invariants: the same Options give the same Result; a shrunk scenario keeps its seed
// and breaks the same oracle.
//
// Layer 7, part of the room internal/sim: imports sim; cmd/tapestry imports it.
package explore
