// Package seeds finds out where the nodes are by which one joins: from multiaddrs, from
// a file of them, and from DNS (design §6, partitions).
//
// A seed is a multiaddr that ends in /p2p/ID, or a /dnsaddr whose TXT records lead to
// such multiaddrs, over several names if need be. Other DNS addresses are left to the
// host, which resolves them when it dials. What cannot be read or resolved is an error
// that says where it stands; the other seeds are returned all the same.
//
// Invariants: nothing is remembered between two calls, so that who asks again gets what
// is true now; one call resolves at most maxLevels names in a row and returns at most
// maxSeeds addresses, whatever the records say.
//
// Layer 7: imports nothing of this module; the root package and the command import it.
package seeds
