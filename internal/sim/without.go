package sim

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/tapestry-dolr/tapestry/internal/node"
)

// Without names parts of a node that are switched off, to see what each does: of the failure detector Lifeguard's
// three, the questions to others, and the notice that a node takes of its own stalls; the caching of pointers, the
// near nodes of objects, and the neighbors by whom a server is reached.
type Without []string

// parts switches each off.
var parts = map[string]func(*node.Config){
	"awareness":     func(c *node.Config) { c.Heartbeat.Awareness = -1 },
	"confirmations": func(c *node.Config) { c.Heartbeat.Confirmations = -1 },
	"telling":       func(c *node.Config) { c.Heartbeat.Untold = true },
	"helpers":       func(c *node.Config) { c.Heartbeat.Helpers = -1 },
	"caching":       func(c *node.Config) { c.Locate.Popular = math.MaxInt },
	"doors":         func(c *node.Config) { c.Tree.NoDoors = true },
	"near":          func(c *node.Config) { c.Routing.Alone = true },
	"stalls":        func(c *node.Config) { c.Heartbeat.Asleep = -1 },
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

func (w Without) apply(c *node.Config) {
	for _, name := range w {
		parts[name](c)
	}
}
