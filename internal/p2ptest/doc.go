// Package p2ptest builds libp2p hosts for tests: real QUIC hosts on a simulated
// packet network inside a synctest bubble (Net), and TCP hosts on loopback
// outside one (Loopback).
//
// A Net knows what real networks do to packets: latency per pair, loss,
// firewalls, one-way cuts, and hosts that vanish without a goodbye. All of it
// happens in a net.PacketConn under the QUIC stack, so that everything above is
// the code that users run. Keys and losses follow from a seed; the order of
// goroutines does not, so two runs are alike and not equal.
//
// Support for tests alone: production code must not import it.
package p2ptest
