// Package rivals lists the models.
//
// Layer 7, inside the room of the simulator.
package rivals

import (
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/central"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/chord"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/flood"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/kademlia"
)

// All returns every rival with its default constants.
func All() []model.Protocol {
	return []model.Protocol{
		kademlia.Protocol(kademlia.Config{}), chord.Protocol(chord.Config{}), central.Protocol(), flood.Protocol(flood.Config{}),
	}
}

// Named finds the rival of a name.
func Named(name string) (p model.Protocol, ok bool) {
	for _, p := range All() {
		if p.Name == name {
			return p, true
		}
	}
	return p, false
}
