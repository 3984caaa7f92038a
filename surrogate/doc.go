// Package surrogate is the only place that knows the root rule, and thereby the
// next hop: Tapestry's surrogate routing (JSAC §III-A, §III-B), "no entry for 42**?
// try 43**", written as a distance.
//
// δ(v,k) is the string of digits (v[l] − k[l]) mod radix; the root of k is the live
// node with the smallest δ(v,k) (docs/adr/0001-root-rule.md). Next takes one step
// towards it from one node's tables. It depends on nothing but those and the key, so
// that a node that knows better than the sender corrects the path by itself.
//
// Departure from the paper: no level travels with the message; each hop starts at
// digit 0 again (design §3).
//
// Invariants: every hop that Next names has a smaller δ than the node that asks, so
// that no route can loop; Next never says root while a node with a smaller δ is
// known that is not excluded, suspected or not; it allocates nothing.
//
// Layer 3: imports idspace, wire, neighbormap and leafset; routing and the machines
// import it.
package surrogate
