package multicast

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/setting"
)

// Config bounds what a Caster keeps.
type Config struct {
	// Self is this node, Network the overlay's name. Required.
	Self    idspace.ID
	Network string
	// Life is how long a multicast may take if its caller set no deadline, and the most
	// that a peer may ask for. If zero, 10 s.
	Life time.Duration
	// Poll is how often a branch that has acknowledged is asked how far it is. If zero, 1 s.
	Poll time.Duration
	// Again is how soon a slot whose nodes are all suspected is looked at again. If zero, 200 ms.
	Again time.Duration
	// Calls is the most multicasts that are remembered, PerPeer the most under way from
	// one neighbor. If zero, 1024 and 64.
	Calls, PerPeer int
}

// WithDefaults returns c with zero fields filled in.
func (c Config) WithDefaults() Config {
	setting.Fill(c.settings())
	return c
}

// Validate names the field that makes no sense.
func (c Config) Validate() error {
	if c.Self.IsZero() || c.Network == "" {
		return fmt.Errorf("multicast: Self %v, Network %q: both are required", c.Self, c.Network)
	}
	return setting.Check("multicast", c.settings())
}

func (c *Config) settings() []setting.Setting {
	return []setting.Setting{
		setting.Of("Life", &c.Life, 10*time.Second),
		setting.Of("Poll", &c.Poll, time.Second),
		setting.Of("Again", &c.Again, 200*time.Millisecond),
		setting.Of("Calls", &c.Calls, 1024),
		setting.Of("PerPeer", &c.PerPeer, 64),
	}
}
