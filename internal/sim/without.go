package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tapestry-dolr/tapestry/heartbeat"
)

// Without names parts of the failure detector that are switched off, to see what each does:
// Lifeguard's three, the questions to others, and the notice that a node takes of its own stalls.
type Without []string

// parts switches each off.
var parts = map[string]func(*heartbeat.Config){
	"awareness":     func(c *heartbeat.Config) { c.Awareness = -1 },
	"confirmations": func(c *heartbeat.Config) { c.Confirmations = -1 },
	"telling":       func(c *heartbeat.Config) { c.Untold = true },
	"helpers":       func(c *heartbeat.Config) { c.Helpers = -1 },
	"stalls":        func(c *heartbeat.Config) { c.Asleep = -1 },
}

// Set reads names separated by commas.
func (w *Without) Set(text string) error {
	for _, name := range strings.Split(text, ",") {
		if parts[name] == nil {
			return fmt.Errorf("%q: want some of %s", name, strings.Join(slices.Sorted(maps.Keys(parts)), ", "))
		}
		*w = append(*w, name)
	}
	return nil
}

// String is what Set reads.
func (w *Without) String() string { return strings.Join(*w, ",") }

// Type names the flag's argument.
func (*Without) Type() string { return "PARTS" }

func (w Without) apply(c *heartbeat.Config) {
	for _, name := range w {
		parts[name](c)
	}
}
