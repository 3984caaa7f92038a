// Package sim runs an overlay of thousands of nodes on virtual time, loads it, takes
// nodes down and up, judges every answer against what is true at that moment, and
// reports (design §9). The nodes are those that run on real hosts, unchanged.
//
// The parts: world is the network, calendar its event queue, topology where delays and
// sessions come from, report the outcome as data, plot its pictures. This folder is the
// scenario: how the overlay begins, who comes and goes, what is asked of it, and the
// oracles that see all nodes at once.
//
// Lookups are judged in two ways: true, the answerer was the brute-force root among the
// live active nodes when it answered; consistent, the answer was the majority's of the
// ten nodes that asked at once (Bamboo's test [4]).
//
// Invariants: the same Config gives the same trace hash, whatever the machine; the
// oracles and the judge change nothing in the run.
//
// Layer 7: imports internal/node and below; a stranger to internal/p2p. cmd/tapestry
// imports it.
package sim
