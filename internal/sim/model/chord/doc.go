// Package chord models Chord: I. Stoica et al., "Chord" (ToN 11(1), 2003,
// docs/papers.md [9]) with recursive lookups, successor lists and periodic
// stabilization as in its section IV-E, and fingers chosen by proximity, PNS(16) of
// F. Dabek et al., "Designing a DHT for Low Latency and High Throughput" (NSDI
// 2004): of the first sixteen nodes of a finger's interval the nearest.
//
// Objects are kept as that paper's DHash keeps blocks: who has an object is held by
// the key's successor and the three after it, and laid again by its server, as often
// and with as long a life as in this overlay.
//
// Where it departs: each hop of a lookup is acknowledged, and one that is not within
// a few round trips is tried around; the paper's 500 ms are less than some round
// trips here. The answer goes back the way the question came, for a direct one would
// have to open a connection first. Of a finger's sixteen candidates four are
// measured in each round.
//
// Layer 7, inside the room of the simulator.
package chord
