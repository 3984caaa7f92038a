// Package routing carries envelopes: requests hop by hop towards the root of a key,
// replies back along the path they came (JSAC Fig. 3; design §5).
//
// Routing is recursive and goes over links that are open already. Each hop is
// acknowledged to the one before; without an acknowledgement in time the envelope goes
// another way at once, never to the same node again, and heartbeat is told
// (docs/adr/0003-per-hop-acknowledgement.md). Where only suspected nodes lead on, the
// envelope is parked until heartbeat has judged them: nobody answers as root over a
// slot of suspects. Nor over a hole that may be none: the Guard is asked first.
//
// What begins here for applications is bounded by what comes through, and a node whose uplink is
// behind takes none of others (docs/adr/0021-turned-away-where-it-begins.md).
//
// What an envelope carries is a matter of its kind of body; the machine that serves
// that kind is the Upcall, asked at every hop, as in JSAC Fig. 7.
//
// Invariants: a request is forwarded only to nodes with a smaller surrogate distance
// to its key than this one; a call that an upcall consumed here is shown to it once,
// a duplicate gets the same answer; everything kept is bounded and ends at its deadline.
//
// Layer 4: imports surrogate and below; the machines of layer 5 and node import it.
package routing
