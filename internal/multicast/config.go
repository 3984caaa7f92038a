package multicast

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
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
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&c.Life, 10 * time.Second}, {&c.Poll, time.Second}, {&c.Again, 200 * time.Millisecond}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Calls == 0 {
		c.Calls = 1024
	}
	if c.PerPeer == 0 {
		c.PerPeer = 64
	}
	return c
}

// Validate names the field that makes no sense.
func (c Config) Validate() error {
	switch {
	case c.Self.IsZero() || c.Network == "":
		return fmt.Errorf("multicast: Self %v, Network %q: both are required", c.Self, c.Network)
	case c.Life <= 0 || c.Poll <= 0 || c.Again <= 0:
		return fmt.Errorf("multicast: Life %v, Poll %v, Again %v: want positive", c.Life, c.Poll, c.Again)
	case c.Calls < 1 || c.PerPeer < 1:
		return fmt.Errorf("multicast: Calls %d, PerPeer %d: want at least 1", c.Calls, c.PerPeer)
	}
	return nil
}
