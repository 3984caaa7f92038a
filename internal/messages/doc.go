// Package messages is the machine that carries application messages: to a node, to
// the stand-in of a key, or to the nearest server of an object (JSAC §III-A:
// RouteToNode, RouteToObject; the Common API's forward and deliver).
//
// The paper lets a message follow pointers hop by hop. Here a message to an object
// is delivered at most once (design §8): a locate finds the nearest servers, then
// the message goes to one of them by its exact ID, and to the next only after a
// refusal that proves that nothing was delivered. Silence proves nothing: the caller
// is told that the message may have been delivered. On its way to the server it follows the
// pointers, as in the paper, from whoever has named the server.
//
// A message that does no harm twice may be raced instead: copies go towards all roots at once.
//
// Invariants: every send ends exactly once, at its deadline at the latest; at most
// one attempt of a send is under way, unless it may be repeated; every message that was handed to the
// application is answered at most once; both directions are bounded.
//
// The router may answer within the call of Route, so that nothing is done with a send
// after it was routed.
//
// Layer 5: imports routing's upcall and pointers; node wires it.
package messages
