// Package overlaytest has no code: its tests run whole overlays of real libp2p hosts,
// on a simulated packet network inside a synctest bubble and over TCP on loopback, and
// hold them against what an oracle computes from all IDs.
//
// No layer: tests alone.
package overlaytest
