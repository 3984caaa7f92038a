// Package model is the seam between the simulated world and the rivals that it
// compares this overlay with. The rivals are models: they follow the papers named
// in their folders, send messages of the size that real ones have, and know
// nothing that a real node would not know; but they have no codec and no keys.
//
// A model node is a machine as ours are: it is stepped by a message, a timer or a
// request, and says what it wants done through World. Nodes are named by Addr,
// their number in the world, which stands for a network address.
//
// What every model shares: a message to a node without an open connection pays for
// opening one (the world does that), and a payload goes from the asker straight to
// the server that the protocol found (Courier).
//
// Layer 7, inside the room of the simulator: imports idspace and mono.
package model
