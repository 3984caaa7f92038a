// Package plot draws what simulated runs came to: a page that needs nothing but a
// browser, with the figures and the pictures, the pictures again as SVG files, and
// the reports themselves as JSON.
//
// One run is drawn by itself, several are drawn over one another, a color each.
// The same reports give the same files, byte for byte.
//
// Layer 7, inside the room of the simulator: imports report alone.
package plot
